"""Bare text: SMILES or formula. Files are looked for before this module is asked."""

import re
from typing import TYPE_CHECKING

from atomlens.errors import StructureError
from atomlens.structures.formulas import amounts_in_formula, from_formula
from atomlens.structures.molecules import from_smiles, parse_smiles, smiles_problem
from atomlens.structures.records import add_warning, short

if TYPE_CHECKING:
    from ase import Atoms

BOTH_NOTICE = (
    "valid as SMILES and as formula, read as SMILES; put `formula:` in front for the formula or "
    "`smiles:` to silence this"
)


def forced(text: str) -> "Atoms | None":
    """Return what a text with the prefix ``smiles:`` or ``formula:`` means, else None."""
    prefix, colon, rest = text.strip().partition(":")
    if not colon or prefix.lower() not in ("smiles", "formula"):
        return None
    return from_smiles(rest) if prefix.lower() == "smiles" else from_formula(rest)


def is_smiles(text: str) -> bool:
    """Say whether rdkit accepts a text as SMILES."""
    return parse_smiles(text.strip()) is not None


def is_formula(text: str) -> bool:
    """Say whether a text can be read as a formula."""
    try:
        return bool(amounts_in_formula(text))
    except StructureError:
        return False


def from_text(text: str) -> "Atoms":
    """Return a SMILES or, if it is none, a formula as ase.Atoms.

    A text that is valid as both, each element written once (``CO``, not ``CCO``), is read
    as SMILES with a notice. Raises StructureError for a text that is neither.
    """
    text = text.strip()
    if is_smiles(text):
        atoms = from_smiles(text)
        if _is_plausible_formula(text):
            add_warning(atoms, BOTH_NOTICE)
        return atoms
    try:
        return from_formula(text)
    except StructureError as error:
        if re.search(r"[=#@\\/\[\]+-]|[cnops](?![a-z])\d", text):
            raise StructureError(
                f"{short(text)} is no file, no formula and not a valid SMILES: "
                f"{smiles_problem(text)}"
            ) from error
        raise StructureError(f"{short(text)} is no file, no SMILES, and {_after(error)}") from error


def _is_plausible_formula(text: str) -> bool:
    return is_formula(text) and len(re.findall(r"[A-Z]", text)) == len(amounts_in_formula(text))


def _after(error: StructureError) -> str:
    """Return the formula's problem without the text that it repeats."""
    before, mark, after = str(error).partition("not a formula: ")
    return mark + after if mark else before
