"""What is refused or said of the data before a training begins; of idle settings, `idle`."""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from atomlens.datasets.base import Dataset
from atomlens.datasets.geometries import in_other_geometry
from atomlens.datasets.polymorphs import about_shared_formulas
from atomlens.datasets.splits import WITH_SIZES, Split
from atomlens.datasets.tables.target_doubts import over_decades
from atomlens.datasets.totals import (
    doubts_about_sizes,
    looks_like_totals,
    partly_sums,
    taken_as_totals,
)
from atomlens.errors import DatasetError, SettingsError
from atomlens.models import MODELS, PropertyModel
from atomlens.neighbors.base import GraphBuilder
from atomlens.neighbors.handedness import handedness
from atomlens.predictor.judged_data import about_unknown
from atomlens.predictor.samples import PARTS, UNKNOWN
from atomlens.printing import counted
from atomlens.structures.arrays import StructureArrays
from atomlens.targets import LARGEST_VALUE, Target, value_slices
from atomlens.targets.scaling import TargetScaling
from atomlens.training.data import TrainingData
from atomlens.training.settings import TrainSettings
from atomlens.training.transfer import Pretrained

Tell = Callable[[str], None]


class Teller(Protocol):
    """Hears what is said before a training."""

    def message(self, text: str) -> None:
        """Hear what is done, and how."""

    def warning(self, text: str) -> None:
        """Hear what may make the model, or what is measured of it, worse than it looks."""


def check_values(dataset: Dataset) -> None:
    """Refuse values that contradict what is said of their target.

    Raises:
        DatasetError: a nonnegative target has values below zero, or one is beyond all measure.
    """
    for target, place in zip(dataset.targets, value_slices(dataset.targets), strict=True):
        beyond = np.flatnonzero((np.abs(dataset.values[:, place]) > LARGEST_VALUE).any(axis=1))
        if len(beyond):
            raise DatasetError(
                f"{dataset.name}: {target.name!r} of {dataset.structures.names[int(beyond[0])]} is "
                f"larger than {LARGEST_VALUE:g}, which no measured value is; correct it."
            )
        if not target.nonnegative:
            continue
        below = np.flatnonzero((dataset.values[:, place] < 0).any(axis=1))
        if len(below):
            row = int(below[0])
            raise DatasetError(
                f"{dataset.name}: {target.name!r} is said to be never below zero, but "
                f"{len(below)} of {len(dataset)} values are, for example that of "
                f"{dataset.structures.names[row]} ({np.nanmin(dataset.values[row, place]):g}); "
                "correct them, or leave out --nonnegative (in Python nonnegative)."
            )


def check_builder(model: str, config: Any, builder: GraphBuilder) -> None:
    """Refuse neighbours whose meaning the model does not read.

    Raises:
        SettingsError: formulas for a model that knows no amounts, neighbours or ring flags for one
            that leaves them unread.
    """
    if builder.name == "formula" and not MODELS[model].takes_formulas():
        known = ", ".join(sorted(name for name, kind in MODELS.items() if kind.takes_formulas()))
        raise SettingsError(
            f"The model {model!r} does not read amounts, so Fe2O3 and Fe3O4 would be the same to "
            f"it: builder=formula is for {known}."
        )
    if builder.name != "formula" and not MODELS[model].reads_neighbours:
        raise SettingsError(
            f"builder={builder.name}: the model {model!r} reads which atoms there are and no "
            "neighbours; leave it out."
        )
    if getattr(builder, "ring_flags", False) and not getattr(config, "ring_features", False):
        raise SettingsError(
            f"builder.ring_flags=true is for models that read them (model.ring_features=true); "
            f"{model!r} does not. Leave it out."
        )


def tell_about_data(
    dataset: Dataset,
    split: Split,
    kind: type[PropertyModel],
    settings: TrainSettings,
    config: Any,
    said: Teller,
) -> None:
    """Say what of the data is not used, or used in a way that one may not expect."""
    n_empty = len(dataset.without_value)
    if n_empty:
        names = " and ".join(t.name for t in dataset.targets)
        said.warning(
            f"{n_empty} of {n_empty + len(dataset) + len(dataset.failures)} rows have no value of "
            f"{names} and are not used."
        )
    for remark in split.remarks:
        said.warning(remark)
    n_free = len(dataset) - sum(len(getattr(split, part)) for part in PARTS)
    if n_free and settings.split.partition(":")[0] not in WITH_SIZES:
        said.warning(
            f"{n_free} of {len(dataset)} samples are in no part of the split and are not used."
        )
    is_judged = any(len(getattr(split, part)) for part in _JUDGED)
    is_random = settings.split.startswith("random") and is_judged
    if is_random and dataset.structures.is_formula.all():
        remark = about_shared_formulas(dataset)
        if remark:
            said.warning(remark)
    unasked = set(taken_as_totals(dataset, unasked=True))
    for sentence in taken_as_totals(dataset):
        (said.warning if sentence in unasked else said.message)(sentence)
    parts: list[str] = []
    if kind.learns_in_steps and getattr(config, "shares", "") != "gates":
        parts += partly_sums(dataset)
    for sentence in (*looks_like_totals(dataset), *parts, *doubts_about_sizes(dataset)):
        said.warning(sentence)
    _tell_unused_split(dataset, settings, said)
    for target, place in zip(dataset.targets, value_slices(dataset.targets), strict=True):
        if target.n_values == 1:
            for sentence in _gaps_of_parts(dataset, split, target, place.start):
                said.warning(sentence)
            if target.classes:
                stratified = settings.split.startswith("stratified")
                for sentence in _unjudged_classes(dataset, split, target, place.start, stratified):
                    said.warning(sentence)
    _tell_signs(dataset, kind, said)
    _tell_missing_charges(dataset, config, said.warning)
    _tell_doubtful(dataset, said)


_LOSS = re.compile(
    r"(eps|epsilon|permittivity|dielectric).*im|im.*(eps|epsilon|permittivity|dielectric)"
    r"|^k$|kappa|extinction|absor",
    re.IGNORECASE,
)
"""Names of what says how much light is lost, which is not below zero in a passive material."""


def _tell_signs(dataset: Dataset, kind: type[PropertyModel], said: Teller) -> None:
    """Say where losses of light have the other sign, or could be kept from getting it."""
    for target, place in zip(dataset.targets, value_slices(dataset.targets), strict=True):
        if target.nonnegative or target.classes or not _LOSS.search(target.name):
            continue
        values = dataset.values[:, place]
        known = values[np.isfinite(values)]
        if not len(known) or not known.any():
            continue
        if known.max() <= 0:
            said.warning(
                f"Every value of {target.name} is below zero or zero. If it is a loss, it was "
                "written with the other sign of time (exp(+iωt)): change the sign of the column, "
                "as `study enz` and the other tables take losses as positive."
            )
        elif known.min() >= 0 and target.is_spectrum and kind.learns_in_steps:
            said.message(
                f"No value of {target.name} is below zero; --nonnegative (for all targets; in "
                f"Python nonnegative=[{target.name!r}]) keeps the predictions so."
            )


def _tell_doubtful(dataset: Dataset, said: Teller) -> None:
    """Say how many structures were read with a warning, with an example if no reader gave one."""
    doubtful = [s for s in dataset.structures if s.warnings] if dataset.structures.warnings else []
    if not doubtful:
        return
    first = doubtful[0]
    if not any(first.warnings[0] in remark for remark in dataset.remarks):
        said.warning(
            f"{len(doubtful)} of {len(dataset)} structures were read with a warning, for example "
            f"{first.name}: {first.warnings[0]}. All of them are in warnings.json of the model."
        )
    elif len(doubtful) > 1:
        said.message(
            f"The {len(doubtful)} structures of {len(dataset)} that were read with a warning are "
            "in warnings.json of the model."
        )


def _tell_unused_split(dataset: Dataset, settings: TrainSettings, said: Teller) -> None:
    """Say that a table has parts of its own where nobody said how to divide it."""
    own = next((h for h in dataset.columns if h.strip().lower() == "split"), None)
    if own is None or not dataset.splits or settings.split != TrainSettings().split:
        return
    said.warning(
        f"The column {own!r} says which samples are for training and testing; nobody asked for it, "
        'so they are divided at random. --split source (in Python split="source") takes its parts.'
    )


def _gaps_of_parts(dataset: Dataset, split: Split, target: Target, column: int) -> Iterator[str]:
    """Yield what one part of a split lacks to learn a target, to judge it, or to tell its classes.

    Args:
        dataset: What is divided.
        split: Its parts.
        target: One with a single value.
        column: Where its values stand.
    """
    found: dict[str, NDArray[np.float64]] = {}
    for part in PARTS:
        values = dataset.values[getattr(split, part), column]
        found[part] = values[np.isfinite(values)]
    learned = found["train"]
    if target.extensive:
        known = np.isfinite(dataset.values[split.train, column])
        learned = learned / np.maximum(dataset.structures.n_atoms[split.train][known], 1)
    if len(learned) == 1:
        yield (
            f"Only one value of {target.name} is in the training part, so there is nothing to "
            "learn about it."
        )
    elif len(learned) and np.ptp(learned) == 0:
        value = target.classes[int(learned[0])] if target.classes else f"{learned[0]:g}"
        each = " per atom" if target.extensive else ""
        yield (
            f"Every value of {target.name} in the training part is {value}{each}, so there is "
            "nothing to learn about it."
        )
    empty = [part for part in PARTS[1:] if len(getattr(split, part)) and not len(found[part])]
    if empty and len(learned):
        yield (
            f"No value of {target.name} is in the {' and in the '.join(empty)} part, so nothing is "
            "known of its error there; another --seed (in Python seed) or a split file puts some "
            "there."
        )
    judged = np.concatenate([found[part] for part in PARTS[1:]])
    unseen = [n for n in np.unique(judged[~np.isin(judged, learned)]) if target.classes]
    if unseen:
        n_missed = int(np.isin(judged, unseen).sum())
        names = [target.classes[int(n)] for n in unseen]
        yield (
            f"No sample of the training part is of {_called(names)} of {target.name}, and "
            f"{n_missed} of the others are: the model never says "
            f"{'it' if len(names) == 1 else 'them'}. {_STRATIFIED}"
        )


_STRATIFIED = (
    '--split stratified:.8/.1/.1 (in Python split="stratified:.8/.1/.1") has the classes of the '
    "first target in all parts, where there are enough."
)
_FEWEST_FOR_PARTS = 3
"""Samples of a class that a split can give to all parts."""


def _called(names: Sequence[str]) -> str:
    """Return which class is meant, or how many and which."""
    if len(names) == 1:
        return f"class {names[0]}"
    return f"{len(names)} classes ({', '.join(names[:3])}{' ...' if len(names) > 3 else ''})"


def _unjudged_classes(
    dataset: Dataset, split: Split, target: Target, column: int, stratified: bool
) -> Iterator[str]:
    """Yield a sentence on classes that are learned and that no part, or not the test part, judges.

    Args:
        dataset: What is divided.
        split: Its parts.
        target: One that has classes.
        column: Where their numbers stand.
        stratified: Whether the split already cares for classes.
    """
    counts = {}
    for part in PARTS:
        values = dataset.values[getattr(split, part), column]
        known = values[np.isfinite(values)].astype(np.int64)
        counts[part] = np.bincount(known, minlength=len(target.classes))
    learned, judged = counts["train"], counts["validation"] + counts["test"]
    if judged.any():
        alone = np.flatnonzero((learned > 0) & (judged == 0))
        names = [target.classes[n] for n in alone.tolist()]
        if names:
            n = int(learned[alone].sum())
            helps = not stratified and bool((learned[alone] >= _FEWEST_FOR_PARTS).any())
            yield (
                f"{_called(names)} of {target.name} {'have' if len(names) > 1 else 'has'} "
                f"{counted(n, 'sample')}, none in the validation or test part: what the model says "
                f"of {'them' if len(names) > 1 else 'it'} is not tested."
                f"{f' {_STRATIFIED}' if helps else ''}"
            )
    if counts["test"].any():
        untested = np.flatnonzero(
            (counts["validation"] > 0) & (learned > 0) & (counts["test"] == 0)
        )
        names = [target.classes[n] for n in untested.tolist()]
        if names:
            yield (
                f"No sample of the test part is of {_called(names)} of {target.name}, so its "
                f"figures say nothing of finding {'them' if len(names) > 1 else 'it'}."
                f"{'' if stratified else f' {_STRATIFIED}'}"
            )


def _tell_missing_charges(dataset: Dataset, config: Any, tell: Tell) -> None:
    """Say which structures a model that reads partial charges takes as uncharged."""
    if getattr(config, "charges", "none") == "none":
        return
    missing = [s.name for s in dataset.structures if s.charges is None]
    if missing:
        tell(
            f"Partial charges, which this model reads, are missing in {len(missing)} of "
            f"{len(dataset)} structures, for example {missing[0]}; they are taken as 0. CIF files "
            "hold them as _atom_site_charge; model.charges=none does without."
        )


_ENOUGH = 4
"""Structures with several values of which it can be said how far those differ."""
_OF_THE_SPREAD = 0.01
"""Of a target's standard deviation; values of one structure that are nearer are replicates."""


def _tell_contradictions(data: TrainingData, tell: Tell) -> None:
    """Say which structures stand in several rows with values that differ, whatever their part."""
    dataset = data.dataset
    rows = np.concatenate([getattr(data.split, part) for part in PARTS])
    _, group, sizes = np.unique(
        data.samples.structures[: len(rows)], return_inverse=True, return_counts=True
    )
    if sizes.max(initial=0) < 2:
        return
    for target, place in zip(dataset.targets, value_slices(dataset.targets), strict=True):
        if target.n_values > 1:
            continue
        values = dataset.values[rows, place.start]
        if target.extensive:  # of two cells of one crystal the larger has more
            values = values / np.maximum(dataset.structures.n_atoms[rows], 1)
        known = np.flatnonzero(np.isfinite(values))
        by_ratio = target.kind == "regression" and over_decades(values[known])
        if by_ratio:  # 15 and 528 nM differ by more than 321 and 429 uM
            values = np.log10(np.maximum(values, np.nanmin(values[values > 0])))
        lowest, highest = np.full(len(sizes), np.inf), np.full(len(sizes), -np.inf)
        np.minimum.at(lowest, group[known], values[known])
        np.maximum.at(highest, group[known], values[known])
        apart = np.where(highest >= lowest, highest - lowest, 0.0)
        differing = apart > _OF_THE_SPREAD * float(np.std(values[known]))
        if not differing.any():
            continue
        worst = int(apart.argmax())
        names = [dataset.structures.names[row] for row in rows[group == worst][:3].tolist()]
        unit = f"{target.unit}/atom" if target.extensive else target.unit
        ends = [float(10 ** end[worst] if by_ratio else end[worst]) for end in (lowest, highest)]
        shown = [target.classes[int(e)] if target.classes else f"{e:g} {unit}" for e in ends]
        said = (
            f"{int(differing.sum())} structure(s) stand in several rows with different values of "
            f"{target.name}, for example {', '.join(names)}: {shown[0].strip()} and "
            f"{shown[1].strip()}. "
        )
        if int(differing.sum()) >= _ENOUGH and not target.classes:
            half, all_of = float(np.median(apart[differing])), float(np.std(values[known]))
            if by_ratio:
                told = (
                    f"a factor of {10**half:.3g} or more (that of all values is {10**all_of:.3g})"
                )
            else:
                told = f"{half:.3g} {unit}".strip() + " or more"
                told += f" (the standard deviation of all values is {all_of:.3g})"
            said += f"Half of them differ by {told}. "
        n_mirrored = _mirrored(dataset, rows, group, differing)
        if n_mirrored == int(differing.sum()):
            tell(
                f"{said}The rows are mirror images of each other (enantiomers), and no model here "
                "sees the hand of a molecule: it can give one value only, so keep one hand, or "
                "learn what both have in common."
            )
            continue
        tell(
            f"{said}A model reads the structure alone and can give one of them only; keep one row "
            "each, such as those of one temperature or method."
            + (
                f" The rows of {n_mirrored} of them are mirror images, whose hand no model here "
                "sees."
                if n_mirrored
                else ""
            )
        )


def _mirrored(
    dataset: Dataset,
    rows: NDArray[np.int64],
    group: NDArray[np.int64],
    chosen: NDArray[np.bool_],
) -> int:
    """Return how many of the chosen groups hold molecules of both hands.

    Args:
        dataset: The samples.
        rows: (n,) which of them.
        group: (n,) the group of each.
        chosen: (n_groups,) those that are looked at.
    """
    asked = np.flatnonzero(chosen[group])
    hands = handedness(dataset.structures.subset(rows[asked]))
    left, right = (set(group[asked][hands == sign].tolist()) for sign in (-1, 1))
    return len(left & right)


_ROWS_FOR_SUMS = 30


def tell_about_parts(
    data: TrainingData,
    kind: type[PropertyModel],
    n_failed_before: int,
    settings: TrainSettings,
    pretrained: Pretrained | None,
    said: Teller,
) -> None:
    """Say which structures have no graph, and which are judged that were learned from."""
    lost = len(data.failures) - n_failed_before
    if lost:
        example = data.failures[-1]
        said.warning(
            f"{lost} of {lost + len(data.dataset)} structures have no graph and are left out, for "
            f"example {example.name}: {example.message}"
        )
    if pretrained is not None:
        _tell_learned_before(data, pretrained, said)
    if data.dataset.structures.is_formula.all() and about_shared_formulas(data.dataset):
        if settings.split.startswith("random"):
            return  # said before
    else:
        _tell_contradictions(data, said.warning)
    samples = data.samples
    trained = samples.structures[samples.parts == 0]
    for part in _JUDGED:
        own = samples.structures[samples.parts == PARTS.index(part)]
        shared = np.isin(own, trained)
        if shared.any():
            row = getattr(data.split, part)[int(np.flatnonzero(shared)[0])]
            said.warning(
                f"{int(shared.sum())} of {len(own)} samples of the {part} part have their "
                f"structure in the training part too, in another row (for example "
                f"{data.dataset.structures.names[row]}), so the error there is too small for new "
                "structures. Use --split composition:.8/.1/.1, which keeps them together (of a "
                'cross-validation --by composition; in Python split="composition:.8/.1/.1" and '
                'by="composition").'
            )
            break

    _tell_other_geometries(data, said)
    if kind.learns_in_steps and settings.reference == "none":
        for sentence in sums_over_elements(data.dataset, data.split):
            said.warning(sentence)


_NEARLY_ALL, _ROWS_AN_ELEMENT = 0.96, 5
"""Share of the variance of values per atom, and training rows that an element's number takes."""


def sums_over_elements(dataset: Dataset, split: Split) -> Iterator[str]:
    """Yield a sentence on each extensive target that is nearly a sum over its elements.

    A network learns such sums slowly, and all else in their shadow.
    """
    structures = dataset.structures.subset(split.train)
    n_elements = len(np.unique(structures.atomic_numbers))
    if len(structures) < max(_ROWS_AN_ELEMENT * n_elements, _ROWS_FOR_SUMS):
        return
    for target, place in zip(dataset.targets, value_slices(dataset.targets), strict=True):
        if not target.extensive or target.nonnegative or target.n_values > 1:
            continue
        values = dataset.values[split.train][:, place]
        if not np.isfinite(values).any():
            continue
        plain, rest = (
            TargetScaling.fit((target,), values, structures, reference=reference).stds[0]
            for reference in ("none", "elements")
        )
        explained = 1 - (rest / plain) ** 2
        if explained > _NEARLY_ALL:
            yield (
                f"{target.name}: a sum over elements explains {_per_cent(explained)} of its "
                "variance, which would be learned slowly; reference=elements (--set "
                'reference=elements, in Python reference="elements") takes it away first, and '
                "errors are often half as large."
            )


def _per_cent(share: float) -> str:
    """Return a share near one without calling it all."""
    return f"{min(100 * share, 99.9):.1f} %"


def _tell_other_geometries(data: TrainingData, said: Teller) -> None:
    """Say how many of the samples that are judged are conformers, frames or strained cells."""
    structures, samples = data.dataset.structures, data.samples
    train = data.split.train
    known = samples.structures[samples.parts == 0]
    for part in _JUDGED:
        rows = getattr(data.split, part)
        own = samples.structures[samples.parts == PARTS.index(part)]
        found = in_other_geometry(structures, train, rows)
        if len(own) == len(rows):  # the same geometry is told above
            found &= ~np.isin(own, known)
        if found.sum() <= _FEW_GEOMETRIES * len(rows):
            continue
        said.warning(
            f"{int(found.sum())} of {len(rows)} samples of the {part} part are other geometries of "
            f"a structure in the training part, such as conformers, frames or strained cells (for "
            f"example {structures.names[rows[int(np.flatnonzero(found)[0])]]}), so the error there "
            f"is too small for new structures. {_GEOMETRIES_TOGETHER[_is_one(structures)]}"
        )
        return


def _is_one(structures: StructureArrays) -> bool:
    """Say whether all structures have the same elements in the same order."""
    if np.ptp(structures.n_atoms):
        return False
    numbers = structures.atomic_numbers.reshape(len(structures), -1)
    return bool((numbers == numbers[:1]).all())


_GEOMETRIES_TOGETHER = (
    "Use --split composition:.8/.1/.1 or group:COLUMN:.8/.1/.1, which keep them together (of a "
    "cross-validation --by composition or --by group:COLUMN; in Python the words are the same, "
    'split="composition:.8/.1/.1" and by="composition").',
    "All samples have the same atoms, so a split by composition cannot keep them apart: test on "
    "frames of another time (--split time:COLUMN:.8/.1/.1, in Python "
    'split="time:COLUMN:.8/.1/.1") or on other structures.',
)
"""What to do, and what if there is but one structure."""


_FEW_GEOMETRIES = 0.05
"""Of a part; so many stereoisomers of known molecules do not make its error much smaller."""
_JUDGED = {
    "test": ("train", "pretraining", "validation"),
    "validation": ("train", "pretraining"),
}
"""Parts on which errors are measured, and the parts of a pretraining that make them too small:
whoever keeps the split of the pretraining still has the validation part to choose epochs by."""


def _tell_learned_before(data: TrainingData, pretrained: Pretrained, said: Teller) -> None:
    """Say how many of the samples that are judged the model knows from its pretraining."""
    for part, known in _JUDGED.items():
        rows = getattr(data.split, part)
        seen = pretrained.predictor.seen_in(data.dataset.structures.subset(rows))
        if pretrained.predictor.record.samples is None and UNKNOWN in seen:
            said.warning(
                f"{pretrained.name} does not say which structures it learned from, so whether "
                "some of the test part were among them is unknown."
            )
            return
        n_unknown = seen.count(UNKNOWN)
        if n_unknown:
            said.warning(
                f"{part} part: {about_unknown(pretrained.name, n_unknown, len(rows))} If it has, "
                "the error there is too small for new ones."
            )
        shared = np.flatnonzero(np.isin(seen, known))
        if n_unknown and not len(shared):
            return
        if not len(shared):
            continue
        said.warning(
            f"{len(shared)} of {len(rows)} samples of the {part} part have their structure in the "
            f"pretraining too (for example {data.dataset.structures.names[rows[shared[0]]]}): "
            f"{pretrained.name} learned from it, so the error there is too small for new "
            "structures. Test with structures that it did not have, such as the test part of its "
            "own training (the same data, --split and --seed, in Python split and seed)."
        )
        return
