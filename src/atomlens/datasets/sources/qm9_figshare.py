"""QM9 from its original deposit: the same molecules, targets and units as ``qm9``.

R. Ramakrishnan, P. O. Dral, M. Rupp, O. A. von Lilienfeld, Sci. Data 1, 140022 (2014);
figshare collection 978904, CC0. The archive holds one file a molecule, in a dialect of XYZ:

    5
    gdb 1   A B C  mu alpha homo lumo gap r2 zpve U0 U H G Cv
    C   x   y   z   Mulliken charge
    ...
    frequencies, SMILES, InChI

with powers of ten written as ``*^`` (``1.2*^-6``). A second file lists the 3,054 molecules that
failed the consistency check.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from atomlens.datasets.base import Dataset
from atomlens.datasets.sampling import split_in_order
from atomlens.datasets.sources.archives import DAMAGE, open_members
from atomlens.datasets.sources.deposits import Deposit, DepositFile
from atomlens.datasets.sources.download import RemoteFile
from atomlens.datasets.sources.downloaded import DownloadedSource
from atomlens.datasets.sources.qm9_columns import N_TEST, N_TRAIN, PROPERTY_LINE, QM9_COLUMNS
from atomlens.elements import SYMBOLS
from atomlens.errors import DatasetError, Failure
from atomlens.structures.arrays import Structure, StructureArrays
from atomlens.targets import Target

_MOLECULES = RemoteFile(
    name="dsgdb9nsd.xyz.tar.bz2",
    url="https://ndownloader.figshare.com/files/3195389",
    md5="ad1ebd51ee7f5b3a6e32e974e5d54012",
    n_bytes=86_144_227,
)
_UNCHARACTERIZED = RemoteFile(
    name="uncharacterized.txt",
    url="https://ndownloader.figshare.com/files/3195404",
    md5="a361887bacb427b8a0ce7903d92a53b4",
    n_bytes=486_752,
)
_ATOMIC_NUMBERS = {symbol.encode(): SYMBOLS.index(symbol) for symbol in "HCNOF"}
_COLUMNS = [PROPERTY_LINE.index(c.header) for c in QM9_COLUMNS]
_FACTORS = np.array([c.factor for c in QM9_COLUMNS])
_FIELDS = 5
"""Words in the line of an atom: element, three coordinates, charge."""


class _Molecule(NamedTuple):
    number: int
    """Number in QM9, 1 to 133,885."""
    structure: Structure
    values: NDArray[np.float64]
    """(n_columns,), in the units of the targets"""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Qm9Figshare(DownloadedSource):
    """The molecules of QM9, read from the archive of its authors; everything else as in ``qm9``."""

    name: ClassVar[str] = "qm9-figshare"
    summary: ClassVar[str] = (
        "130,831 small organic molecules (H, C, N, O, F; up to 9 heavy atoms), B3LYP/6-31G(2df,p), "
        "Ramakrishnan et al. 2014, from the original deposit"
    )
    available_targets: ClassVar[tuple[Target, ...]] = tuple(c.target for c in QM9_COLUMNS)
    origin: ClassVar[str] = "https://doi.org/10.6084/m9.figshare.c.978904"
    licence: ClassVar[str] = "CC0 1.0"
    deposit: ClassVar[Deposit] = Deposit(
        page="https://doi.org/10.6084/m9.figshare.c.978904",
        files=(
            DepositFile(
                record="figshare:1057646", names=("dsgdb9nsd.xyz.tar.bz2",), remote=_MOLECULES
            ),
            DepositFile(
                record="figshare:1057644", names=("uncharacterized.txt",), remote=_UNCHARACTERIZED
            ),
        ),
    )

    def parse(self, files: Sequence[Path]) -> Dataset:
        """Read the archive in one pass, without the molecules that failed the check."""
        archive, listing = files
        left_out = _uncharacterized(listing)
        molecules: list[_Molecule] = []
        failures: list[Failure] = []
        for item in _molecules(archive):
            if isinstance(item, Failure):
                failures.append(item)
            elif item.number not in left_out:
                molecules.append(item)
        if not molecules:
            raise DatasetError(
                f"{archive}: there is no molecule of QM9 in it; get a complete copy."
            )
        molecules.sort(key=lambda m: m.number)
        return Dataset(
            name=self.name,
            structures=StructureArrays.from_structures(m.structure for m in molecules),
            targets=self.available_targets,
            values=np.array([m.values for m in molecules]),
            failures=tuple(failures),
        )

    def own_split(self, n: int) -> dict[str, NDArray[np.int64]]:
        """Return the published split by ``seed``: 110,000, 10,000 and the other 10,831."""
        return split_in_order(n, N_TRAIN, N_TEST, self.seed)


def _uncharacterized(listing: Path) -> set[int]:
    """Return the numbers in the list: rows that begin with one, below and above are remarks."""
    rows = listing.read_text(encoding="utf-8", errors="replace").splitlines()
    numbers = {int(words[0]) for row in rows if len(words := row.split()) > 1 and _is_number(words)}
    if not numbers:
        raise DatasetError(f"{listing}: it lists no molecule; get a complete copy.")
    return numbers


def _is_number(words: list[str]) -> bool:
    return words[0].isascii() and words[0].isdigit()


def _molecules(archive: Path) -> Iterator[_Molecule | Failure]:
    for name, open_member in open_members(archive, ".xyz"):
        try:
            yield _molecule(open_member().read())
        except (ValueError, IndexError, KeyError, *DAMAGE) as problem:
            yield Failure(
                name=name,
                message=f"{archive.name}: {name} is damaged ({problem!r}); get a complete copy of "
                "the archive.",
            )


def _molecule(text: bytes) -> _Molecule:
    lines = text.replace(b"*^", b"e").splitlines()
    n_atoms = int(lines[0])
    tag, number, *numbers = lines[1].split()
    if tag != b"gdb" or len(numbers) != len(PROPERTY_LINE):
        raise ValueError("its second line is not QM9's")
    words = b" ".join(lines[2 : 2 + n_atoms]).split()
    if n_atoms < 1 or len(words) != _FIELDS * n_atoms:
        raise ValueError("elements, coordinates and charges do not fit the number of atoms")
    atomic_numbers = [_ATOMIC_NUMBERS[word] for word in words[::_FIELDS]]
    positions = np.array([words[k::_FIELDS] for k in (1, 2, 3)], dtype=np.float64).T
    values = np.array(numbers, dtype=np.float64)[_COLUMNS] * _FACTORS
    if not (np.isfinite(positions).all() and np.isfinite(values).all()):
        raise ValueError("a number is not finite")
    structure = Structure(
        np.array(atomic_numbers, dtype=np.uint8),
        positions,
        np.zeros((3, 3)),
        np.zeros(3, dtype=np.bool_),
        f"dsgdb9nsd_{int(number):06d}",
        False,
    )
    return _Molecule(int(number), structure, values)
