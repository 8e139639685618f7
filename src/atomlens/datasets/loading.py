"""``load_dataset``: whatever a user calls a data set, as a `Dataset`."""

import os
import warnings
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np

from atomlens.datasets import DATASETS
from atomlens.datasets.base import Dataset, Sample
from atomlens.datasets.folders import load_id_prop
from atomlens.datasets.in_memory import HeldTable, dataset_of_samples, held_in, held_in_frame
from atomlens.datasets.packed import load_packed
from atomlens.datasets.polymorphs import Polymorphs, merge_polymorphs
from atomlens.datasets.rows import dataset_of_table, load_inside, with_energies
from atomlens.datasets.sampling import keep_rows, sample_rows, strict_dataset, usable
from atomlens.datasets.sources import attribution
from atomlens.datasets.sources.optical_nk import is_optical, optical_dataset
from atomlens.datasets.tables.column_kinds import Kind
from atomlens.datasets.tables.columns import TargetOptions
from atomlens.datasets.tables.files import is_table
from atomlens.datasets.tables.frames import as_frame, index_of_rows, is_frame
from atomlens.datasets.tables.grids import Beyond, GridOptions
from atomlens.datasets.tables.headers import parse_header
from atomlens.datasets.tables.table import frame_table, read_table
from atomlens.errors import (
    AtomlensError,
    DatasetError,
    MissingTargetError,
    SettingsError,
    unknown_name,
    warn,
)
from atomlens.printing import NO_STDIN, is_stdin
from atomlens.settings import argument_given, by_option, names_given
from atomlens.structures.forms import N_MODELS, Disorder, DisorderChoice
from atomlens.structures.objects import as_list
from atomlens.structures.options import PLACES
from atomlens.structures.parts import pick_of


@dataclass(frozen=True, slots=True, kw_only=True)
class FileOptions:
    """What ``load_dataset`` may be told about a file or folder."""

    structure_column: str | None = None
    """Column of a table that holds the structures: files, SMILES or formulas."""
    name_column: str | None = None
    """Column of a table that holds the names."""
    structure_folder: str | Path | None = None
    """Folder of the files that a table names; that of the table itself by default."""
    sheet: str | None = None
    """Sheet of an Excel file; by default the first, or the only one with structures."""
    units: Mapping[str, str] | None = None
    """Unit by target, where the header does not say it as in ``homo [eV]``."""
    kinds: Mapping[str, Kind] | None = None
    """``classification`` for a target whose classes are written as numbers."""
    classes: Mapping[str, Sequence[str]] | None = None
    """Classes of a target that are known, such as those of a model; the data may have fewer."""
    extensive: Sequence[str] = ()
    """Targets that grow with the number of atoms; they are learned per atom."""
    nonnegative: Sequence[str] = ()
    """Targets that cannot be below zero."""
    polymorphs: Polymorphs = "keep"
    """Rows of one reduced formula: keep all, their mean, or the one of lowest energy."""
    energy_column: str | None = None
    """Column with the energies (per atom) that decide which polymorph is the lowest."""
    grid: str | Sequence[float] | None = None
    """Spectra: the grid they are brought onto, ``FIRST:LAST:N`` or a name in ``GRIDS``."""
    beyond: Beyond = "hold"
    """Spectra that end before the grid does: hold their last value, or mask."""
    grid_column: str | None = None
    """Column with the points of each spectrum, if it is not called ``energy``."""
    disorder: Disorder = "refuse"
    """Disordered crystals: refuse them, take the majority of each place, or enumerate ordered
    models, of which each is a sample with the crystal's value; a split keeps them together."""
    n_models: int = N_MODELS
    """Ordered models that ``enumerate`` makes at most."""
    conformers: int = 1
    """Shapes of each SMILES (or models of an mmCIF), if more than 1; each is a sample with the
    molecule's value, and a split keeps them together."""
    formulas_first: bool = False
    """A text that is a SMILES and a formula, such as ``BN``, is taken for the formula."""

    def __post_init__(self) -> None:
        """Check the choices."""
        self.for_forms()
        argument_given(self.formulas_first, (bool,), "formulas_first")
        if self.polymorphs not in get_args(Polymorphs):
            raise SettingsError(
                unknown_name("choice of polymorphs", self.polymorphs, get_args(Polymorphs))
            )

    def for_forms(self) -> DisorderChoice:
        """Return what concerns structures of several forms."""
        return DisorderChoice(
            how=self.disorder,
            n_models=self.n_models,
            conformers=self.conformers,
            formulas_first=self.formulas_first,
        )

    def for_grid(self) -> GridOptions:
        """Return what concerns the grid of spectra."""
        return GridOptions(grid=self.grid, beyond=self.beyond, grid_column=self.grid_column)

    def for_targets(self) -> TargetOptions:
        """Return what concerns the targets."""
        return TargetOptions(
            units=self.units or {},
            kinds=self.kinds or {},
            classes=self.classes or {},
            extensive=tuple(self.extensive),
            nonnegative=tuple(self.nonnegative),
        )


@by_option()
def load_dataset(
    source: Any,
    target: str | Sequence[str] | None = None,
    *,
    limit: int | None = None,
    seed: int = 0,
    strict: bool = False,
    **options: Any,
) -> Dataset:
    """Load a data set.

    Args:
        source: A name in ``DATASETS`` (``qm9``, ``mp-2018``, ...); a CSV, JSONL or Parquet table
            with a column ``file`` (relative to the table), ``smiles``, ``formula`` or
            ``composition`` and target columns; an extxyz file, ase database, ase or pymatgen JSON
            or packed ``.npz`` file with the targets inside; a folder with ``id_prop.csv``
            (CGCNN's habit); a DataFrame (or dictionary of lists) with the columns of a table, or
            with one of ase, pymatgen or rdkit objects; a list of such objects that hold their
            values (``info`` and results of a calculator, ``properties``, entries with an energy);
            a list of records, of pairs ``(structure, value)`` or ``(structure, {name: value})``;
            ``(structures, values)``; a list of `Sample`; or a `Dataset`.
        target: Name of the target, or names of several; all by default. A table's header may
            carry the unit, as in ``homo [eV]``.
        limit: At most this many samples, drawn at random by ``seed``; with one seed, a smaller
            draw is a part of a larger one.
        seed: Decides the draw, and what generated data sets generate.
        strict: A sample that is read with a warning is a failure.
        options: For names, the fields of the class in ``DATASETS``, and ``extensive`` and
            ``nonnegative`` as in `FileOptions`; for files, those of `FileOptions`. As on the
            command line, ``unit="eV"``, ``classification=True``, ``extensive=True`` and
            ``nonnegative=True`` hold for all targets that are named.

    Returns:
        The usable samples. Rows that cannot be used are in ``failures``, with the reason.

    Raises:
        DatasetError: there is no such data set or target, or nothing in it can be used.
        SettingsError: an option does not exist.
        MissingDependencyError: an optional package is needed.
    """
    wanted = names_given(target, "target")
    twice = [name for name in wanted if wanted.count(name) > 1]
    if twice:
        raise SettingsError(f"target: {twice[0]!r} is named twice; name it once.")
    options = _in_our_words(options, wanted)
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        warnings.simplefilter("ignore", DeprecationWarning)  # of other packages
        failed: AtomlensError | None = None
        try:
            dataset = _load(source, wanted, limit, seed, options)
        except AtomlensError as problem:
            failed = problem
    for warning in heard:
        with suppress(Warning) if failed else nullcontext():  # warnings may be errors to the caller
            warn(warning.message, warning.category)
    if failed is not None:
        raise failed
    dataset = strict_dataset(dataset) if strict else dataset
    if isinstance(source, Dataset):
        return dataset
    said = [str(w.message) for w in heard if issubclass(w.category, UserWarning)]
    reading = {name: _plain(value) for name, value in options.items() if value is not None}
    dataset = replace(
        dataset, file=_file_of(source), reading=reading, remarks=tuple(dict.fromkeys(said))
    )
    index = index_of_rows(source)
    if index is None or dataset.row_numbers is None:
        return dataset
    return replace(dataset, index=index.take(dataset.row_numbers))


DATA_OPTIONS = frozenset(
    (*(f.name for f in fields(FileOptions)), "unit", "classification", "ordered_models", "strict")
)
"""What may be said about data that are read, by the names of Python and of the command line."""


def _in_our_words(given: Mapping[str, Any], wanted: Sequence[str]) -> dict[str, Any]:
    """Return options as `FileOptions` has them; those of the command line are about all targets.

    Raises:
        SettingsError: something is said about the targets and none is named, or is said twice.
    """
    options = dict(given)
    about: dict[str, tuple[str, Any]] = {}
    if "ordered_models" in options:
        about["ordered_models"] = ("n_models", options["ordered_models"])
    if isinstance(options.get("unit"), str):
        about["unit"] = ("units", dict.fromkeys(wanted, options["unit"]))
    if isinstance(options.get("classification"), bool):
        kinds = dict.fromkeys(wanted, "classification") if options["classification"] else {}
        about["classification"] = ("kinds", kinds)
    for flag in _FLAGS:
        if isinstance(options.get(flag), bool):
            about[flag] = (flag, tuple(wanted) if options[flag] else ())
        elif isinstance(options.get(flag), str):
            about[flag] = (flag, (options[flag],))
        elif flag in options:
            options[flag] = names_given(options[flag], flag, may_be_empty=True)
    for word, (name, value) in about.items():
        if word != "ordered_models" and given[word] is not False and not wanted:
            raise SettingsError(f"{word} says something about a target; name it with target=.")
        if word != name and name in given:
            raise SettingsError(f"{word} and {name} say the same thing; give one of them.")
        options.pop(word)
        options[name] = value
    return options


def load_known_targets(
    source: Any,
    targets: Sequence[str],
    **options: Any,
) -> Dataset:
    """Load a data set with those of the named targets that it has; see `load_dataset`.

    Raises:
        MissingTargetError: it has none of them.
        DatasetError, SettingsError, MissingDependencyError: as `load_dataset`.
    """
    try:
        return load_dataset(source, targets, **options)
    except MissingTargetError as problem:
        known = [name for name in targets if name not in problem.missing]
        if not known:
            raise
    for about in ("units", "kinds", "classes"):
        if options.get(about):
            options[about] = {k: v for k, v in options[about].items() if k in known}
    for about in ("extensive", "nonnegative"):
        if options.get(about):
            options[about] = [name for name in options[about] if name in known]
    return load_dataset(source, known, **options)


def _load(
    source: Any,
    wanted: tuple[str, ...],
    limit: int | None,
    seed: int,
    given: Mapping[str, Any],
) -> Dataset:
    options, source = dict(given), as_frame(source)
    if isinstance(source, str) and source in DATASETS:
        known = {f.name for f in fields(DATASETS[source])}  # type: ignore[arg-type]
        said = {name: options.pop(name) for name in _FLAGS if name in options}
        _check_names(options, {*known, *_FLAGS}, source)
        dataset = DATASETS[source](**{"seed": seed} | options).load(wanted, limit)
        return _declared(dataset, said)
    if isinstance(source, Dataset):
        _check_names(options, set(), source.name)
        return _finished(source, wanted, limit, seed)
    if is_frame(source):
        held = held_in_frame(source, wanted, options.get("structure_column"))
        return _read(Path(held.where), wanted, limit, seed, options, held)
    if isinstance(source, str) and source.startswith(attribution.PREFIX):
        _check_names(options, set(), source)
        task = attribution.read_task(source)
        rows = sample_rows(len(task.smiles), limit, seed)
        return usable(attribution.task_dataset(task, rows), wanted)
    if not isinstance(source, str | os.PathLike):
        return _in_memory(source, wanted, limit, seed, options)
    path = Path(source).expanduser()
    if is_stdin(str(source)):
        raise DatasetError(f"{source}: {NO_STDIN}.")
    if not os.path.exists(path) and not _is_pick(path):
        hint = unknown_name("data set", str(source), DATASETS)
        raise DatasetError(f"{source}: there is no such file or folder. {hint}")
    return _read(path, wanted, limit, seed, options, None)


def _file_of(source: Any) -> str:
    """Return the path of the file that a data set was read from; empty if it was none."""
    if not isinstance(source, str | os.PathLike) or str(source) in DATASETS:
        return ""
    path = Path(source).expanduser()
    pick = None if path.exists() else pick_of(str(path))
    path = path if pick is None else pick.path
    return str(path) if path.is_file() else ""


def _is_pick(path: Path) -> bool:
    """Say whether a path picks structures of a file that is there, ``FILE@CHOICE``.

    Raises:
        DatasetError: that file is a table.
    """
    pick = pick_of(str(path))
    if pick is None or not os.path.isfile(pick.path):
        return False
    if is_table(pick.path):
        raise DatasetError(
            f"{path}: rows of a table are not picked with an @; give the table {pick.path.name} "
            "(--limit, in Python limit, draws some of its rows), or fewer rows of it."
        )
    return True


def _in_memory(
    source: Any, wanted: tuple[str, ...], limit: int | None, seed: int, options: Mapping[str, Any]
) -> Dataset:
    """Take samples, structures that hold their values, pairs, records or columns."""
    if isinstance(source, Sample):
        source = [source]
    elif isinstance(source, Iterable) and not isinstance(source, Mapping | tuple | bytes):
        source = as_list(source)
    if isinstance(source, list | tuple) and source and isinstance(source[0], Sample):
        if not all(isinstance(one, Sample) for one in source):
            raise DatasetError(
                "Some entries of the list are samples of a data set and others are not; give "
                "either samples or structures with their values."
            )
        _check_names(options, set(), "samples")
        return _finished(dataset_of_samples(source), wanted, limit, seed)
    held = held_in(source, wanted)
    if held.structure_column is not None:
        options = {"structure_column": held.structure_column, **options}
    if held.name_column is not None:
        options = {"name_column": held.name_column, **options}
    return _read(Path(held.where), wanted, limit, seed, options, held)


def _read(
    path: Path,
    wanted: tuple[str, ...],
    limit: int | None,
    seed: int,
    options: Mapping[str, Any],
    frame: HeldTable | None,
) -> Dataset:
    """Read a file or folder, or what was in memory and is called ``path``."""
    _check_names(options, {f.name for f in fields(FileOptions)}, str(path))
    about = FileOptions(**options)
    if about.energy_column is not None and about.polymorphs != "lowest":
        raise SettingsError(
            f"energy_column {about.energy_column!r} decides which polymorph is the lowest; say "
            'polymorphs="lowest" in Python (--polymorphs lowest), or leave it out.'
        )
    if about.polymorphs == "keep":
        return _from_path(path, wanted, limit, seed, about, frame)
    return _without_polymorphs(path, wanted, limit, seed, about, frame)


def _plain(value: Any) -> Any:
    """Return an option as JSON can hold it."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, Path):
        return str(value)
    return [_plain(item) for item in value] if isinstance(value, Iterable) else str(value)


def _without_polymorphs(
    path: Path,
    wanted: tuple[str, ...],
    limit: int | None,
    seed: int,
    options: FileOptions,
    frame: HeldTable | None,
) -> Dataset:
    """Load all rows, the energies beside the targets, and take one row a formula."""
    energy = options.energy_column if options.polymorphs == "lowest" else None
    names = wanted if energy is None or energy in wanted or not wanted else (*wanted, energy)
    dataset = _from_path(path, names, None, seed, options, frame)
    energies = None
    if energy is not None:
        name = parse_header(energy)[0]
        energies = dataset.select_targets([name]).values[:, 0]
        rest = [t.name for t in dataset.targets if t.name != name or name in wanted]
        dataset = dataset.select_targets(rest)
        known = np.isfinite(dataset.values).any(axis=1)
        energies = energies[known]
    dataset = merge_polymorphs(usable(dataset, ()), options.polymorphs, energies)
    return _finished(dataset, (), limit, seed)


def _from_path(
    path: Path,
    wanted: tuple[str, ...],
    limit: int | None,
    seed: int,
    options: FileOptions,
    frame: HeldTable | None,
) -> Dataset:
    if frame is None:
        _refuse_idle(path, options, options_of(path))
    if path.suffix.lower() == ".npz":
        said = {name: tuple(getattr(options, name)) for name in _FLAGS}
        return _finished(_declared(load_packed(path), said), wanted, limit, seed)
    if path.is_dir() and (path / "id_prop.csv").is_file():
        return load_id_prop(path, wanted, limit, seed, options.for_targets(), options.for_forms())
    if frame is not None or (path.is_file() and is_table(path)):
        folder = options.structure_folder
        places = (
            options.structure_column,
            options.name_column,
            None if folder is None else Path(folder).expanduser(),
            options.sheet,
        )
        table = (
            read_table(path, *places)
            if frame is None
            else frame_table(frame.columns, *places, where=frame.where)
        )
        if is_optical(table.columns):
            _refuse_idle(path, options, _OF_OPTICAL)
            optical = optical_dataset(table, str(path), options.grid, path.name.partition(".")[0])
            return _finished(optical, wanted, limit, seed)
        about = options.for_targets()
        if frame is not None and frame.has_results:
            about = with_energies(table.columns, wanted, about, str(path))
        return dataset_of_table(
            path,
            table,
            wanted,
            limit,
            seed,
            about,
            options.for_grid(),
            options.for_forms(),
        )
    return load_inside(path, wanted, limit, seed, options.for_targets(), options.for_forms())


_SPECTRA = ("grid", "beyond", "grid_column")
OF_TARGETS = ("units", "kinds", "classes", "extensive", "nonnegative")
"""Options about targets."""
_FORMS = ("disorder", "n_models", "conformers")
_ROWS = ("polymorphs", "energy_column")
_IDLE = {
    **dict.fromkeys(PLACES, "is about tables, and this is none"),
    **dict.fromkeys(_SPECTRA, "is about spectra in a table, and this is none"),
    **dict.fromkeys(OF_TARGETS, "is about targets that are read, and these say it themselves"),
    **dict.fromkeys(_FORMS, "is about structures that are read, and these are as they are"),
}
"""Why an option is refused where it has no part in what is read."""
_OF_OPTICAL = frozenset((*PLACES, "grid", *_ROWS))


def options_of(path: Path) -> frozenset[str]:
    """Return the names of the `FileOptions` that a file or folder of this kind takes."""
    if path.suffix.lower() == ".npz":
        return frozenset((*_FLAGS, *_ROWS))
    if path.is_file() and is_table(path):
        return frozenset(f.name for f in fields(FileOptions))
    return frozenset((*OF_TARGETS, *_FORMS, "formulas_first", *_ROWS))


def _refuse_idle(path: Path, options: FileOptions, taken: frozenset[str]) -> None:
    """Refuse what was said and has no part in what is read.

    Raises:
        SettingsError: there is something.
    """
    usual = FileOptions()
    for name, why in _IDLE.items():
        value = getattr(options, name)
        if name not in taken and value and value != getattr(usual, name):
            raise SettingsError(f"{path}: {name} {why}; leave it out.")


def _finished(dataset: Dataset, wanted: tuple[str, ...], limit: int | None, seed: int) -> Dataset:
    """Choose targets, leave out samples without any value, and take a random sample."""
    dataset = usable(dataset, wanted)
    rows = sample_rows(len(dataset), limit, seed)
    return dataset if len(rows) == len(dataset) else keep_rows(dataset, rows)


_FLAGS = ("extensive", "nonnegative")
"""What may be said of the targets of any data set, whatever it says itself."""


def _declared(dataset: Dataset, said: Mapping[str, Sequence[str]]) -> Dataset:
    """Return the data set with properties of its targets as they were said."""
    known = [t.name for t in dataset.targets]
    for name in (name for names in said.values() for name in names):
        if name not in known:
            raise DatasetError(f"{dataset.name}: {unknown_name('target', name, known)}")
    targets = tuple(
        replace(
            t,
            extensive=t.extensive or t.name in said.get("extensive", ()),
            nonnegative=t.nonnegative or t.name in said.get("nonnegative", ()),
        )
        for t in dataset.targets
    )
    return replace(dataset, targets=targets)


def _check_names(options: Mapping[str, Any], known: set[str], source: str) -> None:
    for name in options:
        if name not in known:
            raise SettingsError(f"{source}: {unknown_name('option', name, known)}")
