"""How inputs are read: everything that a user may have to say about it, in one object."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from atomlens.errors import Failure, SettingsError, unknown_name, warn
from atomlens.printing import cut
from atomlens.settings import argument_given
from atomlens.structures.arrays import Structure, has_made_geometry, said_of, source_of
from atomlens.structures.forms import N_MODELS, REFUSE, DisorderChoice

if TYPE_CHECKING:
    from ase import Atoms

_Item = TypeVar("_Item")

PLACES = ("structure_column", "name_column", "structure_folder", "sheet")
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
    sheet: str | None = None
    """Sheet of an Excel file; by default the first, or the only one with structures"""
    leave_out: tuple[Path, ...] = ()
    """Files and folders that folders and patterns pass over, such as what the caller writes"""
    n_workers: int = 1
    """Processes that read files and SMILES side by side; 0: one a core, where that is worth it"""
    strict: bool = False
    """A structure that is read with a warning is a failure"""

    def __post_init__(self) -> None:
        """Refuse what is no flag.

        Raises:
            SettingsError: it is neither True nor False.
        """
        argument_given(self.strict, (bool,), "strict")

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

    def for_tables(self) -> tuple[str | None, str | None, Path | None, str | None]:
        """Return structure column, name column, structure folder and sheet, as tables are read."""
        folder = self.structure_folder
        found = None if folder is None else Path(folder).expanduser()
        return self.structure_column, self.name_column, found, self.sheet


def check_places(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was said about the places in a table.

    Raises:
        SettingsError: something else was said.
    """
    for name in given:
        if name not in PLACES:
            raise SettingsError(unknown_name("option about tables", name, PLACES))
    return dict(given)


class FormsHeard:
    """Hears what is read, to say in the end which choice of forms was about none of it.

    So it says of how many SMILES one of several isomers was made.
    """

    def __init__(self, forms: DisorderChoice) -> None:
        self.forms = forms
        self.n_read = 0
        self.has_crystals = False
        self.has_shapes = False
        """Something was read that conformers are made of, or models taken of"""
        self._open: set[int] = set()
        """Hashes of the SMILES that leave open which isomer is meant"""
        self._first_open = self._last = ""

    def hear(self, items: "Iterable[Atoms | Structure | Failure]") -> None:
        """Take in what came of some inputs."""
        for item in items:
            if not isinstance(item, Failure):
                self.n_read += 1
                of = choices_about(item)
                self.has_crystals |= "disorder" in of
                self.has_shapes |= "conformers" in of
                self._hear_smiles(item)

    def _hear_smiles(self, item: "Atoms | Structure") -> None:
        from atomlens.structures.smiles import is_open

        if isinstance(item, Structure) or not has_made_geometry(item):
            return
        smiles = item.info.get("smiles")
        if not isinstance(smiles, str) or smiles == self._last:
            return
        self._last = smiles
        if is_open(smiles):
            self._open.add(hash(smiles))
            self._first_open = self._first_open or smiles

    def isomers(self) -> str:
        """Return a sentence about SMILES of which one isomer was made; empty if there is none."""
        if not self._open:
            return ""
        n, such = len(self._open), cut(self._first_open, 60)
        many = n > 1
        of = f"{n} SMILES, such as {such}," if many else such
        made = f"one isomer{' of each' if many else ''} was made"
        if self.forms.conformers > 1:
            made = "the shapes may be those of several isomers"
        return (
            f"{of} {'leave' if many else 'leaves'} a double bond or a stereo centre open; {made}, "
            "which matters to models that see distances: / and \\, @ and @@ (@SP1, @OH1 of squares "
            "and octahedra) say which is meant"
        )

    def idle(self) -> list[str]:
        """Return a sentence for each choice that was without effect; none if nothing was read."""
        return idle_forms(
            self.forms,
            has_crystals=self.has_crystals or not self.n_read,
            has_shapes=self.has_shapes or not self.n_read,
        )

    def tell(self) -> None:
        """Warn of them, and of isomers."""
        for sentence in filter(None, (*self.idle(), self.isomers())):
            warn(sentence)


def choices_about(item: "Atoms | Structure") -> tuple[str, ...]:
    """Return the choices of forms that are about a structure: ``disorder``, ``conformers``.

    None is about those of packed files, which have the form they have.
    """
    if isinstance(item, Structure):
        return ()
    of = ["disorder"] if item.pbc.any() or "disorder" in item.info else []
    return (*of, *(["conformers"] if "conformer" in item.info else []))


def idle_forms(forms: DisorderChoice, *, has_crystals: bool, has_shapes: bool) -> list[str]:
    """Return a sentence for each choice of forms that no input is of the kind for."""
    said = []
    if forms.how != "refuse" and forms.said_by != "model" and not has_crystals:
        said.append(
            f"disorder {forms.how} had no effect: none of the inputs is a crystal; leave it out"
        )
    if forms.how != "enumerate" and forms.n_models != N_MODELS and forms.said_by != "model":
        said.append(
            f"n_models {forms.n_models} had no effect: it says how many models disorder enumerate "
            "makes; leave it out"
        )
    if forms.conformers > 1 and not has_shapes:
        said.append(
            f"conformers {forms.conformers} had no effect: shapes are made of SMILES and taken of "
            "an mmCIF or an rdkit molecule of several, and none is among the inputs; leave it out"
        )
    return said


AS_IT_IS = ReadingOptions()
"""Disordered crystals are refused, one shape a molecule, tables speak for themselves."""
