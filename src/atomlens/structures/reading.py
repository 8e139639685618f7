"""Everything a user can give, as ase.Atoms: ``read``, ``read_structures`` and ``to_atoms``."""

import glob
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias, TypeGuard

from atomlens.errors import Failure, StructureError, warn
from atomlens.printing import clean_name, kind_of_object
from atomlens.structures.arrays import name_of, warnings_of
from atomlens.structures.disorder import N_MODELS, Disorder, DisorderChoice, form_of
from atomlens.structures.files import (
    files_in,
    is_data,
    kind_of,
    known_kinds,
    numbered,
    read_file,
    stem_of,
    what_lies_there,
)
from atomlens.structures.objects import as_list, atoms_of
from atomlens.structures.options import FormsHeard, ReadingOptions
from atomlens.structures.parts import Part, Pick, parts_of, pick_of, read_part
from atomlens.structures.records import (
    Entry,
    HoldsNoStructureError,
    add_warning,
    one_line,
    reason,
    short,
)
from atomlens.structures.smiles import conformers_of
from atomlens.structures.text import as_formula, forced, from_text, is_forced, is_formula, is_smiles

if TYPE_CHECKING:
    from ase import Atoms

    from atomlens.structures.workers import Outcome

_LONGEST_PATTERN, _MOST_FOLDERS = 1000, 100_000

Input: TypeAlias = Any
"""Text, path, ase.Atoms, pymatgen Structure, Molecule or Composition, or rdkit Mol."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadResult:
    """What came of each input, in the order of the inputs."""

    items: "tuple[Atoms | Failure, ...]"
    """One for each structure; one Failure for a file of which nothing could be read."""
    sources: tuple[str, ...] = ()
    """Path of the file, or the text, that each came from; empty for objects."""
    numbers: tuple[int, ...] = ()
    """Which of the inputs each came of, from 0."""

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
    in_parts: bool = False
    """Long files are read some hundred structures at a time"""

    def note_left_out(self, where: str, others: list[Path]) -> None:
        """Name the files that are not read since they are of another kind."""
        if others:
            more = f" and {len(others) - 5} more" if len(others) > 5 else ""
            names = ", ".join(clean_name(path.name) for path in others[:5])
            self.left_out.append(
                f"{one_line(where)}: left out, since they hold no structures that can be read: "
                f"{names}{more}"
            )


def _job(options: ReadingOptions) -> _Job:
    return _Job(options.forms, [], frozenset(Path(path).resolve() for path in options.leave_out))


def read(
    inputs: Input | Iterable[Input],
    *,
    disorder: Disorder = "refuse",
    n_models: int = N_MODELS,
    conformers: int = 1,
    n_workers: int = 1,
) -> "list[Atoms]":
    """Read structures from files, folders, globs, SMILES, formulas or objects.

    Args:
        inputs: One of them or several.
        disorder: What to do with a disordered crystal: ``refuse`` it, take the ``majority`` of
            each place or group, or ``enumerate`` ordered models drawn by the occupancies.
        n_models: How many models ``enumerate`` makes at most.
        conformers: How many shapes are made of each SMILES, or models taken of an mmCIF, at most;
            if more than 1, ``info["conformer"]`` numbers those of one molecule.
        n_workers: Processes that read files and SMILES side by side; 0: one a core, where that
            is worth it. The result does not depend on it.

    Names are in ``info["name"]``, unique in one call; the file is in ``info["source"]``.
    Structures that cannot be used are left out with one warning that names them.

    Raises StructureError if there is no usable structure.
    """
    choice = DisorderChoice(how=disorder, n_models=n_models, conformers=conformers)
    result = read_as(inputs, ReadingOptions(forms=choice, n_workers=n_workers))
    _tell_idle(choice, result.items)
    structures, failures = result.structures, result.failures
    if not structures:
        raise StructureError(_all_failed(failures))
    if failures:
        shown = "; ".join(failure.message for failure in failures[:5])
        more = f"; and {len(failures) - 5} more" if len(failures) > 5 else ""
        warn(
            f"{len(failures)} of {len(result.items)} structures cannot be used and were left out: "
            f"{shown}{more}"
        )
    return structures


def read_structures(
    inputs: Input | Iterable[Input],
    *,
    disorder: Disorder = "refuse",
    n_models: int = N_MODELS,
    conformers: int = 1,
    leave_out: Iterable[Path] = (),
    n_workers: int = 1,
) -> ReadResult:
    """Read structures like `read`, with a Failure in the place of each one that is bad.

    Folders are searched with all folders in them, for files of known kinds, in sorted
    order; what is of another kind or in ``leave_out``, as the files that the caller writes, is
    passed over. A file with many structures gives one item for each. Never raises for a bad
    input; remarks, such as deuterium read as hydrogen, are warnings, and stay with their
    structure in ``info["warnings"]``.
    """
    choice = DisorderChoice(how=disorder, n_models=n_models, conformers=conformers)
    options = ReadingOptions(forms=choice, leave_out=tuple(leave_out), n_workers=n_workers)
    result = read_as(inputs, options)
    _tell_idle(choice, result.items)
    return result


def _tell_idle(choice: DisorderChoice, items: "Iterable[Atoms | Failure]") -> None:
    """Warn of a choice of forms that is about nothing that was read."""
    heard = FormsHeard(choice)
    heard.hear(items)
    heard.tell()


def read_as(inputs: Input | Iterable[Input], options: ReadingOptions) -> ReadResult:
    """Read structures like `read_structures`, with the options in one object."""
    job = _job(options)
    read = list(_read_pieces(_numbered_pieces(inputs, job), job, options.n_workers))
    items = [item for found in read for item in found.items]
    structures = [item for item in items if not isinstance(item, Failure)]
    _make_names_unique(structures)
    told = _Told()
    told.hear(structures)
    told.tell()
    for sentence in job.left_out:
        warn(sentence)
    return ReadResult(
        items=tuple(map(options.judged, items)),
        sources=tuple(found.source for found in read for _ in found.items),
        numbers=tuple(found.number for found in read for _ in found.items),
    )


def stream_structures(
    inputs: Input | Iterable[Input],
    *,
    disorder: Disorder = "refuse",
    n_models: int = N_MODELS,
    conformers: int = 1,
    leave_out: Iterable[Path] = (),
    n_workers: int = 1,
) -> "Iterator[list[Atoms | Failure]]":
    """Yield what `read_structures` returns, one list for each file, text or object, in order.

    Long XYZ files and databases give a list for some hundred structures. What was read is not
    kept, so any number of files fits into memory; their names are. Names are unique as those of
    `read_structures` are, except that of names which files in different folders give to their
    structures the first stays as it is.
    """
    choice = DisorderChoice(how=disorder, n_models=n_models, conformers=conformers)
    options = ReadingOptions(forms=choice, leave_out=tuple(leave_out), n_workers=n_workers)
    heard = FormsHeard(choice)
    for found in stream_as(inputs, options):
        heard.hear(found.items)
        yield found.items
    heard.tell()


def stream_as(inputs: Input | Iterable[Input], options: ReadingOptions) -> "Iterator[ReadPiece]":
    """Yield structures like `stream_structures`, with the options in one object.

    Beside each list stands what it came from.
    """
    job = _job(options)._replace(in_parts=True)
    pieces = _numbered_pieces(inputs, job)
    names, told = _Names([piece for _, piece in pieces]), _Told()
    for found in _read_pieces(pieces, job, options.n_workers):
        structures = [item for item in found.items if not isinstance(item, Failure)]
        names.make_unique(structures)
        told.hear(structures)
        yield found._replace(items=list(map(options.judged, found.items)))
    told.tell()
    for sentence in job.left_out:
        warn(sentence)


def list_pieces(
    inputs: Iterable["str | os.PathLike[str]"], leave_out: Iterable[Path] = ()
) -> "Iterator[tuple[str, Any] | Failure]":
    """Yield what there is to be read for texts and paths, in order, before anything is opened.

    `read_piece` reads each, in this process or another. What is left out of folders is told by a
    warning in the end.
    """
    job = _job(ReadingOptions(leave_out=tuple(leave_out)))._replace(in_parts=True)
    for one in inputs:
        for piece in _pieces(one, job):
            if isinstance(piece, Failure):
                yield piece
            elif isinstance(piece, _Many):
                job.note_left_out(piece.where, sorted(piece.others))
            elif not isinstance(piece, str):
                yield piece
    for sentence in job.left_out:
        warn(sentence)


def read_piece(
    kind: str, what: Any, choice: DisorderChoice
) -> "tuple[list[Atoms | Failure], bool]":
    """Return what a piece holds, and whether it is a file that a folder merely had among others.

    Never raises for a bad one. A file of a folder that turns out to hold something else than
    structures is one failure, and the second value is True.
    """
    found = _read_piece(kind, what, choice)
    return ([found.failure], True) if isinstance(found, _Stray) else (found, False)


def to_atoms(structure: Input, *, disorder: Disorder = "refuse") -> "Atoms":
    """Return one structure as a new, checked ase.Atoms; see `read` for ``disorder``.

    Raises StructureError if it is bad, or if it is a file or folder with several.
    """
    return _one_of(structure, to_forms(structure, DisorderChoice(how=disorder)))


def to_forms(structure: Input, choice: DisorderChoice) -> "list[Atoms]":
    """Return the forms of one structure: its ordered models or conformers, one for most.

    Raises StructureError if it is bad, or if it is a file or folder with several structures.
    """
    result = read_as([structure], ReadingOptions(forms=choice))
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


class _Many(NamedTuple):
    """Stands before the files of a folder or pattern."""

    where: str
    n: int
    """Files and folders"""
    others: list[Path]
    """Those of unknown kinds"""
    strays: "list[_Stray]"


class _Stray(NamedTuple):
    """A file of a folder or pattern that turned out to hold something else than structures."""

    path: Path
    failure: Failure


_END = "end of many"
_Piece: TypeAlias = (
    "tuple[Literal['text', 'file', 'member', 'object', 'part', 'pick'], Any] | _Many | str "
    "| Failure"
)
"""What is read at a time, in this process or another, or what stands between."""

_SECONDS = {"text": 0.01, "file": 0.0006, "member": 0.0006, "object": 0.0, "part": 0.1}
_SECONDS["pick"] = 0.01
"""About how long a piece takes: most of a text's time makes a SMILES three-dimensional."""
_MEANWHILE = _SECONDS | {"text": 0.0006, "pick": 0.0006}
"""About how long whoever takes structures as they come has to do with them: a small network."""


class ReadPiece(NamedTuple):
    """What was read at a time."""

    number: int
    """Which of the inputs it came of, from 0"""
    source: str
    """Path, or text, that it came from; empty for an object"""
    items: "list[Atoms | Failure]"


def _numbered_pieces(inputs: Any, job: _Job) -> list[tuple[int, _Piece]]:
    """Return what has to be read for each input, behind the number of the input."""
    return [(i, piece) for i, one in enumerate(as_list(inputs)) for piece in _pieces(one, job)]


def _pieces(one: Any, job: _Job) -> Iterator[_Piece]:
    """Yield what has to be read for one input; nothing is opened yet."""
    try:
        if isinstance(one, (str, os.PathLike)):
            yield from _of_text_or_path(one, job)
        else:
            yield "object", one
    except StructureError as error:
        yield replace(_failure(_called(one), str(error)), source=_source(one))
    except Exception as error:
        what = _called(one)
        said = f"{what}: it cannot be used ({reason(error)}); check the object"
        yield replace(_failure(what, said), source=_source(one))


def _of_text_or_path(one: "str | os.PathLike[str]", job: _Job) -> Iterator[_Piece]:
    if isinstance(one, str):
        text = one.strip()
        if not text:
            raise StructureError("The text is empty; give a file, a folder, a SMILES or a formula.")
        if is_forced(text):
            yield "text", one
            return
        if not _exists(text):
            paths, others = _glob(text, job.not_looked_at)
            if paths:
                yield from _of_many(text, paths, others, job)
                return
            if pick_of(text) is None:
                yield "text", one
                return
    pick = None if _exists(os.fspath(one)) else pick_of(os.fspath(one))
    if pick is not None:
        yield "pick", pick
        return
    yield from _of_path(Path(os.path.expanduser(one)), job)


def _read_pieces(
    pieces: Sequence[tuple[int, _Piece]], job: _Job, n_workers: int
) -> Iterator[ReadPiece]:
    """Yield what each piece holds, in order.

    Args:
        pieces: Behind the number of the input that each is of.
        job: How they are read.
        n_workers: Processes; objects are read in this one.
    """
    from atomlens.structures.workers import chosen_readers, outcomes

    real = [p for _, p in pieces if _is_read(p)]
    seconds = sum(_SECONDS[p[0]] for p in real)
    meanwhile = sum(_MEANWHILE[p[0]] for p in real) if job.in_parts else 0.0
    n_readers = chosen_readers(n_workers, seconds, meanwhile)
    away = ((_read_piece, (*p, job.disorder)) for p in real if p[0] != "object")
    long = any(p[0] == "part" for p in real)  # a few of these fill the memory of many files
    pace: dict[str, int] = {"together": 64} if seconds < 0.001 * len(real) else {}
    pace = {"together": 1, "ahead": 3 * n_readers} if long else pace
    found = outcomes(away, n_readers, beside=True, **pace) if n_readers else None
    around: list[_Many] = []
    try:
        for number, piece in pieces:
            if isinstance(piece, Failure):
                yield ReadPiece(number, piece.source, [piece])
            elif isinstance(piece, _Many):
                around.append(piece)
            elif isinstance(piece, str):
                for failures in _end_of(around.pop(), job):
                    yield ReadPiece(number, failures[0].source, [*failures])
            else:
                if found is None or piece[0] == "object":
                    read = _read_piece(*piece, job.disorder)
                else:
                    read = _away(next(found), piece[1])
                if isinstance(read, _Stray):
                    around[-1].strays.append(read)
                else:
                    yield ReadPiece(number, _source(piece[1]), read)
    finally:
        if found is not None:
            found.close()


def _source(what: Any) -> str:
    """Return path or text of a piece; empty for an object."""
    if isinstance(what, Part | Pick):
        return str(what.path)
    return str(what).strip() if isinstance(what, (str, os.PathLike)) else ""


def _is_read(piece: _Piece) -> "TypeGuard[tuple[str, Any]]":
    return isinstance(piece, tuple) and not isinstance(piece, _Many)


def _away(outcome: "Outcome", what: Any) -> "list[Atoms | Failure] | _Stray":
    """Return what another process has read."""
    try:
        found: list[Atoms | Failure] | _Stray = outcome.get()
    except StructureError as error:  # the process died
        name = _called(what)
        return [_failure(name, f"{name}: {error}")]
    return found


def _end_of(many: _Many, job: _Job) -> Iterator[list[Failure]]:
    """Name the files of a folder that hold no structures; if none does, each is a failure."""
    if len(many.strays) == many.n:
        yield from ([stray.failure] for stray in many.strays)
    else:
        job.note_left_out(many.where, sorted([*many.others, *(s.path for s in many.strays)]))


def _read_piece(kind: str, what: Any, disorder: DisorderChoice) -> "list[Atoms | Failure] | _Stray":
    """Return what one piece holds; never raises for a bad one."""
    try:
        if kind in ("file", "member"):
            return list(_from_file(what, disorder))
        if kind == "part":
            return list(_from_part(what))
        if kind == "pick":
            return _from_pick(what, disorder)
        if kind == "object":
            return list(atoms_of(what, disorder))
        text = what.strip()
        if not is_forced(text):
            _refuse_missing_file(text)
        return list(_forms_of_text(text, disorder))
    except HoldsNoStructureError as error:
        failure = replace(_failure(what.name, f"{what}: {error}"), source=str(what))
        return _Stray(what, failure) if kind == "member" else [failure]
    except StructureError as error:
        return [_failure(_called(what), str(error))]
    except Exception as error:  # an object that its own package would not accept
        name = _called(what)
        return [_failure(name, f"{name}: it cannot be used ({reason(error)}); check the object")]


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


def _forms_of_text(text: str, forms: DisorderChoice) -> "list[Atoms]":
    """Return a SMILES or formula; of a SMILES the conformers, if several are asked for."""
    atoms = forced(text) or from_text(text)
    if forms.formulas_first:
        atoms = as_formula(atoms)
    smiles, said = atoms.info.get("smiles"), warnings_of(atoms)
    if forms.conformers == 1 or not isinstance(smiles, str):
        return [atoms]
    found = conformers_of(smiles, forms.conformers)
    for one in found:
        one.info["name"] = atoms.info["name"]
        for sentence in said:
            add_warning(one, sentence)
    return found


def _refuse_missing_file(text: str) -> None:
    """Raise a StructureError for a text that is meant as the path of a file."""
    if text.startswith("InChI="):
        raise StructureError(f"{short(text)}: InChI is not read; give the SMILES of the molecule")
    looks_like_path = os.sep in text or kind_of(Path(text)) is not None or is_data(Path(text))
    if looks_like_path and not (is_smiles(text) or is_formula(text)):
        if glob.has_magic(text):
            raise StructureError(f"{short(text)}: no file matches this pattern; check it")
        raise StructureError(f"{short(text)}: there is no such file or folder; check the path")


def _of_path(path: Path, job: _Job, is_one_of_many: bool = False) -> Iterator[_Piece]:
    if not path.exists():
        said = f"{path}: there is no such file or folder; check the path"
        yield replace(_failure(path.name, said), source=str(path))
    elif os.path.isdir(path):
        unread: list[OSError] = []
        files, others = files_in(path, unread.append, job.not_looked_at)
        yield from _of_many(str(path), files, others, job)
        for problem in unread:
            folder = str(problem.filename)
            why = f"this folder cannot be looked into ({problem.strerror}); change its permissions"
            yield replace(_failure(Path(folder).name, f"{folder}: {why}"), source=folder)
        if not files and not unread:
            said = (
                f"{path}: no structure file is in this folder{what_lies_there(others)}; put some "
                f"there or give another (known are {known_kinds()})"
            )
            yield replace(_failure(path.name, said), source=str(path))
    else:
        found = parts_of(path) if job.in_parts else None
        if found is None:
            yield ("member" if is_one_of_many else "file"), path
        else:
            yield from (("part", part) for part in found)


def _of_many(
    where: str, paths: Sequence[Path], others: Sequence[Path], job: _Job
) -> Iterator[_Piece]:
    """Yield the files of a folder or pattern between the marks of its beginning and end."""
    if paths:
        yield _Many(where, len(paths), list(others), [])
        for path in paths:
            yield from _of_path(path, job, is_one_of_many=True)
        yield _END


def _from_file(path: Path, disorder: DisorderChoice) -> "Iterator[Atoms | Failure]":
    try:
        entries = read_file(path, disorder)
    except HoldsNoStructureError:
        raise
    except StructureError as error:
        yield _failure(path.name, f"{path}: {error}")
        return
    yield from _named(path, entries, 0, len(entries) > 1)


def _from_part(part: Part) -> "Iterator[Atoms | Failure]":
    try:
        entries = read_part(part)
    except StructureError as error:
        yield _failure(part.path.name, f"{part.path}: {error}")
        return
    yield from _named(part.path, entries, part.first, True)


def _from_pick(pick: Pick, disorder: DisorderChoice) -> "list[Atoms | Failure]":
    """Return the structures of a file that are meant, named as among all of them."""
    if not pick.path.is_file():
        raise StructureError(f"{pick.path}: there is no such file; check the path")
    if kind_of(pick.path) is None:
        raise StructureError(
            f"{pick.path}: an @ picks structures of a file that holds nothing but structures, and "
            "this is none; give the whole file"
        )
    try:
        entries = read_file(pick.path, disorder)
        places = pick.places(len(entries))
    except StructureError as error:
        raise StructureError(f"{pick.path}: {error}") from error
    every = list(_named(pick.path, entries, 0, len(entries) > 1))
    return [every[place] for place in places]


def _named(
    path: Path, entries: Sequence[Entry], first: int, many: bool
) -> "Iterator[Atoms | Failure]":
    """Give the entries of a file their names; ``first`` is the number of the first of them."""
    names = numbered(stem_of(path), entries, first, many)
    for i, (name, entry) in enumerate(names, start=first):
        if entry.atoms is None:
            where = f"{path}, structure {i} (counted from 0)" if many else str(path)
            yield _failure(name if many else path.name, f"{where}: {entry.problem}")
        else:
            entry.atoms.info.update(name=clean_name(name), source=str(path))
            yield entry.atoms


def _failure(name: str, message: str) -> Failure:
    return Failure(name=one_line(name), message=one_line(message))


def _called(one: Any) -> str:
    if isinstance(one, Pick):
        one = f"{one.path}@{one.choice}"
    if isinstance(one, Part):
        one = one.path
    if isinstance(one, (str, os.PathLike)):
        line = one_line(str(one))
        return line if len(line) <= 200 else line[:197] + "..."
    return kind_of_object(one)


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


class _Names:
    """Gives unique names to structures that come one file after the other."""

    def __init__(self, pieces: Sequence[_Piece]) -> None:
        folders: dict[str, set[str]] = {}
        counts: Counter[str] = Counter()
        for piece in pieces:
            if _is_read(piece) and piece[0] in ("file", "member"):
                stem = clean_name(stem_of(piece[1]))
                counts[stem] += 1
                folders.setdefault(stem, set()).add(str(piece[1].parent))
        self.shared = frozenset(stem for stem, own in folders.items() if len(own) > 1)
        self.single = frozenset(stem for stem, n in counts.items() if n == 1)
        self.seen: set[str] = set()
        self.numbers: dict[str, int] = {}

    def make_unique(self, structures: "list[Atoms]") -> None:
        """Rename what comes from one piece where need be."""
        for atoms in structures:
            given = name_of(atoms)
            if len(structures) == 1 and given in self.single and "source" in atoms.info:
                atoms.info["name"] = given  # no other can be called so, and none is kept
                continue
            folder = _folder(atoms) if given in self.shared else ""
            name = f"{folder}-{given}" if folder else given
            unique, number = name, self.numbers.get(name, 1)
            own = clean_name(stem_of(Path(str(atoms.info.get("source", "")))))
            while unique in self.seen or (unique in self.single and unique != own):
                number += 1
                unique = f"{name}-{number}"
            self.numbers[name] = number
            self.seen.add(unique)
            atoms.info["name"] = unique


def _folder(atoms: "Atoms") -> str:
    """Return the name of the folder that a structure was read from; empty for text."""
    source = atoms.info.get("source")
    return one_line(Path(source).absolute().parent.name) if isinstance(source, str) else ""


class _Told:
    """Warns once for each kind of remark, naming the structures; each keeps its own as well."""

    def __init__(self) -> None:
        self.names: dict[str, list[str]] = {}
        self.counts: Counter[str] = Counter()

    def hear(self, structures: "list[Atoms]") -> None:
        for atoms in structures:
            for sentence in warnings_of(atoms):
                self.counts[sentence] += 1
                first = self.names.setdefault(sentence, [])
                if len(first) < 5:
                    first.append(str(atoms.info["name"]))

    def tell(self) -> None:
        for sentence, names in self.names.items():
            n_more = self.counts[sentence] - len(names)
            more = f" and {n_more} more" if n_more else ""
            warn(f"{', '.join(names)}{more}: {sentence}")
