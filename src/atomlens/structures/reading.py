"""Everything a user can give, as ase.Atoms: ``read``, ``read_structures`` and ``to_atoms``."""

import glob
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from atomlens.errors import Failure, StructureError, warn
from atomlens.printing import clean_name, reason, short
from atomlens.structures.arrays import warnings_of
from atomlens.structures.files import (
    is_data,
    kind_of,
    numbered,
    read_file,
    stem_of,
    why_not_read,
)
from atomlens.structures.forms import N_MODELS, Disorder, DisorderChoice, form_of, said_of_models
from atomlens.structures.inputs import (
    FolderStart,
    Input,
    Piece,
    ReadingJob,
    Stray,
    called,
    failure_of,
    is_read,
    numbered_pieces,
    pieces_of,
    source_of_piece,
)
from atomlens.structures.objects import atoms_of
from atomlens.structures.options import FormsHeard, ReadingOptions
from atomlens.structures.parts import FilePart, Pick, read_part
from atomlens.structures.records import Entry, HoldsNoStructureError, add_warning
from atomlens.structures.smiles import conformers_of
from atomlens.structures.text import (
    BOTH_NOTICE,
    are_smiles,
    as_formula,
    forced,
    from_text,
    is_forced,
    is_formula,
    is_smiles,
)
from atomlens.structures.unique_names import UniqueNames, make_names_unique

if TYPE_CHECKING:
    from ase import Atoms

    from atomlens.structures.workers import Outcome


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
        conformers: How many shapes are made of each SMILES, models taken of an mmCIF and conformers
            of an rdkit molecule, at most; if more than 1, ``info["conformer"]`` numbers those of
            one molecule.
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


def read_as(inputs: Input | Iterable[Input], options: ReadingOptions, first: int = 0) -> ReadResult:
    """Read structures like `read_structures`, with the options in one object.

    A message calls the first input ``first``.
    """
    job = ReadingJob.of(options)
    pieces = numbered_pieces(inputs, job, first)
    read = list(_read_pieces(pieces, job, options.n_workers))
    items = [item for found in read for item in found.items]
    structures = [item for item in items if not isinstance(item, Failure)]
    _Texts(pieces).settle(structures)
    make_names_unique(structures)
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


def stream_as(
    inputs: Input | Iterable[Input], options: ReadingOptions, first: int = 0
) -> "Iterator[ReadPiece]":
    """Yield structures like `stream_structures`, with the options in one object.

    Beside each list stands what it came from. A message calls the first input ``first``.
    """
    job = ReadingJob.of(options, in_parts=True)
    pieces = numbered_pieces(inputs, job, first)
    names, told = UniqueNames(piece for _, piece in pieces), _Told()
    texts = _Texts(pieces)
    for found in _read_pieces(pieces, job, options.n_workers):
        structures = [item for item in found.items if not isinstance(item, Failure)]
        texts.settle(structures)
        names.make_unique(structures)
        told.hear(structures)
        yield found._replace(items=list(map(options.judged, found.items)))
    told.tell()
    for sentence in job.left_out:
        warn(sentence)


def list_pieces(
    inputs: Iterable["str | os.PathLike[str]"], leave_out: Iterable[Path]
) -> "Iterator[tuple[str, Any] | Failure]":
    """Yield what there is to be read for texts and paths, in order, before anything is opened.

    `read_piece` reads each, in this process or another. What is left out of folders is told by a
    warning in the end; each such file is a piece of the kind ``other``, too.
    """
    job = ReadingJob.of(ReadingOptions(leave_out=tuple(leave_out)), in_parts=True)
    for one in inputs:
        for piece in pieces_of(one, job):
            if isinstance(piece, Failure):
                yield piece
            elif isinstance(piece, FolderStart):
                job.note_left_out(piece.where, sorted(piece.others))
                yield from (("other", path) for path in sorted(piece.others))
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
    if kind == "other":
        failure = failure_of(what.name, f"{what}: {why_not_read(what)}")
        return [replace(failure, source=str(what))], True
    found = _read_piece(kind, what, choice)
    return ([found.failure], True) if isinstance(found, Stray) else (found, False)


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


_SECONDS = {"text": 0.01, "file": 0.0004, "member": 0.0004, "object": 0.0, "part": 0.1}
_SECONDS["pick"] = 0.01
"""About how long a piece takes: most of a text's time makes a SMILES three-dimensional."""
_MEANWHILE = _SECONDS | {"text": 0.0006, "pick": 0.0006}
"""About how long whoever takes structures as they come has to do with them: a small network."""


class _Texts:
    """What the texts among the inputs say of those that are a SMILES and a formula."""

    def __init__(self, pieces: Sequence[tuple[int, Piece]]) -> None:
        self._pieces = pieces

    @cached_property
    def _are_smiles(self) -> bool:
        return are_smiles(p[1] for _, p in self._pieces if is_read(p) and p[0] == "text")

    def settle(self, structures: "Iterable[Atoms]") -> None:
        """Take away the notice of both meanings where the others of the list are SMILES."""
        for atoms in structures:
            noted = warnings_of(atoms)
            if BOTH_NOTICE in noted and self._are_smiles:
                atoms.info["warnings"] = [said for said in noted if said != BOTH_NOTICE]
                if len(noted) == 1:
                    del atoms.info["warnings"]


class ReadPiece(NamedTuple):
    """What was read at a time."""

    number: int
    """Which of the inputs it came of, from 0"""
    source: str
    """Path, or text, that it came from; empty for an object"""
    items: "list[Atoms | Failure]"


def _read_pieces(
    pieces: Sequence[tuple[int, Piece]], job: ReadingJob, n_workers: int
) -> Iterator[ReadPiece]:
    """Yield what each piece holds, in order.

    Args:
        pieces: Behind the number of the input that each is of.
        job: How they are read.
        n_workers: Processes; objects are read in this one.
    """
    from atomlens.structures.workers import chosen_readers, outcomes

    kinds = Counter(p[0] for _, p in pieces if is_read(p))
    seconds = sum(n * _SECONDS[kind] for kind, n in kinds.items())
    meanwhile = sum(n * _MEANWHILE[k] for k, n in kinds.items()) if job.in_parts else 0.0
    n_readers = chosen_readers(n_workers, seconds, meanwhile)
    away = ((_read_piece, (*p, job.disorder)) for _, p in pieces if is_read(p) and p[0] != "object")
    long = kinds["part"] > 0  # a few of these fill the memory of many files
    pace: dict[str, int] = {"together": 64} if seconds < 0.001 * kinds.total() else {}
    pace = {"together": 1, "ahead": 3 * n_readers} if long else pace
    found = outcomes(away, n_readers, beside=True, **pace) if n_readers else None
    around: list[FolderStart] = []
    try:
        for number, piece in pieces:
            if isinstance(piece, Failure):
                yield ReadPiece(number, piece.source, [piece])
            elif isinstance(piece, FolderStart):
                around.append(piece)
            elif isinstance(piece, str):
                for failures in _end_of(around.pop(), job):
                    yield ReadPiece(number, failures[0].source, [*failures])
            else:
                if found is None or piece[0] == "object":
                    read = _read_piece(*piece, job.disorder)
                else:
                    read = _away(next(found), piece[1])
                if isinstance(read, Stray):
                    around[-1].strays.append(read)
                else:
                    yield ReadPiece(number, source_of_piece(piece[1]), read)
    finally:
        if found is not None:
            found.close()


def _away(outcome: "Outcome", what: Any) -> "list[Atoms | Failure] | Stray":
    """Return what another process has read."""
    try:
        found: list[Atoms | Failure] | Stray = outcome.get()
    except StructureError as error:  # the process died
        name = called(what)
        return [failure_of(name, f"{name}: {error}")]
    return found


def _end_of(many: FolderStart, job: ReadingJob) -> Iterator[list[Failure]]:
    """Name the files of a folder that hold no structures; if none does, each is a failure."""
    if len(many.strays) == many.n:
        yield from ([stray.failure] for stray in many.strays)
    else:
        job.note_left_out(many.where, sorted(many.others))
        job.note_strays(many.where, sorted(stray.path for stray in many.strays))


def _read_piece(kind: str, what: Any, disorder: DisorderChoice) -> "list[Atoms | Failure] | Stray":
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
        failure = replace(failure_of(what.name, f"{what}: {error}"), source=str(what))
        return Stray(what, failure) if kind == "member" else [failure]
    except StructureError as error:
        return [failure_of(called(what), str(error))]
    except Exception as error:  # an object that its own package would not accept
        name = called(what)
        return [failure_of(name, f"{name}: it cannot be used ({reason(error)}); check the object")]


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
    looks_like_path |= re.fullmatch(r"[\w.-]*[*?][\w.*?-]*\.[a-z]\w+", text) is not None
    if looks_like_path and not (is_smiles(text) or is_formula(text)):
        if glob.has_magic(text):
            raise StructureError(f"{short(text)}: no file matches this pattern; check it")
        raise StructureError(f"{short(text)}: there is no such file or folder; check the path")


def _from_file(path: Path, disorder: DisorderChoice) -> "Iterator[Atoms | Failure]":
    try:
        entries = read_file(path, disorder)
    except HoldsNoStructureError:
        raise
    except StructureError as error:
        yield failure_of(path.name, f"{path}: {error}")
        return
    yield from _named(path, entries, 0, len(entries) > 1)


def _from_part(part: FilePart) -> "Iterator[Atoms | Failure]":
    try:
        entries = read_part(part)
    except StructureError as error:
        yield failure_of(part.path.name, f"{part.path}: {error}")
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
            yield failure_of(name if many else path.name, f"{where}: {entry.problem}")
        else:
            entry.atoms.info.update(name=clean_name(name), source=str(path))
            yield entry.atoms


class _Told:
    """Warns once for each kind of remark, naming the structures; each keeps its own as well."""

    def __init__(self) -> None:
        self.names: dict[str, list[str]] = {}
        self.counts: Counter[str] = Counter()

    def hear(self, structures: "list[Atoms]") -> None:
        for atoms in structures:
            for sentence in map(said_of_models, warnings_of(atoms)):
                self.counts[sentence] += 1
                first = self.names.setdefault(sentence, [])
                if len(first) < 5:
                    first.append(str(atoms.info["name"]))

    def tell(self) -> None:
        for sentence, names in self.names.items():
            n_more = self.counts[sentence] - len(names)
            more = f" and {n_more} more" if n_more else ""
            warn(f"{', '.join(names)}{more}: {sentence}")
