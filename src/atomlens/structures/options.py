"""How inputs are read: everything that a user may have to say about it, in one object."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from atomlens.errors import Failure, SettingsError, unknown_name
from atomlens.structures.arrays import said_of, source_of
from atomlens.structures.disorder import REFUSE, DisorderChoice

_Item = TypeVar("_Item")

PLACES = ("structure_column", "name_column", "structure_folder")
"""Options that say where in a table something stands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingOptions:
    """How whatever a user gives is read: structures, tables and folders of them."""

    forms: DisorderChoice = REFUSE
    """What is wanted of a disordered crystal, a flexible molecule, an mmCIF of several models, a
    text that is a SMILES and a formula"""
    structure_column: str | None = None
    """Column of a table that holds the structures; found by its header by default"""
    name_column: str | None = None
    """Column of a table that holds the names"""
    structure_folder: str | Path | None = None
    """Folder of the files that a table names; that of the table by default"""
    leave_out: tuple[Path, ...] = ()
    """Files and folders that folders and patterns pass over, such as what the caller writes"""
    n_workers: int = 1
    """Processes that read files and SMILES side by side; 0: one a core, where that is worth it"""
    strict: bool = False
    """A structure that is read with a warning is a failure"""

    def for_formulas(self, wanted: bool) -> "ReadingOptions":
        """Return these options with texts that are SMILES and formulas taken for the latter."""
        return replace(self, forms=replace(self.forms, formulas_first=wanted))

    def judged(self, item: "_Item") -> "_Item | Failure":
        """Return what came of an input, as a failure if it was read with a warning and that counts.

        Args:
            item: ase.Atoms, `Structure` or Failure.
        """
        if not self.strict or isinstance(item, Failure):
            return item
        name, said = said_of(item)
        if not said:
            return item
        message = f"{name}: {'; '.join(said)} (--strict)"
        return Failure(name=name, message=message, source=source_of(item))

    @property
    def places(self) -> dict[str, Any]:
        """What was said about where in a table something stands, by the names in `PLACES`."""
        said = {name: getattr(self, name) for name in PLACES}
        return {name: value for name, value in said.items() if value is not None}

    def for_tables(self) -> tuple[str | None, str | None, Path | None]:
        """Return structure column, name column and structure folder, as tables are read."""
        folder = self.structure_folder
        found = None if folder is None else Path(folder).expanduser()
        return self.structure_column, self.name_column, found


def check_places(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was said about the places in a table.

    Raises:
        SettingsError: something else was said.
    """
    for name in given:
        if name not in PLACES:
            raise SettingsError(unknown_name("option about tables", name, PLACES))
    return dict(given)


AS_IT_IS = ReadingOptions()
"""Disordered crystals are refused, one shape a molecule, tables speak for themselves."""
