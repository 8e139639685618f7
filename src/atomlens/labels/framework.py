"""A crystal as the rigid host of a gas: parameters, charges and copies of the cell."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from atomlens.elements import SYMBOLS
from atomlens.elements.charges import charge_bounds
from atomlens.errors import LabelError
from atomlens.labels.force_fields import ForceField, LennardJones
from atomlens.structures.arrays import charges_of, name_of

if TYPE_CHECKING:
    from ase import Atoms

Charges = Literal["file", "none"]
"""Partial charges of the framework: those of the input, or none at all."""

LARGEST_NET_CHARGE = 0.1
"""e in the cell, whatever the charges are rounded to."""
_MOST_DIGITS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Framework:
    """A rigid crystal. Lengths in Å, angles in degrees, charges in e."""

    name: str
    symbols: tuple[str, ...]
    """The elements in it."""
    lennard_jones: tuple[LennardJones, ...]
    """Of each element."""
    masses: tuple[float, ...]
    """Of each element, g/mol."""
    kinds: NDArray[np.int64]
    """(n_atoms,) number of each atom's element in ``symbols``."""
    fractional: NDArray[np.float64]
    """(n_atoms, 3) within [0, 1)"""
    charges: NDArray[np.float64]
    """(n_atoms,) they add up to zero"""
    cell_parameters: NDArray[np.float64]
    """(6,) a, b, c, alpha, beta, gamma"""
    replicas: tuple[int, int, int]
    """Copies of the cell along its vectors in the box of the simulation."""

    @property
    def mass(self) -> float:
        """Mass of one cell, g/mol."""
        return float(np.asarray(self.masses)[self.kinds].sum())

    @property
    def volume(self) -> float:
        """Volume of one cell, Å³."""
        a, b, c = self.cell_parameters[:3]
        x, y, z = np.cos(np.radians(self.cell_parameters[3:]))
        return float(a * b * c * np.sqrt(1 - x * x - y * y - z * z + 2 * x * y * z))

    @property
    def n_replicas(self) -> int:
        """Number of cells in the box."""
        return int(np.prod(self.replicas))


def make_framework(
    atoms: "Atoms", force_field: ForceField, *, cutoff: float, charges: Charges = "file"
) -> Framework:
    """Return a crystal with parameters, neutral charges and enough copies of its cell.

    The box is at least twice the ``cutoff`` (Å) wide between each pair of faces. A rest of
    charge from rounding is taken off all atoms alike.

    Raises:
        LabelError: it does not repeat in three directions, an element has no parameters, or
            charges are wanted and missing or far from neutral.
    """
    name = name_of(atoms)
    if not atoms.pbc.all() or atoms.info.get("is_formula"):
        raise LabelError(
            f"{name}: gas is adsorbed by crystals, which repeat in three directions; this "
            "structure does not. Give a crystal with its cell, for example a CIF file."
        )
    elements = atoms.get_chemical_symbols()
    symbols = tuple(sorted(set(elements)))
    try:
        parameters = tuple(force_field.of(symbol) for symbol in symbols)
    except LabelError as error:
        raise LabelError(f"{name}: {error}.") from None
    masses = dict(zip(elements, atoms.get_masses().tolist(), strict=True))
    return Framework(
        name=name,
        symbols=symbols,
        lennard_jones=parameters,
        masses=tuple(masses[symbol] for symbol in symbols),
        kinds=np.array([symbols.index(e) for e in elements], dtype=np.int64),
        fractional=np.asarray(atoms.get_scaled_positions(wrap=True), dtype=np.float64),
        charges=np.zeros(len(atoms)) if charges == "none" else _neutral_charges(atoms, name),
        cell_parameters=np.asarray(atoms.cell.cellpar(), dtype=np.float64),
        replicas=replicas_for(np.asarray(atoms.cell[:], dtype=np.float64), cutoff),
    )


def replicas_for(cell: NDArray[np.float64], cutoff: float) -> tuple[int, int, int]:
    """Return how many copies of a cell (3, 3) make each width at least twice the cutoff."""
    widths = 1.0 / np.linalg.norm(np.linalg.inv(cell), axis=0)
    a, b, c = np.ceil(2 * cutoff / widths - 1e-9).astype(int).clip(min=1).tolist()
    return a, b, c


def _neutral_charges(atoms: "Atoms", name: str) -> NDArray[np.float64]:
    found = charges_of(atoms)
    if found is None or not np.abs(found).max() > 1e-6:
        raise LabelError(
            f"{name}: it has no partial charges of all atoms, which this gas feels; add or "
            "complete the column _atom_site_charge of the CIF, or say --charges none (in Python "
            'charges="none") to leave them out (the uptake is then too low).'
        )
    values = np.asarray(found, dtype=np.float64)
    _refuse_beyond(atoms.numbers, values, name)
    net = float(values.sum())
    if abs(net) > rounding_of_the_sum(values):
        ions = missing_ions(atoms)
        said = "as if counter-ions were missing," if ions else "not zero,"
        raise LabelError(
            f"{name}: its partial charges add up to {net:+.3g} e in the cell, {said} but a "
            "framework is neutral; add the missing ions or correct the charges."
        )
    return values - net / len(values)


def _refuse_beyond(numbers: NDArray[np.int64], charges: NDArray[np.float64], name: str) -> None:
    """Raise a LabelError for charges (n_atoms,) that no atom of such an element bears."""
    for i, (number, charge) in enumerate(zip(numbers.tolist(), charges.tolist(), strict=True)):
        low, high = charge_bounds(number)
        if not low <= charge <= high:
            raise LabelError(
                f"{name}: the partial charge of atom {i} ({SYMBOLS[number]}, counted from 0) is "
                f"{charge:+.3g} e, more than such an atom can bear; check unit and column of the "
                'charges, or leave them out with --charges none (in Python charges="none").'
            )


def missing_ions(atoms: "Atoms") -> str:
    """Return what the partial charges lack of a neutral cell, if it is about a whole number of e.

    Such a cell has lost its counter-ions, whose place a gas would take, whether it feels charges
    or not. Empty if charges are missing, neutral, or wrong in another way.
    """
    found = charges_of(atoms)
    net = 0.0 if found is None else float(np.asarray(found, dtype=np.float64).sum())
    if not math.isfinite(net) or round(net) == 0 or abs(net - round(net)) > LARGEST_NET_CHARGE:
        return ""
    return f"about {round(net):+d} e"


def rounding_of_the_sum(charges: NDArray[np.float64]) -> float:
    """Return what the sum of neutral charges (n_atoms,) may differ from zero by rounding, e.

    One unit of the last digit written, times √n if all are rounded apart; equal charges are
    rounded alike, and their errors add up. Never more than `LARGEST_NET_CHARGE`.
    """
    written = np.round(charges, _MOST_DIGITS)
    digits = next(
        (d for d in range(_MOST_DIGITS) if np.allclose(written, np.round(written, d), atol=1e-7)),
        _MOST_DIGITS,
    )
    _, counts = np.unique(written, return_counts=True)
    spread = 10.0**-digits * float(np.sqrt(np.square(counts.astype(np.float64)).sum()))
    return min(LARGEST_NET_CHARGE, spread)
