"""What a study is given: structures in any form, without what the models were trained on."""

import os
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from atomlens.datasets import DATASETS, load_dataset
from atomlens.datasets.base import Dataset, Sample
from atomlens.datasets.sampling import sample_structures, strict_dataset
from atomlens.datasets.tables.files import is_table
from atomlens.datasets.tables.frames import as_frame, is_frame
from atomlens.datasets.tables.target_doubts import ABOUT_CLASSES
from atomlens.errors import DatasetError, Failure, StudyError
from atomlens.predictor import Predictor, load
from atomlens.predictor.inputs.rows import read_atoms
from atomlens.predictor.judged_data import NAMES_ONLY
from atomlens.predictor.trained import take_formulas_first
from atomlens.printing import counted
from atomlens.structures.arrays import StructureArrays
from atomlens.structures.forms import REFUSE, form_of
from atomlens.structures.objects import as_list
from atomlens.structures.options import ReadingOptions
from atomlens.studies.base import Study
from atomlens.studies.one_target import about_target, split_name

_VALUES_INSIDE = {".extxyz", ".db"}


class StudyData(NamedTuple):
    """What a study is given to work on."""

    data: Dataset
    left_out: dict[str, int]
    """Structures that were read and are not in the data, by the reason."""


def load_one(given: str) -> Predictor:
    """Load a model, or one target of a model of several (``MODEL:TARGET``).

    Raises:
        ModelError: there is no such model.
        StudyError: it has no such target.
    """
    name, target = (given, "") if os.path.exists(given) else split_name(given)
    if not target:
        return load(given)
    try:
        return about_target(load(name), target)
    except StudyError as problem:
        raise StudyError(f"{given}: {problem}") from None


def study_data(
    study: Study,
    given: Any,
    models: Sequence[Predictor],
    *,
    tell: Callable[[str], None],
    reading: ReadingOptions,
    use_known: bool,
    limit: int | None,
    seed: int,
) -> StudyData:
    """Return the structures to study, without what the models were trained on.

    Args:
        study: That asks.
        given: A data set, its name, a table, files, structures, a list of them; None for nothing.
        models: That are asked.
        tell: Hears a sentence on what was left out.
        reading: How it is read.
        use_known: Keep also what the models were trained on.
        limit: At most so many structures, drawn by ``seed``.
        seed: Draws them, and what a data set generates.

    Raises:
        StudyError: there is nothing to study.
    """
    listed = [] if given is None else [given] if isinstance(given, Dataset) else as_list(given)
    if not listed:
        if study.needs_data:
            raise StudyError(f"{study.name}: name the structures or the data set to study.")
        return StudyData(as_dataset([]), {})
    texts = [str(one) for one in listed if isinstance(one, str | os.PathLike)]
    own = study.read(texts) if len(texts) == len(listed) else None
    if own is not None and reading.forms != REFUSE:
        raise StudyError(
            f"{study.name}: {texts[0]} is read in a way of its own; leave --disorder, "
            "--ordered-models and --conformers out (in Python disorder, n_models, conformers)."
        )
    values = study.reads_values
    data = _read(listed, models, reading, seed, values=values) if own is None else own
    if not len(data):
        first = ""
        if data.failures:
            name, said = data.failures[0].name, data.failures[0].message
            first = f" {said}" if name in said else f" {name}: {said}"
        raise StudyError(f"{study.name}: there is no structure to study.{first}")
    if reading.strict:
        data = strict_dataset(data)
    left_out: dict[str, int] = {}
    if not (study.leaves_out_known or use_known):
        n_read = len(data)
        data = _without_known(study, data, models, tell)
        left_out["left out: the model was trained on them"] = n_read - len(data)
    if limit is not None:
        n_left = len(data)
        data = _keep(data, sample_structures(data, limit, seed).tolist())
        left_out[f"left out: beyond the limit of {limit}"] = n_left - len(data)
    return StudyData(data, {reason: n for reason, n in left_out.items() if n})


def _without_known(
    study: Study, data: Dataset, models: Sequence[Predictor], tell: Callable[[str], None]
) -> Dataset:
    """Return the structures that no model was trained on, with their other forms."""
    trained = np.zeros(len(data), dtype=np.bool_)
    for model in models:
        trained |= model.was_in(data.structures, "train", "pretraining")
        if model.record.samples is None and model.record.split:
            tell(NAMES_ONLY)
    rows = np.flatnonzero(~_any_form(trained, data)).tolist()
    if not rows:
        raise StudyError(
            f"{study.name}: the models were trained on every one of the {len(data)} "
            "structures; give others, or use --all (in Python use_known=True)."
        )
    if len(rows) < len(data):
        n_known = len(data) - len(rows)
        tell(
            f"{counted(n_known, 'structure', 'are')} left out: the models were trained on "
            f"{'it' if n_known == 1 else 'them'}"
        )
    return _keep(data, rows)


def _any_form(marked: NDArray[np.bool_], data: Dataset) -> NDArray[np.bool_]:
    """(n,) whether a sample, or another form of its structure, is marked."""
    if data.row_numbers is None:
        return marked
    return np.isin(data.row_numbers, data.row_numbers[marked])


def _keep(data: Dataset, rows: list[int]) -> Dataset:
    return data if len(rows) == len(data) else data.subset(rows)


def _read(
    listed: list[Any],
    models: Sequence[Predictor],
    reading: ReadingOptions,
    seed: int,
    *,
    values: bool = True,
) -> Dataset:
    """Read one data set or table with its values, or any number of structures without.

    Nothing learns from the values, so what a training should know of their kind is not told. Where
    they are not wanted, tables are read as `predict` reads them.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=f".*{re.escape(ABOUT_CLASSES)}")
        return _read_all(listed, models, reading, seed, values=values)


def _read_all(
    listed: list[Any],
    models: Sequence[Predictor],
    reading: ReadingOptions,
    seed: int,
    *,
    values: bool,
) -> Dataset:
    listed, first = [*map(as_frame, listed)], take_formulas_first(models)
    forms = {
        name: value
        for name, value, usual in (
            ("disorder", reading.forms.how, REFUSE.how),
            ("n_models", reading.forms.n_models, REFUSE.n_models),
            ("conformers", reading.forms.conformers, REFUSE.conformers),
        )
        if value != usual
    }
    given: dict[str, Any] = {**reading.places, **forms, "seed": seed}
    if any(isinstance(one, tuple | Mapping | Sample) for one in listed):
        with suppress(DatasetError):  # there are no values beside them
            return load_dataset(listed, **({} if isinstance(listed[0], Sample) else given))
    if len(listed) == 1:
        one = listed[0]
        if isinstance(one, Dataset):
            return one
        if values and is_frame(one):
            with suppress(DatasetError):  # there are no values in it
                return load_dataset(one, formulas_first=first, **given)
        if isinstance(one, str | os.PathLike):
            path = Path(one)
            if values and is_table(path):
                return load_dataset(path, formulas_first=first, **given)
            if str(one) in DATASETS or path.suffix.lower() == ".npz":
                return load_dataset(str(one), **given)
            if values and path.suffix.lower() in _VALUES_INSIDE and path.is_file():
                with suppress(DatasetError):  # there are no values in it
                    return load_dataset(path, **given)
            if (path / "id_prop.csv").is_file():
                return load_dataset(path, **given)
    items, sources = read_atoms(listed, reading.for_formulas(first))
    both = [(i, s) for i, s in zip(items, sources, strict=True) if not isinstance(i, Failure)]
    return replace(
        as_dataset([item for item, _ in both]),
        sources=tuple(source for _, source in both),
        failures=tuple(item for item in items if isinstance(item, Failure)),
    )


def as_dataset(structures: Any) -> Dataset:
    """Return ase.Atoms as a data set without values."""
    listed = list(structures)
    arrays = StructureArrays.from_atoms(listed)
    firsts = np.array([form_of(atoms) <= 0 for atoms in listed], dtype=np.int64)
    return Dataset(
        name="inputs",
        structures=arrays,
        targets=(),
        values=np.zeros((len(arrays), 0)),
        row_numbers=None if firsts.all() else np.cumsum(firsts) - 1,
    )
