"""Which samples of a data set a model is judged by, and what must be known of them."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from atomlens.datasets.base import Dataset
from atomlens.datasets.loading import load_dataset, load_known_targets
from atomlens.datasets.sampling import sample_rows, strict_dataset
from atomlens.datasets.split_files import distinct_names
from atomlens.datasets.splits import first_forms
from atomlens.datasets.tables.headers import bare_name
from atomlens.datasets.totals import doubts_about_sizes, looks_like_totals, taken_as_totals
from atomlens.errors import DatasetError, SettingsError, unknown_name
from atomlens.predictor.reading import reading_for
from atomlens.predictor.samples import PARTS, UNKNOWN, find_part
from atomlens.predictor.trained import TrainedModel
from atomlens.printing import few
from atomlens.targets import Target, target_places, value_slices
from atomlens.units import same_unit

Values = NDArray[np.float64]


class Evaluated(NamedTuple):
    """Samples that a model is judged by."""

    data: Dataset
    remarks: tuple[str, ...]
    """How they were read; a sentence each."""
    warnings: tuple[str, ...]
    """What must be known to judge the figures; a sentence each."""


def evaluated_data(
    model: TrainedModel,
    source: Any,
    *,
    targets: Sequence[str],
    part: str,
    limit: int | None,
    options: Mapping[str, Any],
    strict: bool = False,
) -> Evaluated:
    """Return the samples to predict: read as the training data were, the part of them, the limit.

    Args:
        model: That is judged.
        source: Anything that `load_dataset` takes.
        targets: Which of the model's; none: those that the data have values of.
        part: Of the model's own training, or ``all``.
        limit: At most so many; None: all.
        options: For `load_dataset`; they go before those of the training.
        strict: A sample that is read with a warning is a failure.

    Raises:
        DatasetError: the data have none of the targets, or none of the samples of the part.
        SettingsError: no such part, or options contradict the training.
    """
    if part not in (*PARTS, "all"):
        raise SettingsError(unknown_name("part", part, (*PARTS, "all")))
    if limit is not None and limit < 1:
        raise SettingsError(f"limit {limit}: it must be 1 or more.")
    if isinstance(source, Iterator):
        source = list(source)
    has_part = part != "all"
    reading = reading_for(model, source, options, strictly=has_part)
    wanted = tuple(targets) or tuple(t.name for t in model.targets)
    if isinstance(source, Dataset) and not options:
        source = _called_as_learned(model, source)
        missing = not targets and not known_targets(model, source)
        data = source.select_targets(wanted) if targets or missing else source
        data = data if has_part else data.subset(sample_rows(len(data), limit, _seed(model)))
    else:
        load = load_dataset if targets else load_known_targets  # what is named must be there
        given = dict(reading.options)
        for about in ("kinds", "classes"):
            if about in given:
                given[about] = {name: said for name, said in given[about].items() if name in wanted}
        at_most = None if has_part else limit
        loaded = load(source, list(wanted), limit=at_most, seed=_seed(model), **given)
        data = _called_as_learned(model, loaded)
    data = strict_dataset(data) if strict else data
    said = [] if targets else [about_missing_targets(model, data)]
    said += [*reading.warnings, *about_totals(model, data)]
    totals = tuple(taken_as_totals(data))
    if not has_part:
        said += [about_known_structures(model, data), *about_other_geometries(model, data)]
        return Evaluated(data, (*reading.remarks, *totals), tuple(filter(None, said)))
    rows, remarks = choose_part(model, data, part)
    chosen = data.subset(rows if limit is None else rows[:limit])
    said += about_other_geometries(model, chosen) if part != "train" else ()
    return Evaluated(chosen, (*reading.remarks, *totals), tuple(filter(None, (*said, *remarks))))


def _called_as_learned(model: TrainedModel, data: Dataset) -> Dataset:
    """Return data whose ``logS (exp)`` is the ``logS`` of a model, if nothing else of them is."""
    learned = {t.name.lower(): t.name for t in model.targets}
    own = {t.name.lower() for t in data.targets}
    bare = [bare_name(t.name) for t in data.targets]
    counts = Counter(name.lower() for name in bare)
    targets = tuple(
        replace(target, name=learned[name.lower()])
        if target.name.lower() not in learned
        and name.lower() in learned.keys() - own
        and counts[name.lower()] == 1
        else target
        for target, name in zip(data.targets, bare, strict=True)
    )
    return data if targets == data.targets else replace(data, targets=targets)


def _seed(model: TrainedModel) -> int:
    return int(model.record.settings.get("seed", 0))


NAMES_ONLY = (
    "The model's folder was written by atomlens 0.1 and knows its samples by name only: whether "
    "these are the same structures is unknown."
)


def choose_part(
    model: TrainedModel, data: Dataset, part: str
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Return the rows of a data set that were in one part of a model's training, and remarks.

    The rows are known by their content, whatever they are called and in whatever order they
    stand; by name only for models whose folder holds no digests (atomlens 0.1), which is said.

    Args:
        model: Whose part it is.
        data: With targets of the model; without some of them rows are known by structure alone.
        part: ``train``, ``validation`` or ``test``.

    Raises:
        DatasetError: the model has no such part, or the data set has none of its samples.
    """
    names = model.record.split.get(part, ())
    if not names:
        raise DatasetError(
            f"part {part}: the model does not know which samples its {part} part had. Use "
            '--part all (in Python part="all") on data that it was not trained on.'
        )
    if model.record.samples is not None:
        has_all = len(known_targets(model, data)) == len(model.targets)
        true = matching_values(data, model.targets) if has_all else None
        found = find_part(model.record.samples, part, names, data, true)
        return _together(np.array(found.rows, dtype=np.int64), data), found.remarks
    wanted = set(names)
    rows = [i for i, n in enumerate(distinct_names(data.structures.names)) if n in wanted]
    if not rows:
        raise DatasetError(
            f"part {part}: {data.name} has none of the {len(names)} samples of the model's "
            f"{part} part. Give the data it was trained on, or use --part all (in "
            'Python part="all").'
        )
    return _together(np.array(rows, dtype=np.int64), data), (NAMES_ONLY,)


def _together(rows: NDArray[np.int64], data: Dataset) -> NDArray[np.int64]:
    """Return the rows with those of one structure side by side."""
    if data.row_numbers is None or first_forms(data.row_numbers) is None:
        return rows
    return rows[np.argsort(data.row_numbers[rows], kind="stable")]


def about_known_structures(model: TrainedModel, data: Dataset) -> str:
    """Return a sentence on samples of a data set that the model has seen; empty if it has none."""
    if model.record.samples is None:
        return NAMES_ONLY if model.record.split else ""
    seen = model.seen_in(data.structures)
    counted, n_unknown = counted_known(seen), seen.count(UNKNOWN)
    said = []
    if counted:
        said.append(
            f"Of the {len(data)} structures {counted} were known to the model, so the error is too "
            'small for new ones. --part test (in Python part="test") takes the test part alone.'
        )
    if n_unknown:
        so = " If it has, the error is too small for new ones."
        said.append(f"{about_unknown('the model', n_unknown, len(data))}{so}")
    return " ".join(said)


def about_unknown(model: str, n_unknown: int, n: int) -> str:
    """Return a sentence on molecules of which a model cannot say whether it learned from them."""
    return (
        f"Whether {model} has learned from {n_unknown} of the {n} molecules is unknown, as their "
        "coordinates were made here: it knows its samples by their coordinates, and molecules of "
        "the same atoms may have been among them."
    )


def about_totals(model: TrainedModel, data: Dataset) -> Iterator[str]:
    """Yield a sentence on each target whose values grow with the structure, and the model's not.

    And on each of which it is the other way round. Nothing is said of values that are as large as
    those of the training: a model may have learned totals as they are.
    """
    known = {t.name.lower(): t for t in model.targets if t.kind == "regression"}
    totals: list[str] = []
    others: list[str] = []
    for target in data.targets:
        own = known.get(target.name.strip().lower())
        if own is None or target.kind != "regression":
            continue
        alone = data.select_targets([target.name])
        if own.extensive:
            as_total = replace(target, extensive=True, unit=own.unit)
            totals += doubts_about_sizes(replace(alone, targets=(as_total,)))
            continue
        low, high = _learned_range(model, own)
        values = alone.values[np.isfinite(alone.values)]
        if ((values >= low) & (values <= high)).sum() >= _USUAL * len(values):
            continue
        learned = f"values from {low:.4g} to {high:.4g}" if low <= high else "no totals"
        advice = (
            f"the model has learned {learned}; if its values are per atom and these are totals, "
            "divide these by the numbers of atoms"
        )
        if target.extensive:
            others.append(
                f"{target.name} is taken for a total in these data, which grows with the number of "
                f"atoms; {advice}."
            )
        else:
            bare = replace(target, unit="")
            others += looks_like_totals(replace(alone, targets=(bare,)), advice)
    yield from (*totals, *others)


_USUAL = 0.9
"""Of values; so many that are as large as those of the training are what it had."""


def _learned_range(model: TrainedModel, target: Target) -> tuple[float, float]:
    """Return the lowest and the highest value of the training part; NaN if they are unknown."""
    place = target_places(model.targets)[target]
    ends = (model.record.lowest[place], model.record.highest[place])
    low, high = (np.asarray(end, dtype=np.float64) for end in ends)
    return (float(low.min()), float(high.max())) if low.size and high.size else (np.nan, np.nan)


FEW_GEOMETRIES = 0.05
"""Of a part; so many stereoisomers of known molecules do not make its error much smaller."""
_MANY_POLYMORPHS = 0.5
"""Of the crystals of a part. Of 104,000 of Materials Project, divided at random, 23 % have the
atoms of a training structure in its order; all but 0.1 % are polymorphs."""


def about_other_geometries(model: TrainedModel, data: Dataset) -> Iterator[str]:
    """Yield a sentence on samples that are conformers, frames or strained cells of learned ones."""
    samples = model.record.samples
    if samples is None or not len(data):
        return
    found = samples.in_other_geometry(data.structures)
    repeats = np.asarray(data.structures.pbc.any(axis=1))
    for kind, most, what in (
        (
            ~repeats,
            FEW_GEOMETRIES,
            "are other geometries of a structure in the training part, such as conformers and "
            "frames{such}, so the error is too small for new structures.",
        ),
        (
            repeats,
            _MANY_POLYMORPHS,
            "have the atoms of a structure in the training part in the same order{such}; if they "
            "are frames or strained cells of it, and no polymorphs, the error is too small for new "
            "structures.",
        ),
    ):
        rows = np.flatnonzero(found & kind)
        if len(rows) > most * kind.sum():
            such = f" (for example {data.structures.names[rows[0]]})"
            yield f"{len(rows)} of {len(data)} structures {what.format(such=such)}"


_KNOWN = {
    "train": "in the training part",
    "pretraining": "in the pretraining",
    "validation": "in the validation part",
}


def counted_known(parts: Sequence[str]) -> str:
    """Return how many structures were in which part that a model has learned from; empty: none.

    Args:
        parts: As `TrainedModel.seen_in` returns them.
    """
    counts = {words: parts.count(part) for part, words in _KNOWN.items()}
    return " and ".join(f"{n} {words}" for words, n in counts.items() if n)


def known_targets(model: TrainedModel, data: Dataset) -> tuple[Target, ...]:
    """Return the targets of a model that a data set has values of."""
    there = {t.name.strip().lower() for t in data.targets}
    return tuple(t for t in model.targets if t.name.lower() in there)


def about_missing_targets(model: TrainedModel, data: Dataset) -> str:
    """Return a sentence on targets of a model of which a data set has no values; empty if none."""
    known = known_targets(model, data)
    missing = [t.name for t in model.targets if t not in known]
    if not missing:
        return ""
    return f"{data.name} has no values of {few(missing)}, so the model is not evaluated on them."


def matching_values(dataset: Dataset, targets: tuple[Target, ...]) -> Values:
    """(n, n_values) the data set's values of a model's targets, classes as the model has them.

    Raises:
        DatasetError: a target is missing, or has another unit, other classes or another grid.
    """
    chosen = dataset.select_targets([t.name for t in targets])
    values = np.array(chosen.values, dtype=np.float64)
    places = [place.start for place in value_slices(chosen.targets)]
    for column, theirs, ours in zip(places, chosen.targets, targets, strict=True):
        _check_grid(theirs, ours, dataset.name)
        if theirs.unit and ours.unit and not same_unit(theirs.unit, ours.unit):
            raise DatasetError(
                f"{dataset.name}: {ours.name!r} is in {theirs.unit}, and the model predicts it in "
                f"{ours.unit}. Convert the data set."
            )
        if ours.kind == "classification" and theirs.classes != ours.classes:
            values[:, column] = _renumber(values[:, column], theirs, ours, dataset.name)
    return values


def _check_grid(theirs: Target, ours: Target, name: str) -> None:
    """Raise a DatasetError unless the values stand where the model predicts them."""
    same = len(theirs.grid) == len(ours.grid) and np.allclose(theirs.grid, ours.grid, atol=1e-9)
    if not same:
        raise DatasetError(
            f"{name}: {ours.name!r} is {_described(theirs)}, and the model predicts "
            f"{_described(ours)}. Bring the data onto the grid of the model."
        )


def _described(target: Target) -> str:
    if not target.is_spectrum:
        return "a single number"
    first, last, unit = target.grid[0], target.grid[-1], target.grid_unit
    return f"a spectrum at {len(target.grid)} points from {first:g} to {last:g} {unit}".rstrip()


def _renumber(column: Values, theirs: Target, ours: Target, name: str) -> Values:
    """Return class numbers of the data set as class numbers of the model."""
    labels = theirs.classes or tuple(str(i) for i in range(len(ours.classes)))
    strange = sorted(set(labels) - set(ours.classes))
    if strange:
        raise DatasetError(
            f"{name}: the class {strange[0]!r} of {ours.name!r} is unknown to the model, which "
            f"knows {few(ours.classes)}."
        )
    table = np.array([ours.classes.index(label) for label in labels], dtype=np.float64)
    known = np.isfinite(column)
    renumbered = np.full(len(column), np.nan)
    renumbered[known] = table[column[known].astype(np.int64)]
    return renumbered
