"""What a browser sends, as structures: files by their content, texts by what they say.

The name of a file is a label. Its last part, made safe, names a draft in a fresh folder of ours,
since readers tell kinds of files apart by their names; nothing else on this machine is opened.
"""

import re
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

from atomlens.datasets.tables.files import headers_of, is_table
from atomlens.errors import AtomlensError, DatasetError, Failure
from atomlens.predictor.inputs.rows import read_inputs
from atomlens.printing import clean_name, cut, file_stem, one_line
from atomlens.structures.arrays import Structure, StructureArrays
from atomlens.structures.files import content_kind
from atomlens.structures.options import AS_IT_IS, ReadingOptions
from atomlens.structures.text import forced, from_text, is_formula, is_several_smiles

if TYPE_CHECKING:
    from ase import Atoms

MOST_LINES = 2000
"""Of a pasted text."""
_LONGEST_LABEL = 120
_OPTION = (
    "with --disorder majority or --disorder enumerate (in Python "
    'disorder="majority" or "enumerate")',
    "by `atomlens view --disorder majority`, or their mean by `atomlens predict MODEL FILE "
    "--disorder enumerate`",
)
"""What readers say of an option of the command, and what it is for who sits before the page."""


class Upload(NamedTuple):
    """A file as the browser sent it."""

    label: str
    content: bytes


_ATOM = re.compile(r"[A-Z][a-z]?\d*(\s+[-+]?(\d+\.?\d*|\.\d+)([eEdD][-+]?\d+)?){3}\s*$")
"""A line of an XYZ file"""
Progress = Callable[[int, int], None]


def label_of(name: str) -> str:
    """Return the last part of a file's name, as it is shown and as its draft is called."""
    last = PurePosixPath(name.replace("\\", "/")).name
    ending = re.search(r"(\.\w{1,8}){1,2}$", last)  # also .cif.gz
    suffix = ending[0] if ending else ""
    stem = last.removesuffix(suffix).strip("./ ")
    safe = file_stem(stem)[: _LONGEST_LABEL - len(suffix)] if stem else "file"
    return f"{safe}{file_stem(f'x{suffix}')[1:]}"


def read_upload(upload: Upload, reading: ReadingOptions = AS_IT_IS) -> "list[Atoms | Failure]":
    """Return the structures of one file; one that cannot be used is a failure in its place."""
    label = label_of(upload.label)
    with TemporaryDirectory(prefix="atomlens-view-") as folder:
        path = Path(folder) / label
        path.write_bytes(upload.content)
        try:
            if is_table(path):
                _refuse_table_of_files(path, reading)
            items = read_inputs([path], reading)[0]
        except AtomlensError as error:
            items = [Failure(name=label, message=str(error))]
        return [_without_folder(item, f"{folder}/") for item in items]


def _refuse_table_of_files(path: Path, reading: ReadingOptions) -> None:
    """Refuse a table whose rows name files: what a stranger's table names is never opened."""
    headers = headers_of(path, reading.structure_column, reading.sheet)
    if any(header.strip().lower() == "file" for header in headers):
        raise DatasetError(
            f"{path}: its column 'file' names files, which this page does not open; drop the files "
            "themselves, or use `atomlens predict`."
        )


def _without_folder(item: "Atoms | Structure | Failure", folder: str) -> "Atoms | Failure":
    """Return what was read as if the file stood where its label says."""
    if isinstance(item, Failure):
        message = item.message.replace(folder, "").replace(*_OPTION)
        return Failure(name=item.name, message=message)
    if isinstance(item, Structure):
        return StructureArrays.from_structures([item]).to_atoms(0)
    if "source" in item.info:
        item.info["source"] = str(item.info["source"]).replace(folder, "")
    return item


def read_texts(text: str, progress: Progress, reading: ReadingOptions) -> "list[Atoms | Failure]":
    """Return the structures of a pasted text: one a line, a SMILES or a formula, or a whole file.

    A name may follow a SMILES behind a space, as in files of SMILES. Lines with an element and
    three numbers are the atoms of an XYZ file whose head was left out.
    """
    kind = content_kind(text.encode("utf-8", errors="replace"))
    if kind:
        return read_upload(Upload(f"pasted{kind}", text.encode("utf-8", errors="replace")), reading)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if lines and all(_ATOM.match(line) for line in lines):
        whole = "\n".join([str(len(lines)), "", *lines, ""])
        return read_upload(Upload("pasted.xyz", whole.encode("utf-8", errors="replace")), reading)
    found: list[Atoms | Failure] = []
    for done, line in enumerate(lines[:MOST_LINES], start=1):
        found.append(reading.judged(_read_line(line)))
        progress(done, min(len(lines), MOST_LINES))
    if len(lines) > MOST_LINES:
        found.append(
            Failure(
                name="pasted text",
                message=f"{len(lines) - MOST_LINES} lines beyond the first {MOST_LINES} were left "
                "out; drop them as a file (.smi or .csv).",
            )
        )
    return found


def _read_line(line: str) -> "Atoms | Failure":
    try:
        atoms = _atoms_of(line)
        atoms.info["typed"] = line  # what its row says where it comes from
        return atoms
    except AtomlensError as error:
        return Failure(name=cut(one_line(line), 60), message=one_line(str(error)))


def _atoms_of(line: str) -> "Atoms":
    first, *more = line.split(maxsplit=1)
    rest = more[0].lstrip("# ") if more else ""
    atoms = forced(line)
    if atoms is not None:
        return atoms
    try:
        return from_text(line)
    except AtomlensError:
        if not re.match(r"[\w(\[\"']", rest) or _ATOM.match(line) or is_several_smiles(line):
            raise
        try:
            atoms = forced(first) or from_text(first)
        except AtomlensError:
            atoms = None
        if atoms is None or (atoms.info.get("is_formula") and is_formula(rest)):
            raise
        atoms.info["name"] = clean_name(rest.strip()) or first
        return atoms


def read_all(
    uploads: Sequence[Upload],
    text: str,
    progress: Progress,
    reading: ReadingOptions = AS_IT_IS,
) -> "list[Atoms | Failure]":
    """Return what came of all files and of the text."""
    items: list[Atoms | Failure] = []
    for done, upload in enumerate(uploads, start=1):
        items += read_upload(upload, reading)
        progress(done, len(uploads))
    if text.strip():
        items += read_texts(text, progress, reading)
    return items
