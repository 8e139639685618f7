"""What a training is going to do, before any of it is done: data, neighbours, model, vectors."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from atomlens.datasets import load_dataset
from atomlens.datasets.base import Dataset
from atomlens.datasets.loading import DATA_OPTIONS
from atomlens.elements import SYMBOLS
from atomlens.elements.tables import element_table
from atomlens.errors import DatasetError, Failure, SettingsError, first_of, warn
from atomlens.models import MODELS, PropertyModel, model_class, model_config, named_model
from atomlens.models.base import ModelConfig
from atomlens.neighbors import make_builder
from atomlens.neighbors.base import GraphBuilder
from atomlens.printing import few, shown
from atomlens.settings import names_given
from atomlens.structures.arrays import StructureArrays
from atomlens.targets import Target
from atomlens.training.settings import HETEROSCEDASTIC, TrainSettings
from atomlens.training.transfer import Pretrained

CRYSTAL_CUTOFF = 6.0
"""Å; how far the distance basis reaches for data with a periodic structure, where the builder's
own limit depends on the structure."""
N_AMOUNTS = 8
"""Of a formula's amounts, which the features of its elements see. Of 24 networks fit the training
part better and the rest worse (docs/accuracy.md)."""
N_CHARGES = 17
"""Gaussians on charges that balance a formula, one on each whole charge: band gaps have a fifth
less error with them (docs/accuracy.md)."""


def as_dataset(
    data: Any,
    target: str | Sequence[str] | None,
    settings: TrainSettings,
    options: Mapping[str, Any] | None = None,
) -> Dataset:
    """Return the data set that is meant, with the chosen targets only; see `load_dataset`.

    Raises:
        DatasetError: there is no such data set or target, or it is not said which target.
        SettingsError: the target is no name.
    """
    names = names_given(target, "target")
    dataset = load_dataset(
        data, names or None, limit=settings.limit, seed=settings.seed, **(options or {})
    )
    if not dataset.targets:
        raise DatasetError(f"{dataset.name}: there is no target to learn. Name one.")
    if not names and len(dataset.targets) > 1:
        known = few(t.name for t in dataset.targets)
        raise DatasetError(
            f"{dataset.name}: say which target to learn (--target, in Python target=); there are "
            f"{known}."
        )
    if dataset.failures and not isinstance(data, Dataset):  # else whoever read it has been told
        n = len(dataset.failures)
        warn(
            f"{n} of {n + len(dataset)} samples cannot be used and are left out: "
            f"{first_of(dataset.failures)}"
        )
    return dataset


def taken_apart(overrides: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what of the arguments of a training is about its data, and what about its settings."""
    own = {f.name for f in fields(TrainSettings)}
    about_data = {k: v for k, v in overrides.items() if k in DATA_OPTIONS and k not in own}
    return about_data, {k: v for k, v in overrides.items() if k not in about_data}


def choose_builder(
    kind: type[PropertyModel], settings: TrainSettings, structures: StructureArrays
) -> GraphBuilder:
    """Return the neighbour builder: the one asked for, else the one of the model's paper.

    A model that learns from formulas as well does so if the data are nothing but formulas.
    """
    papers = [kind.default_builder]
    if kind.formula_builder is not None:
        papers.insert(0 if structures.is_formula.all() else 1, kind.formula_builder)
    name = settings.builder or papers[0][0]
    chosen = dict(dict(papers).get(name, {}))
    if settings.model_settings.get("ring_features") and name == "voronoi":
        chosen["ring_flags"] = True
    return make_builder(name, **{**chosen, **settings.builder_settings})


def check_learns(
    model: str, kind: type[PropertyModel], targets: tuple[Target, ...], structures: StructureArrays
) -> None:
    """Refuse a model of numbers where there are classes to learn.

    Raises:
        SettingsError: the model cannot learn these targets; others are named.
    """
    if kind.learns_classes or all(t.kind != "classification" for t in targets):
        return
    first = next(t for t in targets if t.kind == "classification")
    held = f" such as {shown(first.classes[0])}, which the target {first.name!r} holds"
    raise _learns_numbers(model, held, formulas=bool(structures.is_formula.any()))


def _learns_numbers(model: str, held: str = "", *, formulas: bool) -> SettingsError:
    others = [
        name
        for name in MODELS
        if MODELS[name].learns_classes and (MODELS[name].takes_formulas() or not formulas)
    ]
    return SettingsError(
        f"The model {model!r} learns numbers, not classes{held}; those that learn classes"
        f"{' of formulas' if formulas else ''} are {', '.join(others)}."
    )


def check_asked(model: Any, about_data: Mapping[str, Any]) -> None:
    """Refuse a model of numbers before anything is read, where classes are asked for.

    Raises:
        SettingsError: the model cannot learn them.
    """
    asked = about_data.get("classification") or about_data.get("classes")
    if model is None or not (asked or "classification" in (about_data.get("kinds") or {}).values()):
        return
    name, _ = named_model(model)
    if not MODELS[name].learns_classes:
        raise _learns_numbers(name, formulas=False)


def choose_config(
    model: str,
    targets: tuple[Target, ...],
    structures: StructureArrays,
    builder: GraphBuilder,
    settings: TrainSettings,
) -> ModelConfig:
    """Return the model's configuration: what the data decide, and what the user overrides.

    Raises:
        SettingsError: no such model or setting, or a model that cannot learn these targets.
        MissingDependencyError: a package that its training needs is not installed.
    """
    kind = model_class(model)
    check_learns(model, kind, targets, structures)
    kind.check_packages()
    if settings.optimizer == "muon" and kind.learns_in_steps and not kind.outer_layers:
        can = ", ".join(name for name, one in MODELS.items() if one.outer_layers)
        raise SettingsError(
            f"optimizer=muon: nobody has tried which layers of {model} it suits; choose "
            f"optimizer=adamw, or one of {can}."
        )
    known = {f.name for f in fields(kind.Config)}
    of_graphs: dict[str, Any] = {}
    if "mode" in known:
        of_graphs["mode"] = "formula" if builder.name == "formula" else "structure"
    standard = model_config(model, **{**of_graphs, **settings.model_settings})
    largest = int(structures.atomic_numbers.max(initial=0)) + 1
    decided = {
        **of_graphs,
        "n_outputs": sum(t.n_outputs for t in targets),
        "n_elements": max(standard.n_elements, largest),
        "predict_scale": settings.loss in HETEROSCEDASTIC and kind.learns_in_steps,
    }
    reasons = {
        "n_outputs": f"these targets need {decided['n_outputs']} outputs",
        "predict_scale": f"loss={settings.loss} decides whether noise is learned",
    }
    for name, reason in reasons.items():
        asked = settings.model_settings.get(name, decided[name])
        if asked != decided[name]:
            raise SettingsError(
                f"model.{name}={shown(asked)}: {reason}; leave it out, training fills it in."
            )
    if "shared" in known and any(t.is_spectrum for t in targets):
        decided["shared"] = True
    if "n_classes" in known and any(t.classes for t in targets):
        decided["n_classes"] = tuple(len(t.classes) for t in targets for _ in range(t.n_values))
    cutoff = builder.settings().get("cutoff")
    if cutoff is None and bool(structures.pbc.any()):
        cutoff = CRYSTAL_CUTOFF
    if "n_amounts" in known and decided["mode"] == "formula":
        decided["n_amounts"] = N_AMOUNTS
    if "n_charges" in known and decided["mode"] == "formula":
        decided["n_charges"] = N_CHARGES
    if "cutoff" in known and cutoff is not None:
        decided["cutoff"] = float(cutoff)
    bounds = [0.0 if t.nonnegative else None for t in targets for _ in range(t.n_outputs)]
    if "lower_bounds" in known and any(b is not None for b in bounds):
        decided["lower_bounds"] = tuple(bounds)
    grows = [t.extensive for t in targets for _ in range(t.n_outputs)]
    if "extensive" in known and any(grows):
        decided["extensive"] = tuple(grows)
    if "fractions" in known:
        # a molecule has a size; the size of a crystal's cell or of a formula is a matter of choice
        decided["fractions"] = bool((structures.is_formula | structures.pbc.any(axis=1)).all())
    shares = getattr(standard, "shares", "attention")
    if shares != "attention" and bool(structures.pbc.any()) and not all(grows):
        raise SettingsError(
            f"shares={shares}: in a crystal a target that does not grow with the number of atoms "
            "would depend on the choice of the cell; leave shares=attention."
        )
    return model_config(model, **{**decided, **settings.model_settings})


def choose_element_table(
    kind: type[PropertyModel], config: ModelConfig, pretrained: Pretrained | None
) -> NDArray[np.float32] | None:
    """(n_elements, n_features) vectors that a model starts from: those of a pretrained one, if any.

    None for a model that learns its own.

    Raises:
        MissingDependencyError: the package that has them is not installed.
    """
    name = kind.element_table_name(config)
    if not name:
        return None
    if pretrained is not None:
        given = pretrained.predictor.models[0].get_buffer("element_table")
        table: NDArray[np.float32] = given.detach().cpu().numpy()
        return table
    return element_table(name, config.n_elements)


def without_vectors(
    structures: StructureArrays, table: NDArray[np.float32] | None
) -> dict[int, Failure]:
    """Return the structures with an element whose row of the table is 0, by row, with reasons."""
    if table is None:
        return {}
    known: NDArray[np.bool_] = np.any(table, axis=1)
    unknown = ~known[structures.atomic_numbers]
    owners = np.repeat(np.arange(len(structures)), structures.n_atoms)
    failures = {}
    for row in np.unique(owners[unknown]).tolist():
        structure = structures[row]
        missing = np.unique(structure.atomic_numbers[~known[structure.atomic_numbers]])
        symbols = ", ".join(SYMBOLS[z] for z in missing)
        failures[row] = Failure(
            name=structure.name,
            message=f"{structure.name}: the table of element vectors has none for {symbols}; "
            "choose another table with --set model.element_vectors=NAME (in Python "
            'model_settings={"element_vectors": "NAME"}), or drop this row.',
        )
    return failures
