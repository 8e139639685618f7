"""The structures that a user has given to the application, each under a number of ours."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

from atomlens.elements.naming import chemical_formula
from atomlens.errors import Failure, SettingsError, StructureError
from atomlens.predictor.trained import TrainedModel
from atomlens.reports.scene import periodicity
from atomlens.reports.wording import formula_text
from atomlens.structures.arrays import name_of, warnings_of
from atomlens.structures.text import as_formula

if TYPE_CHECKING:
    from ase import Atoms

MOST_ATOMS = 2000
"""In one structure: what a browser draws with bonds, and what most methods answer in seconds."""
MOST_STRUCTURES = 20_000
MOST_ATOMS_OF_ALL = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ShelvedStructure:
    """One structure on the shelf."""

    id: str
    name: str
    atoms: "Atoms"
    parent: str = ""
    """The structure that it was made of by a change, if it was."""
    change: str = ""
    """What was changed, such as ``O2 → N``."""
    origin: tuple[int, ...] = ()
    """(n_atoms,) number of each atom in the parent; -1 for new ones."""
    formula: "Atoms | None" = None
    """The other meaning of a text that is a SMILES and a formula: what models of formulas see."""

    def seen_by(self, model: TrainedModel) -> "Atoms":
        """Return what a model is asked about: of a text of two meanings the one that suits it."""
        return self.formula if self.formula is not None and model.reads_formulas else self.atoms

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        numbers = self.atoms.numbers
        return {
            "id": self.id,
            "name": self.name,
            "formula": formula_text(numbers),
            "formula_plain": chemical_formula(numbers),
            "n_atoms": len(numbers),
            "kind": periodicity(self.atoms),
            "warnings": warnings_of(self.atoms),
            "parent": self.parent,
            "change": self.change,
            "origin": list(self.origin),
        }


@final
class Shelf:
    """All structures of an application. Safe to use from several threads."""

    def __init__(self) -> None:
        self._held: dict[str, ShelvedStructure] = {}
        self._names: set[str] = set()
        self._count = 0
        self._n_atoms = 0
        self._lock = threading.Lock()

    def put(
        self, atoms: "Atoms", *, parent: str = "", change: str = "", origin: Sequence[int] = ()
    ) -> ShelvedStructure:
        """Keep a structure.

        Raises:
            StructureError: it has too many atoms.
            SettingsError: the shelf is full.
        """
        name = name_of(atoms)
        if len(atoms) > MOST_ATOMS:
            raise StructureError(
                f"{name}: it has {len(atoms):,} atoms, more than the {MOST_ATOMS:,} that this page "
                "shows; use `atomlens predict` and `atomlens explain`."
            )
        formula = None if parent else as_formula(atoms)
        with self._lock:
            if len(self._held) >= MOST_STRUCTURES or self._n_atoms + len(atoms) > MOST_ATOMS_OF_ALL:
                raise SettingsError(
                    f"{name}: the table is full ({len(self._held):,} structures); clear it first, "
                    "or use `atomlens predict` for so many."
                )
            self._count += 1
            held = ShelvedStructure(
                id=f"s{self._count}",
                name=self._unused(name),
                atoms=atoms,
                parent=parent,
                change=change,
                origin=tuple(int(i) for i in origin),
                formula=None if formula is atoms else formula,
            )
            for one in (atoms, held.formula):
                if one is not None:
                    one.info["name"] = held.name
            self._names.add(held.name)
            self._held[held.id] = held
            self._n_atoms += len(atoms)
        return held

    def _unused(self, name: str) -> str:
        candidate, number = name, 1
        while candidate in self._names:
            number += 1
            candidate = f"{name} ({number})"
        return candidate

    def get(self, structure_id: str) -> ShelvedStructure | None:
        """Return a structure, if it is there."""
        with self._lock:
            return self._held.get(structure_id)

    def all(self) -> list[ShelvedStructure]:
        """Return everything, in the order of coming."""
        with self._lock:
            return list(self._held.values())

    def remove(self, structure_id: str) -> bool:
        """Take a structure away; say whether it was there."""
        with self._lock:
            held = self._held.pop(structure_id, None)
            if held is not None:
                self._names.discard(held.name)
                self._n_atoms -= len(held.atoms)
        return held is not None

    def clear(self) -> None:
        """Take everything away."""
        with self._lock:
            self._held.clear()
            self._names.clear()
            self._n_atoms = 0


def failure_dict(failure: Failure) -> dict[str, str]:
    """Return a failure ready for JSON."""
    return {"name": failure.name, "message": failure.message}
