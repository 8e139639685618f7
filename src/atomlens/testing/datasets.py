"""What every data set owes its callers."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from atomlens.datasets import load_packed, make_split, save_packed
from atomlens.datasets.base import Dataset, DatasetSource
from atomlens.errors import DatasetError, SettingsError
from atomlens.targets import value_slices
from atomlens.targets.scaling import TargetScaling


def check_dataset(data: Dataset | DatasetSource, *, limit: int = 25) -> None:
    """Check a data set, or a source of one, as those of this package are checked.

    Args:
        data: Some tens of samples, or a source of which the first ``limit`` are taken.
        limit: How many samples are asked of a source.

    Raises:
        AssertionError: a fact does not hold; the message says which.
    """
    if isinstance(data, DatasetSource):
        for check_source in SOURCE_CHECKS:
            check_source(data, limit)
        data = data.load(limit=limit)
    for check in DATASET_CHECKS:
        check(data)


# ---- facts of a source


def the_source_says_what_it_is(source: DatasetSource, _limit: int) -> None:
    """A frozen dataclass with a name, a summary, an origin and a licence."""
    kind = type(source)
    frozen = getattr(getattr(kind, "__dataclass_params__", None), "frozen", False)
    assert frozen, f"{kind.__name__} is no frozen dataclass"
    for word in ("name", "summary", "origin", "licence"):
        assert getattr(kind, word, ""), f"{kind.__name__} has no {word}"


def all_announced_targets_are_there(source: DatasetSource, limit: int) -> None:
    """In their order, one column a value."""
    data = source.load(limit=limit)
    assert data.targets == type(source).available_targets, "announced and loaded targets differ"
    assert len(data) <= limit, f"limit={limit} gives {len(data)} samples"


def one_target_alone_has_the_same_values(source: DatasetSource, limit: int) -> None:
    """Which targets are asked for changes nothing about their values."""
    data = source.load(limit=limit)
    last = data.targets[-1]
    alone = source.load([last.name], limit=limit)
    assert alone.targets == (last,), f"asked for {last.name}, got {alone.targets}"
    own = data.values[:, value_slices(data.targets)[-1]]
    same = np.array_equal(alone.values, own, equal_nan=True)
    assert same, f"{last.name} asked for alone has other values"


def loading_twice_gives_the_same(source: DatasetSource, limit: int) -> None:
    """Names, structures and values, in the same order."""
    first, again = source.load(limit=limit), source.load(limit=limit)
    assert again.structures.names == first.structures.names, "loaded twice, the names differ"
    same = again.structures.fingerprint() == first.structures.fingerprint()
    assert same, "loaded twice, the structures differ"
    same = np.array_equal(again.values, first.values, equal_nan=True)
    assert same, "loaded twice, the values differ"


def an_unknown_target_is_an_error(source: DatasetSource, limit: int) -> None:
    """A DatasetError, which names the data set."""
    said = ""
    try:
        source.load(["no such target"], limit=limit)
    except DatasetError as problem:
        said = str(problem)
    assert said, "a target that does not exist is no DatasetError"
    assert source.name in said, "the error does not name the data set"


# ---- facts of the samples


def every_sample_has_its_values(data: Dataset) -> None:
    """One row a structure, one column a value, and some value in each column."""
    shape = (len(data), sum(t.n_values for t in data.targets))
    assert data.values.shape == shape, f"values have the shape {data.values.shape}, not {shape}"
    assert len(data), "there is no sample"
    known = np.isfinite(data.values)
    assert known.any(axis=0).all(), "a target is known for no sample"
    assert known.any(axis=1).all(), "a sample has no value at all"


def every_structure_is_usable_and_has_a_name_of_its_own(data: Dataset) -> None:
    """Names, elements and positions that every reader would take."""
    from atomlens.structures.checks import check_atoms

    assert len(set(data.structures.names)) == len(data), "two samples have the same name"
    for sample in data:
        check_atoms(sample.atoms)
        names = {t.name for t in data.targets}
        assert set(sample.targets) == names, f"{sample.identifier}: other targets than announced"


def classes_are_numbers_of_classes(data: Dataset) -> None:
    """A class is given by its place in ``Target.classes``."""
    for target, place in zip(data.targets, value_slices(data.targets), strict=True):
        if target.kind != "classification":
            continue
        values = data.values[:, place]
        values = values[np.isfinite(values)]
        whole = np.isin(values, np.arange(len(target.classes))).all()
        assert whole, f"{target.name}: a value is no number of a class"


def node_labels_fit_the_atoms(data: Dataset) -> None:
    """Where the answer rests on known atoms: 1 for those, else 0; or terms that add up to it."""
    if data.node_labels is None:
        return
    lengths = [len(labels) for labels in data.node_labels]
    assert lengths == data.structures.n_atoms.tolist(), "node_labels do not fit the atoms"
    for labels, value in zip(data.node_labels, data.values[:, 0], strict=True):
        terms = np.isclose(labels.sum(), value, rtol=1e-6, atol=1e-9)
        flags = set(labels.tolist()) <= {0.0, 1.0}
        assert flags or terms, "node labels are neither 0 and 1 nor terms that add up to the value"
        assert labels.any(), "a structure has no labelled atom"


def it_can_be_split(data: Dataset) -> None:
    """Every sample is in exactly one part."""
    n = len(data)
    for spec in ("random:.6/.2/.2", f"stratified:{n // 2}/{n // 4}/rest", "composition:.5/.2/.3"):
        try:
            split = make_split(spec, data, seed=0)
        except SettingsError:
            if spec.startswith("composition"):  # too few formulas
                continue
            raise
        together = np.concatenate([split.train, split.validation, split.test])
        whole = np.array_equal(np.sort(together), np.arange(n))
        assert whole, f"split {spec}: a sample is in no part or in two"


def its_values_can_be_scaled_and_back(data: Dataset) -> None:
    """What is learned can be turned into what was given."""
    numbers = [i for i, t in enumerate(data.targets) if t.kind == "regression"]
    if not numbers:
        return
    chosen = data.select_targets([data.targets[i].name for i in numbers])
    spectra = any(t.is_spectrum for t in chosen.targets)
    scaling = TargetScaling.fit(
        chosen.targets,
        chosen.values,
        chosen.structures,
        reference="none" if spectra else "elements",
    )
    encoded = scaling.encode(chosen.values, chosen.structures)
    back = scaling.decode(encoded, chosen.structures)
    same = np.allclose(back, chosen.values, rtol=1e-4, atol=1e-4, equal_nan=True)
    assert same, "scaled and scaled back, the values differ"


def it_can_be_packed(data: Dataset) -> None:
    """A packed file gives the same structures and values."""
    with TemporaryDirectory() as folder:
        path = save_packed(data, Path(folder) / "packed.npz", precision="float64")
        again = load_packed(path)
        same = again.structures.fingerprint() == data.structures.fingerprint()
        assert same, "packed and read again, the structures differ"
        same = np.array_equal(again.values, data.values, equal_nan=True)
        assert same, "packed and read again, the values differ"


def a_part_is_a_data_set(data: Dataset) -> None:
    """Any rows in any order, each with its own structure and values."""
    rows = np.arange(len(data))[::-1]
    part = data.subset(rows)
    assert part.structures.names == data.structures.names[::-1], "a part has other names"
    same = np.array_equal(part.values, data.values[rows], equal_nan=True)
    assert same, "a part has other values"
    assert replace(part, splits={}).targets == data.targets, "a part has other targets"


SOURCE_CHECKS: tuple[Callable[[DatasetSource, int], None], ...] = (
    the_source_says_what_it_is,
    all_announced_targets_are_there,
    one_target_alone_has_the_same_values,
    loading_twice_gives_the_same,
    an_unknown_target_is_an_error,
)
"""The facts of a source, each a function of it and a number of samples."""
DATASET_CHECKS: tuple[Callable[[Dataset], None], ...] = (
    every_sample_has_its_values,
    every_structure_is_usable_and_has_a_name_of_its_own,
    classes_are_numbers_of_classes,
    node_labels_fit_the_atoms,
    it_can_be_split,
    its_values_can_be_scaled_and_back,
    it_can_be_packed,
    a_part_is_a_data_set,
)
"""The facts of samples, each a function of a data set."""
