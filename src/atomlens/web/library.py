"""The models that the application answers with: those of the box, and those it was started with."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from atomlens.errors import ModelError, SettingsError, unknown_name
from atomlens.explain import EXPLAINERS, methods_of
from atomlens.explain.masks import MASKED_EDGES
from atomlens.predictor import Predictor, load
from atomlens.predictor.folder.box import PREFIX, boxed_names, model_place
from atomlens.units import unit_text

_WITH_VECTORS = (
    "gradient-x-input",
    "integrated-gradients-mask",
    "expected-gradients",
    "shapley",
    "learnt-mask",
    "occlusion-mask",
)


@final
@dataclass(slots=True, kw_only=True, eq=False)
class Shown:
    """A model under the name that the page knows it by."""

    id: str
    given: str
    """What `atomlens.load` takes."""
    source: str
    """box or own"""
    model: Predictor | None = None


@final
class Library:
    """Models by the names of ours; what a client sends is looked up among them and nowhere else."""

    def __init__(self, own: Sequence[str] = (), watch: Callable[..., None] | None = None) -> None:
        """Load the models that were named; those of the box wait until they are asked for.

        Args:
            own: Folders, or names of models in the box, as `atomlens.load` takes them.
            watch: Called before each pass of a network.

        Raises:
            ModelError: a model is not there, or damaged.
        """
        self._watch = watch
        self._shown: dict[str, Shown] = {}
        boxed = boxed_names()
        for given in own:
            place = model_place(given)
            name = given.removeprefix(PREFIX)
            is_boxed = name in boxed and place == model_place(f"{PREFIX}{name}")
            shown = Shown(
                id=name if is_boxed else self._unused(Path(given).resolve().name or "model"),
                given=given,
                source="box" if is_boxed else "own",
            )
            self._shown[shown.id] = shown
            self._load(shown)
        for name in sorted(boxed, key=lambda n: (n.startswith("formula"), n != "qm9", n)):
            if name not in self._shown:
                self._shown[name] = Shown(id=name, given=f"{PREFIX}{name}", source="box")
        if not self._shown:
            raise ModelError(
                "There is no model to answer with: the box is empty; name a model folder."
            )

    def _unused(self, name: str) -> str:
        taken = {*self._shown, *boxed_names()}
        candidate, number = name, 1
        while candidate in taken:
            number += 1
            candidate = f"{name} ({number})"
        return candidate

    @property
    def first(self) -> str:
        """The model that is chosen when the page opens."""
        return next(iter(self._shown))

    def check(self, model_id: str) -> None:
        """Raise a `SettingsError` for a name that no model has; offer the nearest."""
        if model_id not in self._shown:
            raise SettingsError(unknown_name("model", model_id, self._shown))

    def get(self, model_id: str) -> Predictor:
        """Return a model, loaded if it was not. To be called on the bench.

        Raises:
            SettingsError: no model is called so.
            ModelError: its folder is damaged.
        """
        self.check(model_id)
        shown = self._shown[model_id]
        return shown.model or self._load(shown)

    def _load(self, shown: Shown) -> Predictor:
        model = load(shown.given)
        if self._watch is not None:
            for member in model.models:
                member.register_forward_pre_hook(self._watch)
        shown.model = model
        return model

    def names(self) -> list[dict[str, Any]]:
        """Return the models in the order in which they are shown; the details wait for loading."""
        return [
            {"id": shown.id, "source": shown.source, "loaded": shown.model is not None}
            for shown in self._shown.values()
        ]

    def describe(self, model_id: str) -> dict[str, Any]:
        """Return what the page must know of a model. To be called on the bench."""
        model = self.get(model_id)
        return {
            "id": model_id,
            "source": self._shown[model_id].source,
            "loaded": True,
            "kind": model.model_name,
            "n_models": len(model.models),
            "knows_unlike": model.familiarity is not None,
            "std_source": model.std_source,
            "methods": list(usable_methods(model)),
            "targets": [
                {
                    "name": t.name,
                    "text": t.name.replace("_", " "),
                    "unit": t.unit,
                    "unit_text": unit_text(t.unit),
                    "kind": t.kind,
                    "classes": list(t.classes),
                    "is_spectrum": t.is_spectrum,
                    "grid": list(t.grid) if t.is_spectrum else [],
                    "grid_name": t.grid_name if t.is_spectrum else "",
                    "grid_unit": t.grid_unit if t.is_spectrum else "",
                    "grid_unit_text": unit_text(t.grid_unit) if t.is_spectrum else "",
                }
                for t in model.targets
            ],
        }


def usable_methods(model: Predictor) -> tuple[str, ...]:
    """Return the methods that a model has, the most exact one first."""
    basic = methods_of(model.models[0])
    more = _WITH_VECTORS if "gradient" in basic else ()
    edges = ("attention-rollout",) if "attention" in basic else ()
    if MASKED_EDGES in model.models[0].edge_fields:
        more = (*more, "learnt-mask-edges")
    found = (*basic, *edges, *more, "occlusion-rebuilt")
    return tuple(dict.fromkeys(name for name in found if name in EXPLAINERS))
