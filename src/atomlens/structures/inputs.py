"""What each input stands for: a text, a file, the files of a folder or pattern, an object.

Nothing is opened yet: what comes of an input are pieces, which `reading` reads in this process or
others.
"""

import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias, TypeGuard

from atomlens.errors import Failure, StructureError
from atomlens.printing import clean_name, kind_of_object, one_line, reason, short
from atomlens.structures.files import (
    KINDS,
    content_said,
    endings_of,
    files_in,
    is_data,
    kind_of,
    known_kinds,
    what_lies_there,
)
from atomlens.structures.forms import DisorderChoice
from atomlens.structures.objects import as_list, is_nothing
from atomlens.structures.options import ReadingOptions
from atomlens.structures.parts import FilePart, Pick, parts_of, pick_of
from atomlens.structures.text import (
    is_forced,
    is_formula,
    is_smiles,
    is_smiles_of_formula_letters,
)

_LONGEST_PATTERN, _MOST_FOLDERS = 1000, 100_000
_MOST_NAMED, _FIRST = 20, 5
"""So many files that are left out are all named; of more, the first ones."""

Input: TypeAlias = Any
"""Text, path, ase.Atoms, pymatgen Structure, Molecule or Composition, or rdkit Mol."""


class CellText(str):
    """The cell of a table, which is no path from here if it is a formula or SMILES."""

    __slots__ = ()


class ReadingJob(NamedTuple):
    """How one call reads, and what it leaves out."""

    disorder: DisorderChoice
    left_out: list[str]
    """A sentence for each folder or pattern, and for each that a text could mean as well"""
    not_looked_at: frozenset[Path]
    """Absolute paths that folders and patterns pass over"""
    in_parts: bool = False
    """Long files are read some hundred structures at a time"""

    @classmethod
    def of(cls, options: ReadingOptions, *, in_parts: bool = False) -> "ReadingJob":
        """Return the job of a call with these options."""
        not_looked_at = frozenset(Path(path).resolve() for path in options.leave_out)
        return cls(options.forms, [], not_looked_at, in_parts)

    def note_both(self, sentence: str) -> None:
        """Say what was taken of a text that is a path or pattern as well."""
        if sentence not in self.left_out:
            self.left_out.append(sentence)

    def note_left_out(self, where: str, others: list[Path]) -> None:
        """Name the files that are not read since their names are of no known kind."""
        if others:
            self._note(where, "their names are of no kind that is read", others)

    def note_strays(self, where: str, strays: list[Path]) -> None:
        """Name the files of known kinds that turned out to hold something else."""
        if strays:
            self._note(where, "they hold no structures", strays)

    def _note(self, where: str, why: str, paths: list[Path]) -> None:
        """Say which files are left out: all of some, else the first ones and kinds of the rest."""
        first, rest = paths, paths[:0]
        if len(paths) > _MOST_NAMED:
            first, rest = paths[:_FIRST], paths[_FIRST:]
        names = [clean_name(path.name) + content_said(path) for path in first]
        more = f", and {len(rest):,} more ({endings_of(rest)})" if rest else ""
        self.left_out.append(f"{one_line(where)}: left out, since {why}: {', '.join(names)}{more}")


class FolderStart(NamedTuple):
    """Stands before the files of a folder or pattern."""

    where: str
    n: int
    """Files and folders"""
    others: list[Path]
    """Those of unknown kinds"""
    strays: "list[Stray]"


class Stray(NamedTuple):
    """A file of a folder or pattern that turned out to hold something else than structures."""

    path: Path
    failure: Failure


FOLDER_END = "end of folder"
"""Stands behind them"""
PieceKind = Literal["text", "file", "member", "object", "part", "pick"]
Piece: TypeAlias = "tuple[PieceKind, Any] | FolderStart | str | Failure"
"""What is read at a time, in this process or another, or what stands between."""


def numbered_pieces(inputs: Any, job: ReadingJob, first: int) -> list[tuple[int, Piece]]:
    """Return what has to be read for each input, behind the number of the input.

    A message calls the first of them ``first``.
    """
    pieces: list[tuple[int, Piece]] = []
    for i, one in enumerate(as_list(inputs)):
        if is_nothing(one):
            name = f"entry {first + i}"
            said = f"{name} (counted from 0) is empty; fill it, or leave it out"
            pieces.append((i, failure_of(name, said)))
        else:
            pieces += [(i, piece) for piece in pieces_of(one, job)]
    return pieces


def pieces_of(one: Any, job: ReadingJob) -> Iterator[Piece]:
    """Yield what has to be read for one input; nothing is opened yet."""
    try:
        if isinstance(one, (str, os.PathLike)):
            yield from _of_text_or_path(one, job)
        else:
            yield "object", one
    except StructureError as error:
        yield replace(failure_of(called(one), str(error)), source=source_of_piece(one))
    except Exception as error:
        what = called(one)
        said = f"{what}: it cannot be used ({reason(error)}); check the object"
        yield replace(failure_of(what, said), source=source_of_piece(one))


def _of_text_or_path(one: "str | os.PathLike[str]", job: ReadingJob) -> Iterator[Piece]:
    if isinstance(one, str):
        text = one.strip()
        if not text:
            raise StructureError("The text is empty; give a file, a folder, a SMILES or a formula.")
        if is_forced(text) or _is_text_all_the_same(one, job):
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


_ENDINGS = {suffix.removeprefix(".") for kind in KINDS for suffix in kind.suffixes}
"""Folders are called so, and CIF is a formula."""


def _is_text_all_the_same(one: str, job: ReadingJob) -> bool:
    """Say whether a text means a formula or SMILES though there is a file, folder or match.

    A file or folder that holds structures comes first, a pattern (``C*``) last. What was taken is
    said, with how to ask for the other. What has a separator or ``~`` in it is a path.
    """
    text = one.strip()
    exists = _exists(text)
    if not (exists or glob.has_magic(text)) or os.sep in text or text.startswith("~"):
        return False
    can_be_formula = is_formula(text) and not is_smiles_of_formula_letters(text)
    meanings = [("SMILES", is_smiles(text)), ("formula", can_be_formula)]
    words = [word for word, is_one in meanings if is_one]
    if not words or text.lower() in _ENDINGS:
        return False
    if isinstance(one, CellText):
        return True
    meant, here = " or ".join(words), one_line(f".{os.sep}{text}")
    if not exists:
        if kind_of(Path(text)) is not None or is_data(Path(text)):
            return False
        paths, _ = _glob(text, job.not_looked_at)
        if paths:
            job.note_both(
                f"{one_line(text)}: taken for a {meant}, and not for a pattern, though "
                f"{paths[0].name} matches it; write {here} for the pattern"
            )
        return True
    path = Path(text)
    what = "folder" if path.is_dir() else "file"
    holds = files_in(path, leave_out=job.not_looked_at).known if path.is_dir() else kind_of(path)
    if not holds:
        why = "holds no structure file" if what == "folder" else "is of no kind that is read"
        job.note_both(
            f"{one_line(text)}: taken for a {meant}, as the {what} of this name {why}; write "
            f"{here} for the {what}"
        )
        return True
    forced = " or ".join(f"{word.lower()}:{one_line(text)}" for word in words)
    job.note_both(
        f"{one_line(text)}: the {what} of this name was read; write {forced} for the {meant}, or "
        f"{here} to silence this"
    )
    return False


def source_of_piece(what: Any) -> str:
    """Return path or text of a piece; empty for an object."""
    if isinstance(what, FilePart | Pick):
        return str(what.path)
    return str(what).strip() if isinstance(what, (str, os.PathLike)) else ""


def is_read(piece: Piece) -> "TypeGuard[tuple[str, Any]]":
    """Say whether a piece holds something to be read, and is no mark or failure."""
    return isinstance(piece, tuple) and not isinstance(piece, FolderStart)


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


def _of_path(path: Path, job: ReadingJob, is_one_of_many: bool = False) -> Iterator[Piece]:
    if not path.exists():
        said = f"{path}: there is no such file or folder; check the path"
        yield replace(failure_of(path.name, said), source=str(path))
    elif os.path.isdir(path):
        unread: list[OSError] = []
        files, others = files_in(path, unread.append, job.not_looked_at)
        yield from _of_many(str(path), files, others, job)
        for problem in unread:
            folder = str(problem.filename)
            why = f"this folder cannot be looked into ({problem.strerror}); change its permissions"
            yield replace(failure_of(Path(folder).name, f"{folder}: {why}"), source=folder)
        if not files and not unread:
            said = (
                f"{path}: no structure file is in this folder{what_lies_there(others)}; put some "
                f"there or give another (known are {known_kinds()})"
            )
            yield replace(failure_of(path.name, said), source=str(path))
    else:
        found = parts_of(path) if job.in_parts else None
        if found is None:
            yield ("member" if is_one_of_many else "file"), path
        else:
            yield from (("part", part) for part in found)


def _of_many(
    where: str, paths: Sequence[Path], others: Sequence[Path], job: ReadingJob
) -> Iterator[Piece]:
    """Yield the files of a folder or pattern between the marks of its beginning and end."""
    if paths:
        yield FolderStart(where, len(paths), list(others), [])
        for path in paths:
            yield from _of_path(path, job, is_one_of_many=True)
        yield FOLDER_END


def failure_of(name: str, message: str) -> Failure:
    """Return a failure whose name and message are a line each."""
    return Failure(name=one_line(name), message=one_line(message))


def called(one: Any) -> str:
    """Return what messages call an input or piece."""
    if isinstance(one, Pick):
        one = f"{one.path}@{one.choice}"
    if isinstance(one, FilePart):
        one = one.path
    if isinstance(one, (str, os.PathLike)):
        line = one_line(str(one))
        return line if len(line) <= 200 else line[:197] + "..."
    return kind_of_object(one)
