"""Many structures as flat arrays: what builders, caches and worker processes pass around.

This module needs numpy alone, so that a machine without ase can train from a packed file.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from atomlens.lazy import LateTable
from atomlens.printing import clean_name, one_line

if TYPE_CHECKING:
    from ase import Atoms

from atomlens.elements.naming import chemical_formula

_VIEWS: LateTable[Any] = LateTable({"structures": "atomlens.reports.notebook:structures_html"})
"""What stands above this room: how structures show themselves in a notebook."""


class Structure(NamedTuple):
    """One structure of a `StructureArrays`; arrays are views."""

    atomic_numbers: NDArray[np.uint8]
    """(n_atoms,)"""
    positions: NDArray[np.float64]
    """(n_atoms, 3), Å"""
    cell: NDArray[np.float64]
    """(3, 3), rows are lattice vectors, Å; zero rows where there is no lattice vector"""
    pbc: NDArray[np.bool_]
    """(3,)"""
    name: str
    is_formula: bool
    """True for a bare formula: the positions mean nothing."""
    charges: NDArray[np.float32] | None = None
    """(n_atoms,) partial charges, e; None where the structure has none"""
    warnings: tuple[str, ...] = ()
    """What its reader found doubtful, one sentence each; kept in ``info["warnings"]``."""
    is_made: bool = False
    """True where the coordinates were made here, from a SMILES or a flat drawing, or those of the
    hydrogens were."""
    maker: str = ""
    """Which force field, semi-empirical method or program its file names as where the coordinates
    come from; empty if it names none."""

    def to_atoms(self) -> "Atoms":
        """Return it as ase.Atoms with its name in ``info``."""
        from ase import Atoms

        info: dict[str, Any] = {"name": self.name}
        if self.is_formula:
            info["is_formula"] = True
        if self.warnings:
            info["warnings"] = list(self.warnings)
        if self.is_made:
            info[MADE_GEOMETRY] = _extent(self.positions)
        if self.maker:
            info[NAMED_GEOMETRY] = _noted(self.maker, self.positions)
        return Atoms(
            numbers=self.atomic_numbers.astype(int),
            positions=self.positions,
            cell=self.cell,
            pbc=self.pbc,
            info=info,
            charges=self.charges,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StructureArrays:
    """A list of structures laid end to end."""

    offsets: NDArray[np.int64]
    """(n + 1,); atoms of structure i stand at ``offsets[i]:offsets[i + 1]``"""
    atomic_numbers: NDArray[np.uint8]
    """(n_atoms,)"""
    positions: NDArray[np.float64]
    """(n_atoms, 3), Å"""
    cells: NDArray[np.float64]
    """(n, 3, 3), Å"""
    pbc: NDArray[np.bool_]
    """(n, 3)"""
    names: tuple[str, ...]
    is_formula: NDArray[np.bool_]
    """(n,)"""
    charges: NDArray[np.float32] | None = None
    """(n_atoms,) partial charges, e; NaN for structures without; None if no structure has any"""
    warnings: tuple[tuple[str, ...], ...] = ()
    """Sentences about each structure (see `Structure.warnings`); empty if no structure has any"""
    is_made: NDArray[np.bool_] | None = None
    """(n,) see `Structure.is_made`; None if no structure is"""
    makers: tuple[str, ...] = ()
    """Of each structure (see `Structure.maker`); empty if no file names any"""

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> Structure:
        a, b = self.offsets[index], self.offsets[index + 1]
        charges = None if self.charges is None else self.charges[a:b]
        return Structure(
            self.atomic_numbers[a:b],
            self.positions[a:b],
            self.cells[index],
            self.pbc[index],
            self.names[index],
            bool(self.is_formula[index]),
            None if charges is None or np.isnan(charges).any() else charges,
            self.warnings[index] if self.warnings else (),
            self.is_made is not None and bool(self.is_made[index]),
            self.makers[index] if self.makers else "",
        )

    def __iter__(self) -> Iterator[Structure]:
        return (self[i] for i in range(len(self)))

    @property
    def n_atoms(self) -> NDArray[np.int64]:
        """(n,) number of atoms of each structure."""
        return self.offsets[1:] - self.offsets[:-1]

    @classmethod
    def from_structures(cls, structures: Iterable[Structure]) -> "StructureArrays":
        """Lay structures end to end."""
        items = list(structures)
        counts = [len(s.atomic_numbers) for s in items]
        n = len(items)
        return cls(
            offsets=np.concatenate([[0], np.cumsum(counts, dtype=np.int64)]).astype(np.int64),
            atomic_numbers=_concatenate([s.atomic_numbers for s in items], (0,), np.uint8),
            positions=_concatenate([s.positions for s in items], (0, 3), np.float64),
            cells=np.array([s.cell for s in items], dtype=np.float64).reshape(n, 3, 3),
            pbc=np.array([s.pbc for s in items], dtype=np.bool_).reshape(n, 3),
            names=tuple(s.name for s in items),
            is_formula=np.array([s.is_formula for s in items], dtype=np.bool_),
            charges=_joined_charges(items),
            warnings=_if_any(tuple(s.warnings for s in items)),
            is_made=np.array([s.is_made for s in items]) if any(s.is_made for s in items) else None,
            makers=tuple(s.maker for s in items) if any(s.maker for s in items) else (),
        )

    @classmethod
    def from_atoms(cls, atoms: "Sequence[Atoms]") -> "StructureArrays":
        """Convert ase.Atoms; names come from ``info["name"]``, else the formula."""
        return cls.from_structures(structure_of(a) for a in atoms)

    def to_atoms(self, index: int) -> "Atoms":
        """Return structure ``index`` as ase.Atoms with its name in ``info``."""
        return self[index].to_atoms()

    def __repr__(self) -> str:
        return f"<StructureArrays: {len(self)} structures, {self.offsets[-1]} atoms>"

    def _repr_html_(self) -> str:
        html: str = _VIEWS["structures"](self)
        return html

    def subset(self, indices: "Sequence[int] | NDArray[np.int64]") -> "StructureArrays":
        """Return the chosen structures, in the given order."""
        chosen = np.asarray(indices, dtype=np.int64)
        counts = self.n_atoms[chosen]
        offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        rows = np.repeat(self.offsets[chosen] - offsets[:-1], counts) + np.arange(offsets[-1])
        return replace(
            self,
            offsets=offsets,
            atomic_numbers=self.atomic_numbers[rows],
            positions=self.positions[rows],
            cells=self.cells[chosen],
            pbc=self.pbc[chosen],
            names=tuple(self.names[i] for i in chosen),
            is_formula=self.is_formula[chosen],
            charges=None if self.charges is None else self.charges[rows],
            warnings=_if_any(tuple(self.warnings[i] for i in chosen)) if self.warnings else (),
            is_made=None if self.is_made is None else self.is_made[chosen],
            makers=tuple(self.makers[i] for i in chosen) if self.makers else (),
        )

    def keep_atoms(self, kept: NDArray[np.bool_]) -> "StructureArrays":
        """Return the structures with some of their atoms.

        Args:
            kept: (n_atoms,) which.
        """
        before = np.concatenate([[0], np.cumsum(kept, dtype=np.int64)])
        return replace(
            self,
            offsets=before[self.offsets],
            atomic_numbers=self.atomic_numbers[kept],
            positions=self.positions[kept],
            charges=None if self.charges is None else self.charges[kept],
        )

    def element_counts(self, n_elements: int = 119) -> NDArray[np.float64]:
        """(n, n_elements) number of atoms of each atomic number in each structure."""
        counts = np.zeros((len(self), n_elements))
        rows = np.repeat(np.arange(len(self)), self.n_atoms)
        np.add.at(counts, (rows, self.atomic_numbers), 1.0)
        return counts

    def fingerprint(self) -> str:
        """Return a hash of everything that decides the graphs (names left out)."""
        digest = hashlib.sha256()
        for array in (
            self.offsets,
            self.atomic_numbers,
            self.positions,
            self.cells,
            self.pbc,
            self.is_formula,
        ):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    def formula(self, index: int) -> str:
        """Return the chemical formula, for example ``C2H6O`` or ``CaBr2``."""
        return chemical_formula(self[index].atomic_numbers)


def structure_of(atoms: "Atoms") -> Structure:
    """Return the arrays of one ase.Atoms."""
    return Structure(
        np.asarray(atoms.numbers, dtype=np.uint8),
        np.asarray(atoms.positions, dtype=np.float64),
        np.asarray(atoms.cell[:], dtype=np.float64),
        np.asarray(atoms.pbc, dtype=np.bool_),
        name_of(atoms),
        bool(atoms.info.get("is_formula", False)),
        charges_of(atoms),
        tuple(warnings_of(atoms)),
        has_made_geometry(atoms),
        maker_of(atoms),
    )


MADE_GEOMETRY = "made_geometry"
"""Key in ``info``: how far the atoms were from their centre when their coordinates were made."""


def keep_made(atoms: "Atoms") -> None:
    """Note that the coordinates were made here; no longer true once they are relaxed."""
    atoms.info[MADE_GEOMETRY] = _extent(atoms.positions)


def has_made_geometry(atoms: "Atoms") -> bool:
    """Say whether the coordinates are those that were made for a SMILES or a flat drawing.

    Those of a molecule whose hydrogens were added here are, too: most of its atoms are hydrogens.

    Turned and moved they still are; what has since been relaxed has a geometry of its own.
    """
    noted = atoms.info.get(MADE_GEOMETRY)
    if not isinstance(noted, float) or len(atoms) < 2:
        return False
    return bool(abs(noted - _extent(atoms.positions)) < _SAME_EXTENT)


NAMED_GEOMETRY = "named_geometry"
"""Key in ``info``: what a file names as where its coordinates come from, and how far the atoms were
from their centre."""
OF_RDKIT = "RDKit (whose object it is)"
"""Maker of the conformers of rdkit molecules that were not read from a MOL file."""


def keep_maker(atoms: "Atoms", maker: str) -> None:
    """Note what a file names as where its coordinates come from."""
    atoms.info[NAMED_GEOMETRY] = _noted(maker, atoms.positions)


def maker_of(atoms: "Atoms") -> str:
    """Return where the coordinates come from, if a file named it and they are still those."""
    noted = atoms.info.get(NAMED_GEOMETRY)
    maker, mark, extent = noted.rpartition("@") if isinstance(noted, str) else ("", "", "")
    try:
        same = bool(mark) and abs(float(extent) - _extent(atoms.positions)) < _SAME_EXTENT
    except ValueError:
        return ""
    return one_line(maker) if same else ""


def _noted(maker: str, positions: NDArray[np.float64]) -> str:
    return f"{maker}@{_extent(positions):.9f}"


_SAME_EXTENT = 1e-6
"""Å"""


def _extent(positions: NDArray[np.float64]) -> float:
    """Å, root mean square distance of the atoms from their centre."""
    away = positions - positions.mean(axis=0) if len(positions) else positions
    return float(np.sqrt(np.square(away).sum() / max(1, len(positions))))


def warnings_of(atoms: "Atoms") -> list[str]:
    """Return what the reader of a structure found doubtful: the sentences in ``info["warnings"]``.

    Something else of that name, such as a number that a file gives, is no warning.
    """
    found = atoms.info.get("warnings")
    return [w for w in found if isinstance(w, str)] if isinstance(found, (list, tuple)) else []


def said_of(structure: "Atoms | Structure") -> tuple[str, list[str]]:
    """Return a structure's name, and what its reader found doubtful."""
    if isinstance(structure, Structure):
        return structure.name, list(structure.warnings)
    return name_of(structure), warnings_of(structure)


def source_of(structure: "Atoms | Structure") -> str:
    """Return the path, or the text, that a structure was read from; empty if nobody says."""
    if isinstance(structure, Structure):
        return ""
    found = structure.info.get("source", structure.info.get("typed"))
    return one_line(found) if isinstance(found, str) else ""


def charges_of(atoms: "Atoms") -> NDArray[np.float32] | None:
    """Return the partial charges (n_atoms,) that a structure carries, in e; None if it has none.

    They are ase's initial charges, where the reader of CIF files puts ``_atom_site_charge``.
    """
    for name in ("initial_charges", "charges", "charge"):
        found = atoms.arrays.get(name)
        if found is not None and found.shape == (len(atoms),) and np.isfinite(found).all():
            return np.asarray(found, dtype=np.float32)
    return None


def name_of(atoms: "Atoms") -> str:
    """Return what the user calls this structure: ``info["name"]``, else its formula."""
    name = atoms.info.get("name")
    return (clean_name(str(name)) if name else "") or chemical_formula(atoms.numbers)


def _if_any(warnings: tuple[tuple[str, ...], ...]) -> tuple[tuple[str, ...], ...]:
    return warnings if any(warnings) else ()


def _joined_charges(items: list[Structure]) -> NDArray[np.float32] | None:
    if all(s.charges is None for s in items):
        return None
    unknown = (np.full(len(s.atomic_numbers), np.nan) for s in items)
    parts = [u if s.charges is None else s.charges for s, u in zip(items, unknown, strict=True)]
    return np.concatenate(parts).astype(np.float32)


def _concatenate(
    arrays: list[NDArray[Any]], empty_shape: tuple[int, ...], dtype: type
) -> NDArray[Any]:
    if not arrays:
        return np.zeros(empty_shape, dtype=dtype)
    return np.concatenate(arrays).astype(dtype, copy=False)
