"""What a reader finds in a file, one entry a structure, good or bad."""

import re
import warnings
from collections.abc import Callable, Sequence
from numbers import Real
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from atomlens.elements.masses import ATOMIC_MASSES
from atomlens.errors import StructureError
from atomlens.printing import reason, short
from atomlens.structures.arrays import warnings_of
from atomlens.structures.checks import check_atoms
from atomlens.structures.distance_doubts import doubtful_distance, no_hydrogen, unused_cell
from atomlens.structures.doubts import Doubt, DoubtKind, are_about
from atomlens.structures.hydrogen_doubts import absent_hydrogens

if TYPE_CHECKING:
    from ase import Atoms

DEUTERIUM_NOTICE = Doubt("deuterium or tritium is treated as hydrogen", "hydrogens")
"""Neutrons, which tell it from hydrogen, leave none out."""
ISOTOPE_NOTICE = "isotopes are treated as their elements"
_OTHER_MASS = 0.4
"""Dalton; a mass that is so far from its element's is that of an isotope."""
_LARGEST_SHIFT = 0.5
"""Of its element's mass, within which that of an isotope is."""
OVERLAP_NOTICE = Doubt(
    "atoms stand closer than 0.5 Å to each other, as alternatives of a disordered part do; all of "
    "them are used, so numbers for it mean little; keep one alternative",
    "distances",
)


def decimal_comma(word: str) -> str:
    """Return what to do about a number with a decimal comma, ``""`` for any other word."""
    if re.fullmatch(r"[+-]?\d*,\d+([eE][+-]?\d+|\(\d+\))?", word.strip()) is None:
        return ""
    return "write decimal points in place of the commas"


def as_float(word: str) -> float:
    """Return the number that a word of a file is.

    Raises:
        ValueError: it is none, or one that Python alone reads: ``1_0`` is 10 to it, and to other
            programs a name, or a number that was cut or joined.
    """
    if "_" in word:
        raise ValueError(word)
    return float(word)


def odd_number(text: str) -> str:
    """Return the first word of a text that only Python reads as a number (``1_0``), or ``""``."""
    for word in text.split() if "_" in text else ():
        try:
            float(word)
        except ValueError:
            continue
        if "_" in word:
            return word
    return ""


def refuse_odd_numbers(text: str) -> None:
    """Raise a StructureError for numbers that ase would read as Python does, and nobody else."""
    word = odd_number(text)
    if word:
        raise StructureError(f"{short(word)} stands where a number should be; correct it")


class HoldsNoStructureError(StructureError):
    """A whole file that is something else, such as ``metrics.json`` or ``Thumbs.db``."""


class Entry(NamedTuple):
    """One structure of a file, or why it cannot be used. Exactly one of the two is there."""

    name: str
    """The name that the file gives to the structure; empty where it gives none."""
    atoms: "Atoms | None"
    problem: str = ""
    """A sentence without the file's name."""


def atoms_of(entries: "Sequence[Entry]") -> "list[Atoms]":
    """Return the structures of what is one: its forms; a StructureError if one cannot be used."""
    for entry in entries:
        if entry.atoms is None:
            raise StructureError(entry.problem)
    return [entry.atoms for entry in entries if entry.atoms is not None]


def attempt(name: str, build: "Callable[[], Atoms]", what: str = "structure") -> Entry:
    """Build and check one structure; whatever goes wrong becomes the entry's problem."""
    (entry,) = attempt_all(name, lambda: [build()], what)
    return entry


def attempt_all(name: str, build: "Callable[[], list[Atoms]]", what: str) -> list[Entry]:
    """Build and check the structures of one place, such as the ordered models of a crystal.

    If one cannot be used, none is: the one entry left says why.
    """
    try:
        with quiet():
            found = build()
        for atoms in found:
            check_atoms(atoms)
            note_doubts(atoms)
    except StructureError as error:
        return [Entry(name, None, str(error))]
    except Exception as error:  # a third-party parser met something it did not expect
        return [Entry(name, None, f"the {what} cannot be read ({reason(error)}); correct the file")]
    if len(found) == 1 or not name:
        return [Entry(name, atoms) for atoms in found]
    return [Entry(f"{name}-{i:04d}", atoms) for i, atoms in enumerate(found)]


def note_doubts(atoms: "Atoms") -> None:
    """Note what cannot be right, and what no model sees, whoever gave the structure."""
    _doubt_distances(atoms)
    if not atoms.info.get("is_formula") and (absent := absent_hydrogens(atoms)):
        add_warning(atoms, absent)
    _doubt_electrons(atoms)


def _doubt_distances(atoms: "Atoms") -> None:
    """Note distances that cannot be right, unless the reader has said so in better words."""
    if atoms.info.get("is_formula") or are_about(warnings_of(atoms), "distances"):
        return
    doubtful = doubtful_distance(atoms)
    if doubtful:
        add_warning(atoms, doubtful)


class quiet(warnings.catch_warnings):  # noqa: N801  used like a function
    """Keep the warnings of other people's parsers from the user; problems become errors."""

    def __enter__(self) -> None:
        super().__enter__()
        warnings.simplefilter("ignore")


def add_warning(atoms: "Atoms", sentence: str) -> None:
    """Note on a structure something doubtful, in ``info["warnings"]``, without failing.

    A sentence that is there already gets the kinds of this one: those of an object that came
    through a file of another program have lost theirs.
    """
    known = warnings_of(atoms)
    atoms.info["warnings"] = (
        [sentence if one == sentence else one for one in known]
        if sentence in known
        else [*known, sentence]
    )


def without_unused_cell(atoms: "Atoms") -> None:
    """Take the cell of what does not repeat for none; one that looks like a crystal's is told."""
    if atoms.pbc.any():
        return
    if said := unused_cell(atoms):
        add_warning(atoms, said)
    atoms.cell[:] = 0.0


def check_tritium(atoms: "Atoms", symbols: Sequence[str], advice: str) -> None:
    """Refuse a T that cannot be tritium.

    Raises:
        StructureError: no hydrogen stands so, but the silicon or aluminium of a zeolite.
    """
    tritium = {i for i, symbol in enumerate(symbols) if symbol == "T"}
    found = no_hydrogen(atoms, tritium) if tritium and len(atoms) > 1 else None
    if found is not None:
        i, why = found
        raise StructureError(
            f"atom {i} (counted from 0): 'T' is not an element here, since {why}; {advice}"
        )


def tell_electrons(atoms: "Atoms", charge: float, n_unpaired: float) -> None:
    """Note what models do not see: they know elements and places of atoms."""
    said: dict[DoubtKind, str] = {"charge": f"charge of {charge:+g}"} if charge else {}
    if n_unpaired:
        said["unpaired electrons"] = f"unpaired electrons ({n_unpaired:g})"
    if said:
        sentence = (
            f"no model sees its {' and '.join(said.values())}: only elements and places of atoms "
            "count"
        )
        add_warning(atoms, Doubt(sentence, *said))


def tell_set_apart(atoms: "Atoms", gap: float) -> None:
    """Note that several molecules stand ``gap`` Å apart because nobody said where they are."""
    add_warning(
        atoms,
        Doubt(
            f"its molecules (a salt or solvent?) were set {gap:g} Å apart, since it does not say "
            "where they are; if one of them is meant, give it alone",
            "set apart",
        ),
    )


_ROUNDED = 0.01
"""Elementary charges; so far from a whole number may charges of atoms add up by rounding."""
_CHARGES = ("charge", "total_charge", "net_charge", "formal_charge", "pubchem_total_charge")
_MULTIPLICITIES = ("multiplicity", "spin_multiplicity")
"""As extended XYZ and fields of SDF call them, in any case of letters."""


def _doubt_electrons(atoms: "Atoms") -> None:
    """Note charge and multiplicity that are said of a whole structure, and odd electrons.

    Of molecules the charges and moments of their atoms count as well, where they are those of
    ase and add up to a whole number (partial charges of a neutral molecule say nothing).
    """

    called = {re.sub(r"[ -]", "_", str(key).lower()): value for key, value in atoms.info.items()}

    def number(names: tuple[str, ...], usual: float) -> float:
        found = (called.get(name) for name in names)
        return next((float(x) for x in found if isinstance(x, Real)), usual)

    charge, unpaired = number(_CHARGES, 0.0), max(number(_MULTIPLICITIES, 1.0) - 1.0, 0.0)
    is_molecule = len(atoms) > 1 and not atoms.pbc.any() and not atoms.info.get("is_formula")
    if not is_molecule or are_about(warnings_of(atoms), "charge", "unpaired electrons"):
        tell_electrons(atoms, charge, unpaired)
        return
    charge = charge or _whole_sum(atoms, "initial_charges")
    unpaired = unpaired or abs(_whole_sum(atoms, "initial_magmoms"))
    n_electrons = int(atoms.numbers.sum()) - round(charge)
    if n_electrons % 2 and not charge and not unpaired:
        add_warning(
            atoms,
            Doubt(
                f"it has an odd number of electrons ({n_electrons}), so it is a radical, an ion "
                "whose charge is not stated, or lacks an atom; no model sees which: only elements "
                "and places of atoms count",
                "odd electrons",
            ),
        )
        return
    tell_electrons(atoms, charge, max(unpaired, float(n_electrons % 2)))


def _whole_sum(atoms: "Atoms", name: str) -> float:
    """Return what the numbers of the atoms add up to if that is a whole number, else 0."""
    values = atoms.arrays.get(name)
    if values is None or values.ndim != 1 or not np.isfinite(values).all():
        return 0.0
    total = float(values.sum())
    return float(round(total)) if abs(total - round(total)) < _ROUNDED else 0.0


def drop_masses(atoms: "Atoms") -> None:
    """Take masses that were given for those of the elements; isotopes are told.

    So that heavy water is the same whether a file writes D or hydrogen of mass 2.014.
    """
    if "masses" not in atoms.arrays:
        return
    given = atoms.arrays["masses"]
    numbers = atoms.numbers
    usual = ATOMIC_MASSES[np.clip(numbers, 0, len(ATOMIC_MASSES) - 1)]
    other = np.isfinite(given) & (np.abs(given - usual) > _OTHER_MASS)
    del atoms.arrays["masses"]
    if np.any(other & (numbers == 1)):
        add_warning(atoms, DEUTERIUM_NOTICE)
    other &= np.abs(given - usual) < _LARGEST_SHIFT * usual  # 1.0 for all is what none is given by
    if np.any(other & (numbers > 1)):
        add_warning(atoms, ISOTOPE_NOTICE)


_ONE_NUMBER = ("energy", "free_energy", "magmom")
"""Results of ase that are one number of a structure."""


def keep_results(atoms: "Atoms") -> None:
    """Copy energies and the like, which ase puts into a calculator, to where targets are.

    Those that are no number (``energy=1.2.3``) are texts there, as in a cell of a table.
    """
    if atoms.calc is not None:
        for key, value in atoms.calc.results.items():
            if isinstance(value, Real | str) or (key in _ONE_NUMBER and np.size(value)):
                atoms.info.setdefault(key, value)
