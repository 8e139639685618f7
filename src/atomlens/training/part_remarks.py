"""What is said of training, validation and test part once they have graphs."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from atomlens.datasets.base import Dataset
from atomlens.datasets.geometries import in_other_geometry
from atomlens.datasets.polymorphs import about_shared_formulas
from atomlens.datasets.splits import Split
from atomlens.datasets.tables.target_doubts import over_decades
from atomlens.models import PropertyModel
from atomlens.neighbors.handedness import handedness
from atomlens.predictor.judged_data import FEW_GEOMETRIES, about_unknown
from atomlens.predictor.samples import PARTS, UNKNOWN
from atomlens.structures.arrays import StructureArrays
from atomlens.targets import value_slices
from atomlens.targets.scaling import TargetScaling
from atomlens.training.data import TrainingData
from atomlens.training.remarks import Teller
from atomlens.training.settings import TrainSettings
from atomlens.training.transfer import Pretrained


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
        _tell_contradictions(data, said)
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


_ENOUGH = 4
"""Structures with several values of which it can be said how far those differ."""
_OF_THE_SPREAD = 0.01
"""Of a target's standard deviation; values of one structure that are nearer are replicates."""


def _tell_contradictions(data: TrainingData, said: Teller) -> None:
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
        told = (
            f"{int(differing.sum())} structure(s) stand in several rows with different values of "
            f"{target.name}, for example {', '.join(names)}: {shown[0].strip()} and "
            f"{shown[1].strip()}. "
        )
        if int(differing.sum()) >= _ENOUGH and not target.classes:
            half, all_of = float(np.median(apart[differing])), float(np.std(values[known]))
            if by_ratio:
                by = f"a factor of {10**half:.3g} or more (that of all values is {10**all_of:.3g})"
            else:
                by = f"{half:.3g} {unit}".strip() + " or more"
                by += f" (the standard deviation of all values is {all_of:.3g})"
            told += f"Half of them differ by {by}. "
        n_mirrored = _mirrored(dataset, rows, group, differing)
        if n_mirrored == int(differing.sum()):
            told += (
                "The rows are mirror images of each other (enantiomers), and no model here sees "
                "the hand of a molecule: it can give one value only, so keep one hand, or learn "
                "what both have in common."
            )
        else:
            told += (
                "A model reads the structure alone and can give one of them only; keep one row "
                "each, such as those of one temperature or method."
            )
            if n_mirrored:
                told += (
                    f" The rows of {n_mirrored} of them are mirror images, whose hand no model "
                    "here sees."
                )
        said.warning(told)


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


_GEOMETRIES_TOGETHER = (
    "Use --split composition:.8/.1/.1 or group:COLUMN:.8/.1/.1, which keep them together (of a "
    "cross-validation --by composition or --by group:COLUMN; in Python the words are the same, "
    'split="composition:.8/.1/.1" and by="composition").',
    "All samples have the same atoms, so a split by composition cannot keep them apart: test on "
    "frames of another time (--split time:COLUMN:.8/.1/.1, in Python "
    'split="time:COLUMN:.8/.1/.1") or on other structures.',
)
"""What to do, and what if there is but one structure."""


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
        if found.sum() <= FEW_GEOMETRIES * len(rows):
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


_NEARLY_ALL, _ROWS_AN_ELEMENT, _FEWEST_ROWS = 0.96, 5, 30
"""Share of the variance of values per atom, training rows that an element's number takes, and how
many it takes in all."""


def sums_over_elements(dataset: Dataset, split: Split) -> Iterator[str]:
    """Yield a sentence on each extensive target that is nearly a sum over its elements.

    A network learns such sums slowly, and all else in their shadow.
    """
    structures = dataset.structures.subset(split.train)
    n_elements = len(np.unique(structures.atomic_numbers))
    if len(structures) < max(_ROWS_AN_ELEMENT * n_elements, _FEWEST_ROWS):
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
                f"{target.name}: a sum over elements explains {min(100 * explained, 99.9):.1f} % "
                "of its variance, which would be learned slowly; reference=elements (--set "
                'reference=elements, in Python reference="elements") takes it away first, and '
                "errors are often half as large."
            )
