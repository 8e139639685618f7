"""Fine-tuning: a training that starts from the weights of a trained model.

The architecture and the neighbours are those of the pretrained model, and all its weights are
taken; the scaling of the targets is that of the new data. What cannot be taken is fresh, and
is said: the output layer for another number of outputs, the embeddings of elements that the
pretrained model has not learned. The pretrained model is copied into the folder of the run, so
that a resumed run needs nothing else.
"""

import os
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import numpy as np
import torch
from torch import Tensor, nn

from atomlens.datasets.base import Dataset
from atomlens.datasets.sampling import sample_rows
from atomlens.elements import SYMBOLS
from atomlens.errors import ModelError, SettingsError, TrainingError
from atomlens.models import MODELS
from atomlens.models.base import ModelConfig, PropertyModel
from atomlens.predictor import Predictor, load
from atomlens.predictor.folder import SETTINGS, TRAINING, checksum_of, read_settings
from atomlens.predictor.folder.saving import weight_bytes
from atomlens.predictor.other_units import wrong_factor
from atomlens.predictor.samples import TrainingSamples
from atomlens.predictor.trust.familiarity import kinds_of
from atomlens.printing import counted, few
from atomlens.targets import output_slices, target_places
from atomlens.training.run_folder import RUN
from atomlens.training.settings import TrainSettings
from atomlens.units import same_unit

if TYPE_CHECKING:
    from atomlens.targets import Target

PRETRAINED = "pretrained"
"""Subfolder of the states of a run: the model from which it started."""
_DECIDED_BY_DATA = {"n_outputs", "n_elements", "predict_scale", "lower_bounds", "extensive"}


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Pretrained:
    """A trained model from which another training starts."""

    name: str
    """Its folder as the user typed it, or a few words on a model in memory."""
    predictor: Predictor

    @property
    def checksum(self) -> str:
        """SHA-256 of the weights, as in the ``settings.json`` of their folder."""
        return checksum_of(weight_bytes(self.predictor))

    def adopt(
        self, model: str | None, settings: TrainSettings, dataset: Dataset
    ) -> tuple[str, TrainSettings]:
        """Return model name and settings with the architecture and neighbours filled in.

        Raises:
            SettingsError: the model cannot be fine-tuned, or a setting contradicts it.
        """
        given = self.predictor
        kind = MODELS[given.model_name]
        if not kind.learns_in_steps:
            raise SettingsError(
                f"{self.name}: a model of kind {given.model_name!r} is solved by a formula, so "
                "there is nothing to fine-tune; start from a model trained with gradient steps."
            )
        self._agree("model", model, given.model_name)
        self._agree("builder", settings.builder, given.builder.name)
        neighbours = given.builder.settings()
        for key, value in settings.builder_settings.items():
            self._agree(f"builder.{key}", value, neighbours.get(key))
        before = {key: getattr(given.config, key) for key in given.config.__dataclass_fields__}
        fixed = {key: value for key, value in before.items() if key not in _DECIDED_BY_DATA}
        for key in fixed.keys() & settings.model_settings.keys() - kind.free_settings:
            self._agree(f"model.{key}", settings.model_settings[key], fixed[key])
        rows = int(dataset.structures.atomic_numbers.max(initial=0)) + 1
        wanted = settings.model_settings.get("n_elements", 0)
        fixed["n_elements"] = max(given.config.n_elements, rows, wanted)
        return given.model_name, replace(
            settings,
            builder=given.builder.name,
            builder_settings=neighbours,
            model_settings={**fixed, **settings.model_settings, "n_elements": fixed["n_elements"]},
        )

    def _agree(self, setting: str, asked: Any, found: Any) -> None:
        """Raise a SettingsError if the user asks for something else than the model has."""
        if asked is not None and asked != found:
            raise SettingsError(
                f"{setting}={asked!r} contradicts the pretrained model {self.name}, which has "
                f"{found!r}; leave this setting out, or train from scratch."
            )


def find_pretrained(
    start_from: "Predictor | str | Path | None", settings: TrainSettings, out: Path | None
) -> Pretrained | None:
    """Return the model to start from: the copy in the folder of the run, else what is named.

    Raises:
        ModelError: there is no such model.
        SettingsError: something is to be frozen or made fresh, but there is nothing to start from.
        TrainingError: the run in ``out`` has started from another model.
    """
    if start_from is None:
        for name in ("frozen_layers", "fresh_output"):
            if getattr(settings, name):
                raise SettingsError(
                    f"{name} is for fine-tuning and needs a model to start from (--from, in "
                    "Python start_from)."
                )
        return None
    name, given = name_of(start_from), start_from if isinstance(start_from, Predictor) else None
    if out is None or not (out / TRAINING / PRETRAINED / SETTINGS).is_file():
        return Pretrained(name=name, predictor=load(str(start_from)) if given is None else given)
    kept = Pretrained(name=name, predictor=load(out / TRAINING / PRETRAINED))
    if given is None and os.path.isfile(Path(name) / SETTINGS):
        given = load(name)
    if given is not None and kept.checksum != Pretrained(name=name, predictor=given).checksum:
        raise TrainingError(
            f"{out}: the training in this folder started from another model; resume with that "
            "one, or give another folder."
        )
    return kept


def name_of(start_from: "Predictor | str | Path") -> str:
    """Return what the model to start from is called in settings, messages and model card."""
    if not isinstance(start_from, Predictor):
        return str(start_from)
    learned = few(t.name for t in start_from.targets)
    return f"a {start_from.model_name} model in memory ({learned})"


def keep_pretrained(pretrained: Pretrained, out: Path) -> None:
    """Copy the model to start from into the folder of a run that begins."""
    folder = out / TRAINING
    if not (folder / RUN).is_file():
        record = replace(pretrained.predictor.record, split={}, history=(), failures=())
        replace(pretrained.predictor, record=record).save(folder / PRETRAINED)


def recorded_names(start_from: str, out: Path | None) -> tuple[str, str] | None:
    """Return the names of model and builder of a model to start from; None if it is nowhere."""
    places = [] if out is None else [out / TRAINING / PRETRAINED]
    for folder in (*places, Path(start_from)):
        if (folder / SETTINGS).is_file():
            content = read_settings(folder)
            return str(content["model"]["name"]), str(content["builder"]["name"])
    return None


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """What each member takes from the pretrained model."""

    weights: tuple[dict[str, Tensor], ...]
    """Of each pretrained member; member i starts from number i modulo their number."""
    new_elements: tuple[int, ...]
    """Atomic numbers whose embeddings are fresh."""
    output_rows: tuple[tuple[int, int], ...]
    """Rows of the output layer that are taken: to which, from which; the others are fresh."""
    n_frozen_layers: int
    earlier: TrainingSamples | None
    """What the pretrained model learned from, by content."""
    made_geometries: bool | None
    """Whether coordinates that it learned from were made here; None if unknown."""
    as_asked: tuple[str, ...]
    """Sentences on what somebody asked for."""
    doubts: tuple[str, ...]
    """Sentences on all else that is fresh, left out or taken for something else."""
    origin: dict[str, Any]
    """For the record: name, model, targets and weights_sha256 of the pretrained model, and
    ``notes``, a sentence on everything that was not simply taken."""

    @classmethod
    def plan(
        cls, pretrained: Pretrained, config: ModelConfig, dataset: Dataset, settings: TrainSettings
    ) -> "Transfer":
        """Decide what is taken and what is fresh.

        Raises:
            SettingsError: more layers are to be frozen than there are.
        """
        source = pretrained.predictor
        learned = not source.models[0].element_table_name(source.config)
        present = np.unique(dataset.structures.atomic_numbers).tolist()
        new = _new_elements(source, present if learned else ())
        output_rows, about_output = _output_rows(source, config, dataset.targets, settings)
        asked = [*(about_output if settings.fresh_output else ()), *_about_settings(source, config)]
        doubts = [*_about_elements(new), *(() if settings.fresh_output else about_output)]
        frozen = settings.frozen_layers
        if frozen:
            source.models[0].frozen_parts(frozen)  # refuses too many before any work is done
            what = "The first layer" if frozen == 1 else f"The first {frozen} layers"
            rest = "everything before it" if frozen == 1 else "everything before them"
            but = _but_tables(new, source)
            (doubts if but else asked).append(f"{what} and {rest} are frozen{but}.")
        members = [model for model in source.models if model.config == source.config]
        n_given, about = len(members), source.record.about
        if n_given < len(source.models):
            doubts.append(
                f"The pretrained model is an ensemble of {len(source.models)} of unlike settings, "
                f"of which those like the first ({n_given}) can be used."
            )
        if n_given > settings.ensemble:
            used = "is" if settings.ensemble == 1 else f"{settings.ensemble} are"
            alike = "" if n_given == len(source.models) else " alike"
            doubts.append(
                f"The pretrained model is an ensemble of {n_given}{alike}, of which the first "
                f"{used} used; --ensemble {n_given} (in Python ensemble={n_given}) goes on with "
                "all."
            )
        return cls(
            weights=tuple(
                {name: t.detach().cpu().clone() for name, t in model.state_dict().items()}
                for model in members
            ),
            new_elements=new,
            output_rows=output_rows,
            n_frozen_layers=frozen,
            earlier=source.record.samples,
            made_geometries=source.record.made_geometries,
            as_asked=tuple(asked),
            doubts=tuple(doubts),
            origin=({} if about is None else {"licence": about.licence})
            | {
                "name": pretrained.name,
                "model": source.model_name,
                "targets": [t.name for t in source.targets],
                "weights_sha256": pretrained.checksum,
                "notes": [*doubts, *asked],
            },
        )

    @torch.no_grad()
    def apply(self, model: PropertyModel, member: int) -> None:
        """Give a fresh member the pretrained weights, and freeze what shall not change."""
        given = self.weights[member % len(self.weights)]
        state = model.state_dict()
        for name, own in state.items():
            if name in model.element_tables:
                new = torch.tensor(self.new_elements, dtype=torch.long)
                rows = torch.arange(len(given[name]))
                rows = rows[~torch.isin(rows, new)]
            elif name.rpartition(".")[0] in model.output_layers:
                for to, origin in self.output_rows:
                    if to < len(own) and origin < len(given[name]):  # noise may stand elsewhere
                        own[to] = given[name][origin]
                continue
            elif name.rpartition(".")[0] in model.output_blocks:
                self._take_blocks(model, own, given.get(name))
                continue
            elif own.shape != given[name].shape:
                raise ModelError(
                    f"{self.origin['name']}: {name} has shape {tuple(given[name].shape)} and "
                    f"must have {tuple(own.shape)}; the model cannot be fine-tuned."
                )
            else:
                own.copy_(given[name])
                continue
            own[rows] = given[name][rows]
        if self.n_frozen_layers:
            for part in model.frozen_parts(self.n_frozen_layers):
                part.requires_grad_(False)
            if self.new_elements:
                for table in model.element_tables:
                    model.get_parameter(table).requires_grad_(True)

    def _take_blocks(self, model: PropertyModel, own: Tensor, given: Tensor | None) -> None:
        """Take what belongs to outputs that stay: one block of rows each."""
        if given is None:
            return
        width = len(own) // model.config.n_outputs
        for to, origin in self.output_rows:
            if to < model.config.n_outputs and (origin + 1) * width <= len(given):
                own[to * width : (to + 1) * width] = given[origin * width : (origin + 1) * width]


def train_mode(model: nn.Module) -> None:
    """Switch training behaviour on, except inside parts all of whose weights are frozen.

    So a frozen part has no dropout, and its running statistics, if it has any, stay.
    """
    model.train()
    for module in model.modules():
        weights = list(module.parameters())
        if weights and not any(p.requires_grad for p in weights):
            module.eval()


def _new_elements(source: Predictor, present: Iterable[int]) -> tuple[int, ...]:
    """Return the elements without a learned embedding; an import knows only its table."""
    known = set(source.elements) or set(range(source.config.n_elements))
    known &= set(range(source.config.n_elements))
    return tuple(z for z in present if z not in known)


def about_kinds(pretrained: Pretrained, dataset: Dataset) -> list[str]:
    """Return what of the structures a pretrained model does not see, or has not learned of."""
    source, new = pretrained.predictor, set(kinds_of(dataset.structures))
    if not source.builder.needs_positions:
        n = int((~dataset.structures.is_formula).sum())
        if not n or "formula" not in source.kinds:
            return []
        of = counted(n, "structure")
        return [
            f"{pretrained.name} looks at formulas alone, so of {of} with places of atoms nothing "
            "else is learned from, and two of one formula are the same to it; start from a "
            "model of structures if the places matter."
        ]
    known = source.kinds
    strange = sorted(new - set(known) - {"formula"})
    if not known or not strange:
        return []
    had = " and ".join(f"{kind}s" for kind in known)
    return [
        f"{pretrained.name} has learned from {had} only, and the data have "
        f"{' and '.join(f'{kind}s' for kind in strange)}: what it knows may help little; compare "
        "with a training from scratch."
    ]


_ASKED = 64
"""Structures that a pretrained model predicts to see whether values are in the unit it knows."""


def about_sizes(pretrained: Pretrained, dataset: Dataset) -> Iterator[str]:
    """Yield a sentence on each target whose values have other sizes than the model predicts.

    Asked are targets of one number that are called the same in both, in the same unit as far as
    both name one.
    """
    source = pretrained.predictor
    known = {t.name.lower(): t for t in source.targets if _is_number(t)}
    pairs = [
        (own, known[own.name.lower()])
        for own in dataset.targets
        if own.name.lower() in known and _is_number(own)
    ]
    pairs = [
        (own, before)
        for own, before in pairs
        if own.extensive == before.extensive
        and (not own.unit or not before.unit or same_unit(own.unit, before.unit))
    ]
    if not pairs:
        return
    asked = dataset.subset(sample_rows(len(dataset), _ASKED, 0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what may be wrong with each is no matter here
        prediction = source.predict(asked.structures)
    theirs = target_places(source.targets)
    ours = target_places(dataset.targets)
    for own, before in pairs:
        said = wrong_factor(
            asked.values[:, ours[own].start], prediction.values[:, theirs[before].start]
        )
        if said:
            yield (
                f"{own.name}: {pretrained.name} predicts it"
                f"{f' in {before.unit}' if before.unit else ''} before any training here, and "
                f"{said}. Errors of the fine-tuned model are in whatever unit these are."
            )


def _is_number(target: "Target") -> bool:
    return target.kind == "regression" and not target.is_spectrum


def _about_elements(new: tuple[int, ...]) -> list[str]:
    if not new:
        return []
    symbols = ", ".join(SYMBOLS[z] for z in new)
    gets = "gets a fresh embedding" if len(new) == 1 else "get fresh embeddings"
    return [f"The pretrained model has not learned {symbols}, which {gets}."]


def _but_tables(new: tuple[int, ...], source: Predictor) -> str:
    tables = bool(new) and bool(source.models[0].element_tables)
    return ", but not the embeddings, as some are fresh" if tables else ""


def _output_rows(
    source: Predictor, config: ModelConfig, targets: "tuple[Target, ...]", settings: TrainSettings
) -> tuple[tuple[tuple[int, int], ...], list[str]]:
    """Return which rows of the output layer are taken from where, and what is to be said.

    Outputs are matched by the names of targets and classes, and by the points of a grid; where
    both models have a single number, it is also taken under another name, if its unit is the same
    or somebody asks for it. The rows are the values and then, with ``predict_scale``, as many
    logarithms of the noise.
    """
    before, now = source.config, config
    if settings.fresh_output:
        return (), ["The output layer is fresh, as asked for."]
    take_any = settings.fresh_output is False
    pairs, notes = _matched_outputs(source.targets, targets, take_any=take_any)
    if not pairs:
        return (), notes
    if before.predict_scale and now.predict_scale:
        pairs += [(to + now.n_outputs, origin + before.n_outputs) for to, origin in pairs]
    elif now.predict_scale:
        notes.append(
            f"The log-scale outputs are fresh: loss={settings.loss} needs the noise of every "
            "prediction, which the pretrained model does not predict."
        )
    elif before.predict_scale:
        notes.append(f"The log-scale outputs are left out: loss={settings.loss} does not use them.")
    return tuple(pairs), notes


def _matched_outputs(
    given: "tuple[Target, ...]", wanted: "tuple[Target, ...]", *, take_any: bool
) -> tuple[list[tuple[int, int]], list[str]]:
    """Return pairs of outputs, own and given, and sentences on those that are fresh.

    ``take_any``: a single number is taken for another, whatever the two are.
    """
    named = {t.name: (t, p) for t, p in zip(given, output_slices(given), strict=True)}
    single = [t.name for t in given if t.kind == "regression" and not t.is_spectrum]
    pairs: list[tuple[int, int]] = []
    notes: list[str] = []
    fresh: list[str] = []
    for target, place in zip(wanted, output_slices(wanted), strict=True):
        number = target.kind == "regression" and not target.is_spectrum
        if target.name not in named and number and len(wanted) == len(given) == len(single) == 1:
            if take_any or _of_one_unit(given[0], target):
                pairs.append((0, 0))
                another = (
                    ""
                    if take_any
                    else "; if that is another property, say --fresh-output (in Python "
                    "fresh_output=True)"
                )
                notes.append(f"The output of {single[0]} is taken for {target.name}{another}.")
                notes += _about_units(given[0], target)
            else:
                both = given[0].unit and target.unit
                apart = "name and unit" if both else "name"
                unknown = "" if both else " and their units are not both known"
                notes.append(
                    f"The output layer is fresh: {target.name} has another {apart} than "
                    f"{single[0]}, which the pretrained model predicts{unknown}; if both are the "
                    "same, say --set fresh_output=false (in Python fresh_output=False)."
                )
            continue
        before, origin = named.get(target.name, (None, slice(0)))
        if before is None:
            fresh.append(f"{target.name} (not learned before)")
            continue
        keys, known = _output_keys(target), _output_keys(before)
        found = {key: origin.start + i for i, key in enumerate(known)}
        taken = [(place.start + i, found[key]) for i, key in enumerate(keys) if key in found]
        pairs += taken
        notes += _about_units(before, target) if taken else []
        if not taken:
            why = "classes take the place of numbers, or numbers theirs"
            if target.kind == before.kind:
                why = "it has other classes" if target.classes else "it has another grid"
            fresh.append(f"{target.name} ({why})")
        elif len(taken) < len(keys):
            fresh.append(f"{len(keys) - len(taken)} of the {len(keys)} outputs of {target.name}")
    if fresh and not pairs:
        notes.append(f"The output layer is fresh: {few(fresh)}.")
    elif fresh:
        notes.append(f"Some outputs are fresh: {few(fresh)}.")
    return pairs, notes


def _of_one_unit(before: "Target", now: "Target") -> bool:
    """Say whether both targets name a unit, and the same one."""
    return bool(before.unit and now.unit) and same_unit(before.unit, now.unit)


def _about_units(before: "Target", now: "Target") -> list[str]:
    """Return what is to be said of the units of an output that is taken."""
    if not before.unit or same_unit(before.unit, now.unit):
        return []
    if now.unit:
        return [f"{before.name} was learned in {before.unit} and is learned in {now.unit} now."]
    return [
        f"{before.name} was learned in {before.unit}; the new data name no unit (--unit, in Python "
        "unit)."
    ]


def _about_settings(source: Predictor, config: ModelConfig) -> list[str]:
    """Return what of the settings that may differ does, in words."""
    free = sorted(MODELS[source.model_name].free_settings - _DECIDED_BY_DATA)
    pairs = [(key, getattr(source.config, key), getattr(config, key)) for key in free]
    changed = [f"{key} {now!r} ({before!r} before)" for key, before, now in pairs if now != before]
    return [f"Other settings than before: {', '.join(changed)}."] if changed else []


def _output_keys(target: "Target") -> list[Any]:
    """Return what each output of a target means; equal keys mean the same."""
    if target.kind == "classification":
        return [("class", name) for name in target.classes]
    if target.is_spectrum:
        return [("point", round(point, 9)) for point in target.grid]
    return ["number"]
