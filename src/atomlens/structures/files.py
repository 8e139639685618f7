"""Files: which reader reads which, and what to say when a file is of another kind."""

import errno
import os
import re
import struct
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from json import JSONDecodeError
from pathlib import Path
from typing import NamedTuple

from atomlens.boundary import (
    TEXT_SHARE,
    machine_memory,
    read_bytes,
    regular_size,
    unpacked,
    wide_encoding,
)
from atomlens.errors import StructureError
from atomlens.printing import NO_STDIN, is_stdin, one_line, reason
from atomlens.structures.forms import REFUSE, DisorderChoice
from atomlens.structures.records import Entry


class Kind(NamedTuple):
    """A kind of file."""

    label: str
    suffixes: tuple[str, ...]
    module: str
    """Module of this package with the reader."""
    reader: str
    takes_path: bool = False
    """The reader opens the file itself; others are given its text."""
    takes_disorder: bool = False
    """The reader is told what to do with a disordered crystal."""
    names: str = ""
    """Regular expression of names without an ending that is its own, such as POSCAR-1."""


KINDS: tuple[Kind, ...] = (
    Kind("CIF", (".cif", ".mcif", ".mmcif"), "cif.atoms", "read_cif", takes_disorder=True),
    Kind(
        "POSCAR",
        (".vasp", ".poscar", ".contcar"),
        "formats.poscar",
        "read_poscar",
        names=r"(.*[-_. ])?(POSCAR|CONTCAR|XDATCAR)(\d.*|[-_. ].*)?",
    ),
    Kind("XYZ", (".xyz", ".extxyz"), "formats.xyz", "read_xyz"),
    Kind("SDF", (".sdf", ".sd"), "formats.mol_blocks", "read_sdf"),
    Kind("MOL", (".mol",), "formats.mol_blocks", "read_sdf"),
    Kind("ase database", (".db",), "formats.databases", "read_database", True),
    Kind("JSON", (".json",), "formats.databases", "read_json", takes_disorder=True),
    Kind("ase trajectory", (".traj",), "formats.programs", "read_trajectory", True),
    Kind("XSF", (".xsf", ".axsf"), "formats.programs", "read_xsf"),
    Kind("GEN", (".gen",), "formats.programs", "read_gen"),
    Kind("pw.x", (".pwi",), "formats.programs", "read_espresso"),
    Kind(
        "OUTCAR",
        (".outcar",),
        "formats.programs",
        "read_outcar",
        names=r"(.*[-_. ])?OUTCAR(\d.*|[-_. ].*)?",
    ),
    Kind(
        "FHI-aims",
        (".aims",),
        "formats.programs",
        "read_aims",
        names=r"(.*[-_. ])?geometry\.in(\.next_step)?",
    ),
    Kind("LAMMPS data", (".lmp", ".lammps", ".lammps-data"), "formats.lammps", "read_lammps_data"),
    Kind("LAMMPS dump", (".lammpstrj", ".lammps-dump"), "formats.lammps", "read_lammps_dump"),
)
"""Files that can be read, by their endings or by their names."""

PACKED = (".gz", ".bz2", ".xz")
"""Endings of packed files, which are unpacked in memory."""

_HEAD = 4000
"""Bytes that show of which kind a file is."""
_OTHER_SUFFIXES = frozenset(
    ".py .sh .txt .md .png .jpg .jpeg .pdf .svg .log .out .csv .html .yaml .yml .ipynb .zip .tar "
    ".pkl .npz .h5 .xml .toml".split()
)


def kind_of(path: Path) -> Kind | None:
    """Return the kind that a file's name announces, packed or not; None if it is not known."""
    plain = _unpacked_name(path)
    suffix = plain.suffix.lower()
    for kind in KINDS:
        if suffix in kind.suffixes:
            return kind
    if suffix in _OTHER_SUFFIXES:
        return None
    named = (k for k in KINDS if k.names and re.fullmatch(k.names, plain.name, re.IGNORECASE))
    return next(named, None)


def is_data(path: Path) -> bool:
    """Say whether a file's name is that of a table or of packed data."""
    return _unpacked_name(path).suffix.lower() in _DATA


_DATA = frozenset(".csv .tsv .jsonl .ndjson .smi .smiles .parquet .xlsx .npz".split())


def _unpacked_name(path: Path) -> Path:
    return path.with_suffix("") if path.suffix.lower() in PACKED and path.stem else path


def known_kinds() -> str:
    """Return the list of file names that can be read, for messages."""
    suffixes = ", ".join(suffix for kind in KINDS for suffix in kind.suffixes)
    names = "POSCAR*, CONTCAR*, XDATCAR*, OUTCAR*, geometry.in"
    return f"{suffixes}, {names}, each also packed ({', '.join(PACKED)})"


def stem_of(path: Path) -> str:
    """Return the name that a file gives to its structures."""
    plain = _unpacked_name(path)
    known = any(plain.suffix.lower() in kind.suffixes for kind in KINDS)
    return (plain.stem if known else plain.name) or path.name


def what_lies_there(others: Sequence[Path]) -> str:
    """Return what files of unknown kinds are, and what to do about outputs of programs.

    It is a part of a sentence, which begins with a semicolon; empty without any.
    """
    if not others:
        return ""
    said = f"; it holds {endings_of(others, 3)}"
    outputs = (".log", ".out", ".xml", *_GAUSSIAN)
    first = next((path for path in others if path.suffix.lower() in outputs), None)
    if first is None:
        return said
    try:
        read_file(first)
    except StructureError as problem:
        return f"{said} ({first.name}: {problem})"
    return said


def endings_of(paths: Sequence[Path], most: int | None = None) -> str:
    """Return how many files have which ending, the most common ones first: ``8 .zip, 2 .bak``."""
    endings = Counter(path.suffix.lower() or "without ending" for path in paths).most_common(most)
    return ", ".join(f"{n:,} {ending}" for ending, n in endings)


def why_not_read(path: Path) -> str:
    """Return why a file whose name is of no known kind is not read, and what could be done.

    It is a sentence without the name of the file. Of the file the first bytes are read.
    """
    if is_data(path):
        return (
            "it is a table or packed data, whose rows are inputs of their own; name it beside the "
            "folder to have them used"
        )
    said = "its name is of no kind that is read"
    looks = _looks_like(_head_of(path))
    if looks in _NOT_READ:
        return _NOT_READ[looks]
    if looks in _ENDINGS:
        return (
            f"{said}, but the content looks like {looks}; to have it used, give it a name that "
            f"ends with {_ENDINGS[looks]}"
        )
    return f"{said}; it is {looks}" if looks else said


def content_said(path: Path) -> str:
    """Return in brackets what a file whose name is of no known kind seems to hold, or nothing."""
    looks = "" if kind_of(path) is not None else _looks_like(_head_of(path))
    return f" (its content looks like {looks})" if looks in _ENDINGS else ""


def _head_of(path: Path) -> bytes:
    """Return the first bytes of a file; none of what is no file, or cannot be opened."""
    try:
        if not os.path.isfile(path):
            return b""
        with path.open("rb") as stream:
            return stream.read(_HEAD)
    except OSError:
        return b""


class FolderContents(NamedTuple):
    """What is in a folder and in all folders in it."""

    known: list[Path]
    """Files of known kinds, sorted by path"""
    others: list[Path]
    """Files of other kinds, sorted by path"""


def files_in(
    folder: Path,
    unread: "Callable[[OSError], None] | None" = None,
    leave_out: frozenset[Path] = frozenset(),
) -> FolderContents:
    """Return the files in a folder and all folders in it.

    Hidden files and folders are left out, and links to folders are not followed. ``unread``
    hears of each folder that cannot be looked into; ``leave_out`` holds absolute paths of files
    and folders that are passed over.
    """
    known: list[Path] = []
    others: list[Path] = []
    for place, folders, names in os.walk(folder, onerror=unread):
        here = _left(Path(place), folders, leave_out)
        folders[:] = sorted(path.name for path in here)
        for path in _left(Path(place), names, leave_out):
            (others if kind_of(path) is None else known).append(path)
    return FolderContents(sorted(known), sorted(others))


def _left(place: Path, names: list[str], leave_out: frozenset[Path]) -> list[Path]:
    """Return the paths of what is neither hidden nor left out."""
    paths = [place / name for name in names if not name.startswith(".")]
    if not leave_out:
        return paths
    here = place.resolve()
    return [
        path
        for path in paths
        if (path.resolve() if os.path.islink(path) else here / path.name) not in leave_out
    ]


def read_file(path: Path, disorder: DisorderChoice = REFUSE) -> list[Entry]:
    """Return one entry for each structure of a file, in the order of the file.

    A disordered crystal gives one entry for each ordered model, if models are asked for.

    Raises StructureError, without the file's name in front, if nothing in it can be read.
    """
    kind = kind_of(path)
    content = _content(path, kind)
    if kind is None:
        if is_data(path):
            raise StructureError(
                "it is a table or packed data, whose rows are inputs of predict and all that asks "
                "a model; for its structures alone take load_dataset(...).structures"
            )
        looks = _looks_like(content)
        if looks in _NOT_READ:
            raise StructureError(_NOT_READ[looks])
        if path.suffix.lower() in _GAUSSIAN:
            raise StructureError(_NOT_READ["Gaussian"])
        hint = f"; its content looks like {looks}" if looks else ""
        if path.suffix.lower() in (".log", ".out"):
            raise StructureError(
                f"outputs of programs ({path.suffix}) are not read{hint}; {_BY_OTHERS}"
            )
        if looks in _ENDINGS and _ending(path) in (*_OF_ANY_TEXT, ".in", ".inp", ".data"):
            raise StructureError(
                f"this kind of file is not known{hint}; give it the ending {_ENDINGS[looks]}"
            )
        if advice := next((said for ends, said in _OTHER_KINDS if _ending(path) in ends), ""):
            raise StructureError(f"{_ending(path)} is not read{hint}; {advice}")
        raise StructureError(
            f"this kind of file is not known{hint}; rename it or convert it to one of "
            f"{known_kinds()}"
        )
    if not content.strip():
        raise StructureError("the file is empty; get a complete copy")
    try:
        entries = _read_as(kind, path, content, disorder)
    except StructureError:
        _refuse_other_kind(kind, content)
        raise
    if all(entry.atoms is None for entry in entries):
        _refuse_other_kind(kind, content)
    return entries


_MUTE = (
    *(LookupError, AssertionError, TypeError, AttributeError, RuntimeError),
    *(JSONDecodeError, struct.error),
)
"""What a parser stumbles over, with words about its own insides if any."""


def _read_as(kind: Kind, path: Path, content: bytes, disorder: DisorderChoice) -> list[Entry]:
    read: Callable[..., list[Entry]] = getattr(
        import_module(f"atomlens.structures.{kind.module}"), kind.reader
    )
    try:
        if kind.takes_path:
            entries = read(path)
        elif kind.takes_disorder:
            entries = read(decoded(content), disorder)
        else:
            entries = read(decoded(content))
    except StructureError:
        raise
    except Exception as error:  # a third-party parser met something it did not expect
        why = "a part of it is missing or is none" if isinstance(error, _MUTE) else reason(error)
        raise StructureError(
            f"it cannot be read as {kind.label} ({why}); correct the file or get a complete copy"
        ) from error
    if not entries:
        raise StructureError(f"there is no structure in this {kind.label} file; add one")
    return entries


def _refuse_other_kind(kind: Kind, content: bytes) -> None:
    """Say what a file is that is not of the kind its name announces."""
    looks = _looks_like(content)
    if looks and kind.label.split()[-1] not in looks:
        said = f"the name says {kind.label}, but the content looks like {looks}"
        if looks == _POINTER:
            raise StructureError(said)
        if looks == _PAGE and not content.lstrip().startswith(b"<?xml"):
            raise StructureError(f"{said}; fetch the file again")
        raise StructureError(f"{said}; give the file the extension of its real kind or convert it")


def _content(path: Path, kind: Kind | None) -> bytes:
    if is_stdin(str(path)):
        raise StructureError(NO_STDIN)
    if not os.path.isfile(path):
        raise StructureError("it is neither a file nor a folder; give a file with structures")
    try:
        if kind is not None and kind.takes_path:
            if path.suffix.lower() in PACKED:
                raise StructureError(f"it is a packed {kind.label}; unpack it first")
            regular_size(path)
            with path.open("rb") as stream:
                return stream.read(_HEAD)
        most = TEXT_SHARE * machine_memory()
        content = read_bytes(path, most=most)
        if kind is None or path.suffix.lower() not in PACKED:
            return content
        return unpacked(content, most=int(most))
    except PermissionError as error:
        raise StructureError(
            "you have no permission to read it; change its permissions or copy it"
        ) from error
    except OSError as error:
        if error.errno == errno.EIO and path.suffix.lower() in PACKED:
            raise StructureError(
                f"it cannot be unpacked ({error.strerror}); get a complete copy"
            ) from error
        raise StructureError(f"it cannot be opened ({reason(error)}); check the disk") from error


def decoded(content: bytes) -> str:
    """Return the text of a file: UTF-8, UTF-16, UTF-32, or else Latin-1.

    The minus of typesetters is that of a keyboard in it.
    """
    wide = wide_encoding(content)
    if wide is not None:
        text = content.decode(wide, errors="replace")
    else:
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = content.decode("latin-1")
    if wide is not None or len(content.translate(None, _CONTROLS)) < len(content):
        text = _without_controls(text, r"\x00-\x08\x0e-\x1f" + ("" if wide is None else r"\ufffd"))
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\u2212", "-")


_CONTROLS = bytes((*range(9), *range(14, 32)))


def _without_controls(text: str, odd: str) -> str:
    """Return a text without the end that DOS marked; refuse one with too many odd letters."""
    body = text.rstrip("\x1a\0 \t\r\n")
    if "\x1a" in text[len(body) :]:
        text = f"{body}\n"
    head = text[:10_000]
    if len(re.findall(f"[{odd}]", head)) > 0.01 * len(head) or "\0" in text:
        raise StructureError(
            "it holds binary data where text is expected; get a correct copy of the file"
        )
    return text


_MAGIC = (
    (b"SQLite format 3", "an ase database"),
    (b"- of UlmASE-Trajectory", "an ase trajectory"),
    (b"\x1f\x8b", "a gzip archive (unpack it first)"),
    (b"PK\x03\x04", "a zip archive (unpack it first)"),
    (b"BZh", "a bzip2 archive (unpack it first)"),
    (b"\xfd7zXZ", "an xz archive (unpack it first)"),
    (b"%PDF", "a PDF"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"\x89HDF", "an HDF5 file"),
)
_PAGE = "a web page or XML"
_POINTER = "a pointer of Git LFS (`git lfs pull` fetches the file)"
_TEXTS = (
    (r"\s*(<\?xml[^>]*>\s*)?<modeling>", "vasprun.xml of VASP"),
    (r"\s*<(!DOCTYPE|html|\?xml)", _PAGE),
    (r"version https://git-lfs", _POINTER),
    (r"\s*[\[{]\s*(\"|[\[{\]}])", "JSON"),
    (r"(.*\n)*?(data_\S*\s*\n|_cell_length_a|loop_\s*\n)", "CIF"),
    (r"[ \t]*\d+[ \t]*\n.*\n[ \t]*[a-z]{1,2}([ \t]+[-+.\d]+){3}", "XYZ"),
    (r"(.*\n){3}[\d ]{6}.*V[23]000", "MOL or SDF"),
    (r".*\n[ \t]*[-+.\d]+[ \t]*\n([ \t]*+([-+.\de]++[ \t]++){2}[-+.\de]++[ \t]*+\n){3}", "POSCAR"),
    (r"(HEADER|ATOM  |HETATM|CRYST1|REMARK|COMPND|TITLE {5}|MODEL {4,8}\d)", "PDB"),
    (r"(?s)(?=.{0,2000}?\d\s+atoms\b).{0,3000}?\bxlo\s+xhi\b", "LAMMPS data"),
    (r"(?ms).*?^[ \t]*&system\b.*?\bibrav\s*=", "input of pw.x"),
    (r"(?s).*Entering Gaussian System", "Gaussian"),
    (r"(?s).*\*\s*O\s+R\s+C\s+A\s*\*", "ORCA"),
)


def _looks_like(content: bytes) -> str:
    """Return what a file seems to be, or an empty text."""
    for magic, label in _MAGIC:
        if content.startswith(magic):
            return label
    head = content[:_HEAD].decode("latin-1").replace("\r\n", "\n")
    return next((label for pattern, label in _TEXTS if re.match(pattern, head, re.IGNORECASE)), "")


_GAUSSIAN = (".gjf", ".com", ".gau", ".fchk")
_BY_OTHERS = (
    "write the geometry as .xyz with ase (ase convert FILE out.xyz) or with cclib (ccwrite xyz "
    "FILE), and give that"
)
_NOT_READ = {
    "vasprun.xml of VASP": "vasprun.xml of VASP is not read; give the OUTCAR of the same run (all "
    "steps) or its CONTCAR (the last one), or write it as .extxyz, with ase for instance (ase "
    "convert vasprun.xml out.extxyz)",
    "Gaussian": f"inputs and outputs of Gaussian are not read; {_BY_OTHERS}",
    "ORCA": "outputs of ORCA are not read; give the .xyz that ORCA writes beside it (NAME.xyz, all "
    f"steps in NAME_trj.xyz), or {_BY_OTHERS}",
    "PDB": "PDB files are not read: they may hold alternative places, a part of the crystal only "
    "and atoms without an element; give the mmCIF of the same entry (.mmcif), or choose the atoms "
    "and write them with ase or gemmi to .extxyz or .cif",
}
"""What is told, and what to do about it, by what a content looks like."""

_OF_ANY_TEXT = (".txt", ".dat")
_OTHER_KINDS: tuple[tuple[tuple[str, ...], str], ...] = (
    ((".xls", ".xlsm", ".ods", ".numbers", ".gsheet"), "save the table as .xlsx or .csv"),
    (
        (".pkl", ".pickle", ".joblib"),
        "a pickle can run programs, so none is opened: save structures as .extxyz or .json, tables "
        "as .parquet or .csv",
    ),
    (
        (".h5", ".hdf5", ".lmdb", ".mdb", ".feather", ".arrow"),
        "save structures as .extxyz or .json, a table as .parquet or .csv",
    ),
    (
        (".mol2", ".cml", ".pdbqt", ".cdx", ".cdxml", ".mae"),
        "convert it to .sdf, with Open Babel for instance (obabel FILE -O out.sdf)",
    ),
    (
        (".res", ".ins"),
        "its symmetry is left out by most converters: give the CIF of the same refinement (SHELXL "
        "writes it where the instruction ACTA stands)",
    ),
    ((".mmtf", ".bcif"), "give the mmCIF of the same entry (.mmcif)"),
    ((".inp", ".cube", ".cub", ".zmat"), _BY_OTHERS),
    (
        (".gro", ".prmtop", ".psf", ".pqr"),
        "its atoms have names and no elements: write it as .extxyz with the element of each",
    ),
    (
        (".cell", ".fdf", ".struct", ".cssr", ".castep", ".xml", ".pwo", ".nc"),
        "write it as .extxyz or .cif, with ase for instance (ase convert FILE out.extxyz)",
    ),
    (
        _OF_ANY_TEXT,
        "give a table the ending .csv, .tsv or .smi, and a structure that of its kind",
    ),
)
"""Endings of files that nobody should rename, and what to do with them."""


def _ending(path: Path) -> str:
    return _unpacked_name(path).suffix.lower()


_ENDINGS = {
    "CIF": ".cif",
    "XYZ": ".xyz",
    "MOL or SDF": ".sdf",
    "POSCAR": ".vasp",
    "JSON": ".json",
    "input of pw.x": ".pwi",
    "LAMMPS data": ".lmp",
}


def content_kind(content: bytes) -> str:
    """Return the ending of the file that a text seems to be the content of, or an empty text."""
    return _ENDINGS.get(_looks_like(content), "")


def numbered(
    stem: str, entries: Sequence[Entry], first: int = 0, many: bool | None = None
) -> Iterator[tuple[str, Entry]]:
    """Yield a name for each entry of one file: its own, or the file's, numbered if many.

    Args:
        stem: What the file is called.
        entries: All of them, or some that follow one another.
        first: Number of the first.
        many: Whether the file has more than one; by default, whether more than one is given.
    """
    for i, entry in enumerate(entries, start=first):
        own = one_line(entry.name)
        yield own or (f"{stem}-{i:04d}" if many or len(entries) > 1 else stem), entry
