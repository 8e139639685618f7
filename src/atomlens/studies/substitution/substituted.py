"""Crystals in which one element takes the place of another: made, or recognised."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from math import gcd
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from atomlens.chemistry.orbits import Orbits, find_orbits
from atomlens.elements import ATOMIC_NUMBERS, SYMBOLS
from atomlens.errors import Failure, SettingsError, StructureError, StudyError, unknown_name
from atomlens.printing import counted
from atomlens.structures.arrays import Structure, StructureArrays
from atomlens.studies.base import Row

Atoms = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Substituted:
    """One structure in which an element took the place of host atoms."""

    row: int
    """Among the structures."""
    host: str
    """Name of the host, or its reduced formula where the host is not at hand."""
    host_row: int | None
    """The host among the structures; None where it is not at hand."""
    site: str
    """Such as ``Fe i ×4``; empty for structures that were given as they are."""
    multiplicity: int
    """Sites of the cell that symmetry makes alike."""
    element: int
    """Atomic number of the substituent."""
    replaced: Atoms
    """Atoms that are the substituent."""
    host_atoms: Atoms
    """Atoms of the host's element that are left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Substitutions:
    """Hosts and substituted structures, and what was found on the way."""

    structures: StructureArrays
    items: tuple[Substituted, ...]
    hosts: tuple[Row, ...]
    """For each host: name, formula, space group, its deviation from it in Å, sites."""
    formulas: tuple[str, ...]
    """Reduced formulas of the hosts."""
    counts: dict[str, int]
    failures: tuple[Failure, ...] = ()


class _Sites(NamedTuple):
    """Sites of one element in a crystal that symmetry tells apart."""

    orbits: Orbits
    atoms: tuple[Atoms, ...]
    labels: tuple[str, ...]


def parse_elements(text: str, setting: str) -> tuple[int, ...]:
    """Return the atomic numbers of elements separated by commas.

    Raises:
        SettingsError: one of them is no element.
    """
    symbols = [part.strip() for part in text.split(",") if part.strip()]
    for symbol in symbols:
        if symbol not in ATOMIC_NUMBERS:
            raise SettingsError(f"{setting}: {unknown_name('element', symbol, ATOMIC_NUMBERS)}")
    return tuple(dict.fromkeys(ATOMIC_NUMBERS[symbol] for symbol in symbols))


def reduced_formula(atomic_numbers: NDArray[np.uint8]) -> str:
    """Return symbols in alphabetical order with the smallest whole numbers, such as Fe12Sm."""
    numbers, counts = np.unique(atomic_numbers, return_counts=True)
    divisor = reduce(gcd, counts.tolist())
    parts = sorted((SYMBOLS[z], n // divisor) for z, n in zip(numbers, counts, strict=True))
    return "".join(f"{symbol}{n if n > 1 else ''}" for symbol, n in parts)


def substitute(
    hosts: StructureArrays,
    elements: Sequence[int],
    *,
    site_element: int | None,
    all_sites: bool,
    tolerance: float,
    n_substituted: int = 1,
) -> Substitutions:
    """Put each element on each site of each host.

    Args:
        hosts: Crystals; molecules and crystals without the element of the sites are failures.
        elements: Atomic numbers of the substituents; the site's own element is passed over.
        site_element: Element that is replaced; the most frequent one of each host if None.
        all_sites: Replace every atom, not one of each set that symmetry makes alike.
        tolerance: Å, for the symmetry.
        n_substituted: 2 puts a second atom of the same element on each other atom of the site's
            element in turn; pairs that symmetry makes alike are not sought out.

    Raises:
        StudyError: no host is left.
    """
    made: list[Structure] = []
    items: list[Substituted] = []
    rows: list[Row] = []
    failures: list[Failure] = []
    formulas: list[str] = []
    for host in hosts:
        try:
            sites = _find_sites(host, site_element, all_sites, tolerance)
        except (StudyError, StructureError) as problem:
            failures.append(Failure(name=host.name, message=str(problem)))
            continue
        host_row = len(made)
        made.append(host)
        formulas.append(reduced_formula(host.atomic_numbers))
        rows.append(_host_row(host, formulas[-1], sites, tolerance))
        for atoms, label in zip(sites.atoms, sites.labels, strict=True):
            for element in elements:
                if element == host.atomic_numbers[atoms[0]]:
                    continue
                for pair in _chosen(host, int(atoms[0]), n_substituted):
                    where = label if len(pair) == 1 else f"{label} and atom {pair[1]}"
                    items.append(
                        _replace(host, host_row, len(made), pair, len(atoms), where, element)
                    )
                    made.append(_with_element(host, pair, element, where))
    if not items:
        reason = f" The first reason: {failures[0].message}" if failures else ""
        raise StudyError(f"None of the {len(hosts)} crystals can be a host.{reason}")
    return Substitutions(
        structures=StructureArrays.from_structures(made),
        items=tuple(items),
        hosts=tuple(rows),
        formulas=tuple(formulas),
        counts={"hosts": len(rows), "substituted structures": len(items)},
        failures=tuple(failures),
    )


def _host_row(host: Structure, formula: str, sites: _Sites, tolerance: float) -> Row:
    return {
        "host": host.name,
        "formula": formula,
        "space_group": sites.orbits.group,
        "tolerance": tolerance,
        "deviation": sites.orbits.deviation,
        "sites": ", ".join(sites.labels),
    }


def _chosen(host: Structure, atom: int, n_substituted: int) -> list[list[int]]:
    """Return the atoms to replace together: one, or one with each other of its element."""
    if n_substituted == 1:
        return [[atom]]
    same = np.flatnonzero(host.atomic_numbers == host.atomic_numbers[atom]).tolist()
    return [[atom, other] for other in same if other != atom and len(same) > n_substituted]


def _replace(
    host: Structure,
    host_row: int,
    row: int,
    atoms: list[int],
    multiplicity: int,
    label: str,
    element: int,
) -> Substituted:
    same = np.flatnonzero(host.atomic_numbers == host.atomic_numbers[atoms[0]])
    return Substituted(
        row=row,
        host=host.name,
        host_row=host_row,
        site=label,
        multiplicity=multiplicity,
        element=element,
        replaced=np.array(atoms),
        host_atoms=np.setdiff1d(same, atoms),
    )


def _with_element(host: Structure, atoms: list[int], element: int, label: str) -> Structure:
    numbers = host.atomic_numbers.copy()
    numbers[atoms] = element
    name = f"{host.name}, {SYMBOLS[element]} on {label}"
    return host._replace(atomic_numbers=numbers, name=name)


def _find_sites(
    host: Structure, site_element: int | None, all_sites: bool, tolerance: float
) -> _Sites:
    """Return the sites of an element, sorted by their first atom."""
    if not host.pbc.all():
        raise StudyError(f"{host.name}: it is no crystal; give one that repeats in three ways.")
    numbers = host.atomic_numbers
    if site_element is None:
        site_element = int(np.bincount(numbers).argmax())
    symbol = SYMBOLS[site_element]
    atoms = np.flatnonzero(numbers == site_element)
    if len(atoms) < 2:
        raise StudyError(
            f"{host.name}: its cell has {counted(len(atoms), 'atom')} of {symbol}, and two are "
            "needed, one to replace and one to compare with; take a larger cell or set "
            "site_element."
        )
    orbits = find_orbits(host, tolerance)
    if all_sites:
        sets = tuple(atoms[:, None])
        labels = tuple(f"{symbol} {atom}" for atom in atoms)
    else:
        sets = tuple(orbit for orbit in orbits if numbers[orbit[0]] == site_element)
        labels = _site_labels(symbol, sets, orbits)
    return _Sites(orbits, sets, labels)


def _site_labels(symbol: str, sets: Sequence[Atoms], orbits: Orbits) -> tuple[str, ...]:
    """Return element, Wyckoff letter and atoms in the cell, such as ``Fe i ×4``."""
    letters = [orbits.wyckoff[atoms[0]] for atoms in sets]
    names = [f"{symbol} {letter} ×{len(s)}" for letter, s in zip(letters, sets, strict=True)]
    return tuple(
        f"{name} ({names[:i].count(name) + 1})" if names.count(name) > 1 else name
        for i, name in enumerate(names)
    )


def recognise(
    structures: StructureArrays, host_element: int, spectators: Sequence[int]
) -> Substitutions:
    """Find the structures in which exactly one element took the place of host atoms.

    Args:
        structures: Substituted structures, among them the host if it is at hand.
        host_element: Element that was replaced.
        spectators: Other elements of the host; if empty, those that every structure has.

    Raises:
        StudyError: there is no structure with exactly one substituted element.
    """
    present = [set(s.atomic_numbers.tolist()) for s in structures]
    known = {host_element, *(spectators or set.intersection(*present))}
    host_row = next((row for row, found in enumerate(present) if found == known), None)
    items: list[Substituted] = []
    counts = {"one substituted element": 0, "unsubstituted": 0, "several substituted elements": 0}
    failures: list[Failure] = []
    for row, (structure, found) in enumerate(zip(structures, present, strict=True)):
        numbers, strange = structure.atomic_numbers, found - known
        if host_element not in found:
            message = f"{structure.name}: no {SYMBOLS[host_element]} is left to compare with."
            failures.append(Failure(name=structure.name, message=message))
            continue
        if len(strange) != 1:
            counts["several substituted elements" if strange else "unsubstituted"] += 1
            continue
        items.append(_substituted(row, numbers, host_element, strange.pop(), host_row))
    if not items:
        raise StudyError(
            f"Not one of the {len(structures)} structures has exactly one element that stands for "
            f"{SYMBOLS[host_element]}; check host_element, and name the other elements of the "
            "host with spectators."
        )
    counts["one substituted element"] = len(items)
    formulas = [item.host for item in items]
    unique = tuple(dict.fromkeys(formulas))
    name = structures.names[host_row] if host_row is not None else ""
    return Substitutions(
        structures=structures,
        items=tuple(items),
        hosts=tuple(
            {"host": f, "formula": f, "n_structures": formulas.count(f), "unsubstituted": name}
            for f in unique
        ),
        formulas=unique,
        counts=counts,
        failures=tuple(failures),
    )


def _substituted(
    row: int,
    atomic_numbers: NDArray[np.uint8],
    host_element: int,
    element: int,
    host_row: int | None,
) -> Substituted:
    """Return a structure in which an element stands on sites of the host."""
    replaced = atomic_numbers == element
    return Substituted(
        row=row,
        host=reduced_formula(np.where(replaced, np.uint8(host_element), atomic_numbers)),
        host_row=host_row,
        site="",
        multiplicity=1,
        element=element,
        replaced=np.flatnonzero(replaced),
        host_atoms=np.flatnonzero(atomic_numbers == host_element),
    )
