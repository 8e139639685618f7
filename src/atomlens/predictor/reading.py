"""Reading data for a model in the way in which its training data were read."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from atomlens.datasets import DATASETS
from atomlens.datasets.base import Dataset, Sample
from atomlens.datasets.loading import OF_TARGETS, FileOptions, options_of
from atomlens.datasets.tables.files import headers_of, is_table
from atomlens.errors import DatasetError, SettingsError
from atomlens.predictor.trained import TrainedModel
from atomlens.structures.options import PLACES, ReadingOptions

_PLACES = (*PLACES, "energy_column", "grid_column")
"""Options that say where in a file something stands, which may differ from file to file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How data are read for a model."""

    options: dict[str, Any]
    """For ``load_dataset``."""
    remarks: tuple[str, ...] = ()
    """What was taken over from the training, a sentence each."""
    warnings: tuple[str, ...] = ()
    """What differs from it; a sentence each."""


def reading_for(
    model: TrainedModel, source: Any, given: Mapping[str, Any], *, strictly: bool = False
) -> Reading:
    """Return the options with which data are read for a model: those of its training.

    Args:
        model: Whose targets, classes and reading options hold.
        source: What is read: a name in ``DATASETS``, a file or a folder, or data in memory.
        given: Options of the user, which go first.
        strictly: The rows must be those of the training, so other options are refused.

    Raises:
        SettingsError: an option contradicts the training.
    """
    in_memory = not isinstance(source, str | os.PathLike)
    if in_memory and _is_read(source):
        return Reading(options=dict(given))
    named = not in_memory and str(source) in DATASETS
    kept = {k: v for k, v in model.record.reading.items() if k not in OF_TARGETS}
    known = {f.name for f in fields(FileOptions)}
    if named or (not in_memory and Path(source).suffix.lower() == ".npz"):
        same = named and str(source) == model.record.data
        kept = {k: v for k, v in kept.items() if same and k not in known}
        return Reading(options={**kept, **given}, remarks=_told(kept, given))
    taken = known if in_memory else options_of(Path(source).expanduser())
    kept = {k: v for k, v in kept.items() if k in known & taken and _fits(k, v, source)}
    differing = [
        name
        for name, value in kept.items()
        if name in given and name not in _PLACES and _plain(given[name]) != _plain(value)
    ]
    warnings: tuple[str, ...] = ()
    if differing:
        name = differing[0]
        words = (
            f"--{name.replace('_', '-')} {given[name]} is not how the model's training data were "
            f"read ({kept[name]})"
        )
        if strictly:
            raise SettingsError(f"{words}; leave it out.")
        warnings = (f"{words}, so the rows are not comparable with its own.",)
    options = {**kept, **given}
    if options.get("polymorphs") != "lowest" and "energy_column" not in given:
        options.pop("energy_column", None)
    if model.reads_formulas:
        options.setdefault("formulas_first", True)
    spectra = [t for t in model.targets if t.is_spectrum]
    if spectra and "grid" in taken:
        options.setdefault("grid", spectra[0].grid)
    single = [t for t in model.targets if not t.is_spectrum]
    options.setdefault("kinds", {t.name: t.kind for t in single})
    options.setdefault("classes", {t.name: t.classes for t in single if t.classes})
    return Reading(options=options, remarks=_told(kept, given), warnings=warnings)


def inputs_reading(
    model: TrainedModel, inputs: Sequence[str | Path], options: ReadingOptions
) -> ReadingOptions:
    """Return how tables among the inputs are read: as for the training, where that is possible."""
    given = options.places
    kept = {k: v for k, v in model.record.reading.items() if k in PLACES and k not in given}
    tables = [p for p in inputs if os.path.isfile(p) and is_table(Path(p))]
    fitting = {k: v for k, v in kept.items() if tables and all(_fits(k, v, p) for p in tables)}
    return replace(model.suited(options), **fitting)


def _told(kept: Mapping[str, Any], given: Mapping[str, Any]) -> tuple[str, ...]:
    taken = [f"{k.replace('_', '-')} {v}" for k, v in kept.items() if k not in given]
    return (f"Read as the training data were: {', '.join(taken)}.",) if taken else ()


def _is_read(source: Any) -> bool:
    """Say whether data are a data set, or samples of one, which nobody reads any more."""
    one = source[0] if isinstance(source, list | tuple) and source else source
    return isinstance(one, Dataset | Sample)


def _fits(name: str, value: Any, source: Any) -> bool:
    """Say whether an option of the training can hold for this source."""
    if name == "structure_folder":
        return os.path.isdir(os.path.expanduser(str(value)))
    if not isinstance(source, str | os.PathLike):
        columns = source if isinstance(source, Mapping) else getattr(source, "columns", ())
        return name not in _PLACES or (name != "sheet" and str(value) in map(str, columns))
    path = Path(source).expanduser()
    if name == "sheet":
        return path.suffix.lower() == ".xlsx" and os.path.isfile(path) and _has_sheet(path, value)
    if name in _PLACES:
        column = str(value) if name == "structure_column" else None
        return os.path.isfile(path) and is_table(path) and str(value) in headers_of(path, column)
    return True


def _has_sheet(path: Path, sheet: Any) -> bool:
    try:
        headers_of(path, None, str(sheet))
    except DatasetError:
        return False
    return True


def _plain(value: Any) -> Any:
    return [_plain(v) for v in value] if isinstance(value, list | tuple) else value
