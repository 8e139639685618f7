"""Everything a user can give, as ase.Atoms: ``read``, ``read_structures`` and ``to_atoms``."""

import glob
import os
import re
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from atomlens.errors import Failure, StructureError
from atomlens.printing import clean_name
from atomlens.structures.arrays import name_of, warnings_of
from atomlens.structures.bonding import LONGEST_SMILES
from atomlens.structures.disorder import N_MODELS, Disorder, DisorderChoice, form_of
from atomlens.structures.files import files_in, kind_of, known_kinds, numbered, read_file, stem_of
from atomlens.structures.formulas import amounts_in_formula, from_formula
from atomlens.structures.molecules import (
    conformers_of,
    from_smiles,
    parse_smiles,
    smiles_problem,
)
from atomlens.structures.objects import atoms_of
from atomlens.structures.records import (
    HoldsNoStructureError,
    add_warning,
    one_line,
    reason,
    short,
)

if TYPE_CHECKING:
    from ase import Atoms

_LONGEST_PATTERN, _MOST_FOLDERS = 1000, 100_000

Input: TypeAlias = Any
"""Text, path, ase.Atoms, pymatgen Structure, Molecule or Composition, or rdkit Mol."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadResult:
    """What came of each input, in the order of the inputs."""

    items: "tuple[Atoms | Failure, ...]"
    """One for each structure; one Failure for a file of which nothing could be read."""

    @property
    def structures(self) -> "list[Atoms]":
        """The good ones, each with a unique ``info["name"]``."""
        return [item for item in self.items if not isinstance(item, Failure)]

    @property
    def failures(self) -> list[Failure]:
        """The bad ones: name, and a sentence that says what is wrong and what to do."""
        return [item for item in self.items if isinstance(item, Failure)]


class _Job(NamedTuple):
    """How one call reads, and what it leaves out."""

    disorder: DisorderChoice
    left_out: list[str]
    """A sentence for each folder or pattern"""
    not_looked_at: frozenset[Path]
    """Absolute paths that folders and patterns pass over"""

    def note_left_out(self, where: str, others: list[Path]) -> None:
        """Name the files that are not read since they are of another kind."""
        if others:
            more = f" and {len(others) - 5} more" if len(others) > 5 else ""
            names = ", ".join(clean_name(path.name) for path in others[:5])
            self.left_out.append(
                f"{one_line(where)}: left out, since they hold no structures that can be read: "
                f"{names}{more}"
            )


def read(
    inputs: Input | Iterable[Input],
    *,
    disorder: Disorder = "refuse",
    n_models: int = N_MODELS,
    conformers: int = 1,
) -> "list[Atoms]":
    """Read structures from files, folders, globs, SMILES, formulas or objects.

    Args:
        inputs: One of them or several.
        disorder: What to do with a disordered crystal: ``refuse`` it, take the ``majority`` of
            each place or group, or ``enumerate`` ordered models drawn by the occupancies.
        n_models: How many models ``enumerate`` makes at most.
        conformers: How many shapes are made of each SMILES, or models taken of an mmCIF, at most;
            if more than 1, ``info["conformer"]`` numbers those of one molecule.

    Names are in ``info["name"]``, unique in one call; the file is in ``info["source"]``.
    Structures that cannot be used are left out with one warning that names them.

    Raises StructureError if there is no usable structure.
    """
    result = read_structures(inputs, disorder=disorder, n_models=n_models, conformers=conformers)
    structures, failures = result.structures, result.failures
    if not structures:
        raise StructureError(_all_failed(failures))
    if failures:
        shown = "; ".join(failure.message for failure in failures[:5])
        more = f"; and {len(failures) - 5} more" if len(failures) > 5 else ""
        warnings.warn(
            f"{len(failures)} of {len(result.items)} structures cannot be used and were left out: "
            f"{shown}{more}",
            stacklevel=2,
        )
    return structures


def read_structures(
    inputs: Input | Iterable[Input],
    *,
    disorder: Disorder = "refuse",
    n_models: int = N_MODELS,
    conformers: int = 1,
    leave_out: Iterable[Path] = (),
) -> ReadResult:
    """Read structures like `read`, with a Failure in the place of each one that is bad.

    Folders are searched with all folders in them, for files of known kinds, in sorted
    order; what is of another kind or in ``leave_out``, as the files that the caller writes, is
    passed over. A file with many structures gives one item for each. Never raises for a bad
    input; remarks, such as deuterium read as hydrogen, are warnings, and stay with their
    structure in ``info["warnings"]``.
    """
    passed_over = frozenset(Path(path).resolve() for path in leave_out)
    choice = DisorderChoice(how=disorder, n_models=n_models, conformers=conformers)
    job = _Job(choice, [], passed_over)
    items = [item for one in _listed(inputs) for item in _items(one, job)]
    structures = [item for item in items if not isinstance(item, Failure)]
    _make_names_unique(structures)
    _tell_warnings(structures)
    for sentence in job.left_out:
        warnings.warn(sentence, stacklevel=2)
    return ReadResult(items=tuple(items))


def to_atoms(structure: Input, *, disorder: Disorder = "refuse") -> "Atoms":
    """Return one structure as a new, checked ase.Atoms; see `read` for ``disorder``.

    Raises StructureError if it is bad, or if it is a file or folder with several.
    """
    return _one_of(structure, to_forms(structure, DisorderChoice(how=disorder)))


def to_forms(structure: Input, choice: DisorderChoice) -> "list[Atoms]":
    """Return the forms of one structure: its ordered models or conformers, one for most.

    Raises StructureError if it is bad, or if it is a file or folder with several structures.
    """
    result = read_structures(
        [structure],
        disorder=choice.how,
        n_models=choice.n_models,
        conformers=choice.conformers,
    )
    if result.failures:
        raise StructureError(result.failures[0].message)
    found = result.structures
    return (
        found
        if [form_of(atoms) for atoms in found] == list(range(len(found)))
        else [_one_of(structure, found)]
    )


def _one_of(structure: Input, found: "list[Atoms]") -> "Atoms":
    if len(found) > 1:
        raise StructureError(
            f"{structure}: there are {len(found)} structures in it where one is asked for; "
            "use read to have them all"
        )
    return found[0]


def _all_failed(failures: list[Failure]) -> str:
    if len(failures) == 1:
        return failures[0].message
    if not failures:
        return "There is no input; give a file, a folder, a SMILES or a formula."
    return (
        f"None of {len(failures)} structures can be used; the first problem: {failures[0].message}"
    )


def _listed(inputs: Any) -> list[Any]:
    if isinstance(inputs, (list, tuple, set, frozenset, Iterator)):
        return list(inputs)
    if hasattr(inputs, "tolist"):  # arrays of numpy, columns of pandas
        return list(inputs.tolist())
    return [inputs]


def _items(one: Any, job: _Job) -> "Iterator[Atoms | Failure]":
    """Yield what one input holds."""
    try:
        if isinstance(one, (str, os.PathLike)):
            yield from _from_text_or_path(one, job)
            return
        yield from atoms_of(one, job.disorder)
    except StructureError as error:
        yield _failure(_called(one), str(error))
    except Exception as error:  # an object that its own package would not accept
        what = _called(one)
        yield _failure(what, f"{what}: it cannot be used ({reason(error)}); check the object")


def _from_text_or_path(one: "str | os.PathLike[str]", job: _Job) -> "Iterator[Atoms | Failure]":
    if isinstance(one, str):
        text = one.strip()
        if not text:
            raise StructureError("The text is empty; give a file, a folder, a SMILES or a formula.")
        if is_forced(text):
            yield from _forms_of_text(text, job)
            return
        if not _exists(text):
            paths, others = _glob(text, job.not_looked_at)
            if paths:
                yield from _from_many(text, paths, others, job)
            else:
                _refuse_missing_file(text)
                yield from _forms_of_text(text, job)
            return
    yield from _from_path(Path(os.path.expanduser(one)), job)


def _exists(text: str) -> bool:
    return os.path.exists(os.path.expanduser(text))


def _glob(text: str, not_looked_at: frozenset[Path]) -> tuple[list[Path], list[Path]]:
    """Return the files and folders that a pattern matches, and the matches of other kinds.

    If there are only others, they are what was meant. Brackets alone are more likely a SMILES
    than a pattern.
    """
    if not glob.has_magic(text) or "\0" in text or len(text) > _LONGEST_PATTERN:
        return [], []
    if not any(sign in text for sign in "*?") and is_smiles(text):
        return [], []
    paths = sorted(Path(p) for p in _matches(os.path.expanduser(text)))
    paths = [path for path in paths if path.resolve() not in not_looked_at]
    folders = {path for path in paths if path.is_dir()}
    paths = [path for path in paths if folders.isdisjoint(path.parents)]  # they are read by these
    known = [path for path in paths if path in folders or kind_of(path) is not None]
    if not known:
        return paths, []
    return known, sorted(set(paths) - set(known))


def _matches(pattern: str) -> Iterator[str]:
    """Yield what a pattern matches; ``**`` stands for folders of any depth, links not followed."""
    parts = pattern.split(os.sep)
    parts = [part for i, part in enumerate(parts) if part != "**" or parts[i - 1 : i] != ["**"]]
    if "**" not in parts:
        yield from glob.iglob(pattern)
        return
    place = parts.index("**")
    before, after = os.sep.join(parts[:place]), parts[place + 1 :]
    if "**" in after:
        raise StructureError(f"{short(pattern)}: a pattern can have one **; leave the others out")
    roots = [os.sep] if place and not before else glob.glob(before) if before else [""]
    n_folders = 0
    for root in roots:
        for folder, folders, _ in os.walk(root or os.curdir):
            n_folders += 1
            if n_folders > _MOST_FOLDERS:
                raise StructureError(
                    f"{short(pattern)}: more than {_MOST_FOLDERS} folders would be searched; name "
                    "the folder to begin with"
                )
            folders[:] = [name for name in folders if not name.startswith(".")]
            inside = os.sep.join(after) or "*"
            for found in glob.iglob(inside, root_dir=folder):
                yield os.path.normpath(os.path.join(folder, found))


def _forms_of_text(text: str, job: _Job) -> "list[Atoms]":
    """Return a SMILES or formula; of a SMILES the conformers, if several are asked for."""
    atoms = forced(text) or from_text(text)
    smiles, said = atoms.info.get("smiles"), warnings_of(atoms)
    if job.disorder.conformers == 1 or not isinstance(smiles, str):
        return [atoms]
    found = conformers_of(smiles, job.disorder.conformers)
    for one in found:
        one.info["name"] = atoms.info["name"]
        for sentence in said:
            add_warning(one, sentence)
    return found


def _refuse_missing_file(text: str) -> None:
    """Raise a StructureError for a text that is meant as the path of a file."""
    looks_like_path = os.sep in text or kind_of(Path(text)) is not None
    if looks_like_path and not (is_smiles(text) or is_formula(text)):
        if glob.has_magic(text):
            raise StructureError(f"{short(text)}: no file matches this pattern; check it")
        raise StructureError(f"{short(text)}: there is no such file or folder; check the path")


def _from_path(path: Path, job: _Job, is_one_of_many: bool = False) -> "Iterator[Atoms | Failure]":
    if not os.path.exists(path):
        yield _failure(path.name, f"{path}: there is no such file or folder; check the path")
    elif os.path.isdir(path):
        unread: list[OSError] = []
        files, others = files_in(path, unread.append, job.not_looked_at)
        yield from _from_many(str(path), files, others, job)
        for problem in unread:
            folder = str(problem.filename)
            why = f"this folder cannot be looked into ({problem.strerror}); change its permissions"
            yield _failure(Path(folder).name, f"{folder}: {why}")
        if not files and not unread:
            yield _failure(
                path.name, f"{path}: no structure file is in this folder; known are {known_kinds()}"
            )
    else:
        yield from _from_file(path, job, is_one_of_many)


def _from_many(
    where: str, paths: list[Path], others: list[Path], job: _Job
) -> "Iterator[Atoms | Failure]":
    """Yield what the files of a folder or pattern hold, and name those that are something else.

    If all of them are, each is a failure.
    """
    strays: list[Path] = []
    problems: list[Failure] = []
    for path in paths:
        try:
            yield from _from_path(path, job, is_one_of_many=True)
        except HoldsNoStructureError as problem:
            strays.append(path)
            problems.append(_failure(path.name, f"{path}: {problem}"))
    if paths and len(strays) == len(paths):
        yield from problems
    elif paths:
        job.note_left_out(where, sorted([*others, *strays]))


def _from_file(path: Path, job: _Job, is_one_of_many: bool) -> "Iterator[Atoms | Failure]":
    try:
        entries = read_file(path, job.disorder)
    except HoldsNoStructureError as error:
        if is_one_of_many:
            raise
        yield _failure(path.name, f"{path}: {error}")
        return
    except StructureError as error:
        yield _failure(path.name, f"{path}: {error}")
        return
    for i, (name, entry) in enumerate(numbered(stem_of(path), entries)):
        if entry.atoms is None:
            many = len(entries) > 1
            where = f"{path}, structure {i} (counted from 0)" if many else str(path)
            yield _failure(name if many else path.name, f"{where}: {entry.problem}")
        else:
            entry.atoms.info.update(name=clean_name(name), source=str(path))
            yield entry.atoms


def _failure(name: str, message: str) -> Failure:
    return Failure(name=one_line(name), message=one_line(message))


def _called(one: Any) -> str:
    if isinstance(one, (str, os.PathLike)):
        line = one_line(str(one))
        return line if len(line) <= 200 else line[:197] + "..."
    return f"a {type(one).__name__} object"


def _make_names_unique(structures: "list[Atoms]") -> None:
    """Tell equal names apart by the folders they come from, then by a number behind them."""
    folders: dict[str, set[str]] = {}
    for atoms in structures:
        folders.setdefault(name_of(atoms), set()).add(_folder(atoms))
    seen: set[str] = set()
    numbers: dict[str, int] = {}
    for atoms in structures:
        given = name_of(atoms)
        folder = _folder(atoms) if len(folders[given]) > 1 else ""
        name = f"{folder}-{given}" if folder else given
        unique, number = name, numbers.get(name, 1)
        while unique in seen or (unique in folders and unique != given):
            number += 1
            unique = f"{name}-{number}"
        numbers[name] = number
        seen.add(unique)
        atoms.info["name"] = unique


def _folder(atoms: "Atoms") -> str:
    """Return the name of the folder that a structure was read from; empty for text."""
    source = atoms.info.get("source")
    return one_line(Path(source).absolute().parent.name) if isinstance(source, str) else ""


def _tell_warnings(structures: "list[Atoms]") -> None:
    """Warn once for each kind of remark, naming the structures; each keeps its own as well."""
    told: dict[str, list[str]] = {}
    for atoms in structures:
        for sentence in warnings_of(atoms):
            told.setdefault(sentence, []).append(str(atoms.info["name"]))
    for sentence, names in told.items():
        more = f" and {len(names) - 5} more" if len(names) > 5 else ""
        warnings.warn(f"{', '.join(names[:5])}{more}: {sentence}", stacklevel=3)


BOTH_NOTICE = (
    "valid as SMILES and as formula, read as SMILES; put `formula:` in front for the formula or "
    "`smiles:` to silence this"
)


def is_forced(text: str) -> bool:
    """Say whether a text has the prefix ``smiles:`` or ``formula:``."""
    prefix, colon, _ = text.strip().partition(":")
    return bool(colon) and prefix.lower() in ("smiles", "formula")


def forced(text: str) -> "Atoms | None":
    """Return what a text with the prefix ``smiles:`` or ``formula:`` means, else None."""
    if not is_forced(text):
        return None
    prefix, _, rest = text.strip().partition(":")
    return from_smiles(rest) if prefix.lower() == "smiles" else from_formula(rest)


def is_smiles(text: str) -> bool:
    """Say whether rdkit accepts a text as SMILES."""
    return parse_smiles(text.strip()) is not None


def is_formula(text: str) -> bool:
    """Say whether a text can be read as a formula."""
    try:
        return bool(amounts_in_formula(text))
    except StructureError:
        return False


def from_text(text: str) -> "Atoms":
    """Return a SMILES or, if it is none, a formula as ase.Atoms.

    A text that is valid as both, each element written once (``CO``, not ``CCO``), is read
    as SMILES with a notice. Raises StructureError for a text that is neither.
    """
    text = text.strip()
    if len(text) > LONGEST_SMILES:
        raise StructureError(
            f"{short(text)} has {len(text)} letters, too many for a SMILES or formula (at most "
            f"{LONGEST_SMILES}); give a file"
        )
    if is_smiles(text):
        atoms = from_smiles(text)
        if _is_plausible_formula(text):
            add_warning(atoms, BOTH_NOTICE)
        return atoms
    try:
        return from_formula(text)
    except StructureError as error:
        if re.search(r"[=#@\\/\[\]+-]|[cnops](?![a-z])\d", text):
            raise StructureError(
                f"{short(text)} is no file, no formula and not a valid SMILES: "
                f"{smiles_problem(text)}"
            ) from error
        raise StructureError(f"{short(text)} is no file, no SMILES, and {_after(error)}") from error


def _is_plausible_formula(text: str) -> bool:
    return is_formula(text) and len(re.findall(r"[A-Z]", text)) == len(amounts_in_formula(text))


def _after(error: StructureError) -> str:
    """Return the formula's problem without the text that it repeats."""
    before, mark, after = str(error).partition("not a formula: ")
    return mark + after if mark else before
