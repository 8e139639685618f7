"""Structures of rows held against what other columns of the row say that they are."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from atomlens.datasets.tables.cells import is_missing
from atomlens.datasets.tables.headers import HOLDERS, is_of_smiles
from atomlens.datasets.tables.row_readers import RowReader, hold_structures
from atomlens.elements.naming import chemical_formula
from atomlens.errors import StructureError, warn
from atomlens.printing import cut, short
from atomlens.structures.arrays import name_of
from atomlens.structures.forms import DisorderChoice
from atomlens.structures.formulas import amounts_in_formula
from atomlens.structures.records import add_warning

if TYPE_CHECKING:
    from ase import Atoms


def held_against_others(
    path: Path,
    reader: RowReader,
    columns: Mapping[str, list[Any]],
    used: Sequence[str],
    known: Mapping[str, str],
) -> RowReader:
    """Return a reader that holds each structure against what other columns say it is.

    Those are a column of formulas, and one of SMILES of the same molecule. Others that hold
    structures are not read, which is said.

    Args:
        path: The table, for messages.
        reader: Reads the structure of a row.
        columns: Cells by header.
        used: Headers of the columns that the reader takes.
        known: Headers by their words in small letters.
    """
    unread = [known[k] for k in HOLDERS if k in known and known[k] != used[0]]
    unread = [header for header in unread if hold_structures(columns[header])]
    if unread:
        warn(
            f"{path}: the column {cut(unread[0], 60)!r} holds structures too and is not read; "
            f"{cut(used[0], 60)!r} is"
        )
    formula = next((known[t] for t in ("formula", "composition") if t in known), None)
    checks: list[tuple[str, Callable[[Atoms, str], str]]] = []
    checks += [] if formula is None else [(formula, _other_formula)]
    checks += [(header, _other_smiles) for header in columns if is_of_smiles(header)]
    checks = [(header, check) for header, check in checks if header not in used]
    if not checks:
        return reader
    return replace(
        reader,
        function=_held_against,
        arguments=lambda row: (
            reader.function,
            reader.arguments(row),
            tuple((header, columns[header][row], check) for header, check in checks),
        ),
    )


def _held_against(
    function: "Callable[..., list[Atoms]]",
    arguments: tuple[Any, ...],
    beside: "tuple[tuple[str, Any, Callable[[Atoms, str], str]], ...]",
    choice: DisorderChoice,
) -> "list[Atoms]":
    """Read a structure; warn if another column of the row says that it is another one."""
    found = function(*arguments, choice)
    for header, cell, other in beside:
        if not isinstance(cell, str) or is_missing(cell):
            continue
        for atoms in found:
            taken = "" if "disorder" in atoms.info else other(atoms, cell)
            if taken:
                said = f"the column {cut(header, 60)} says {short(cell)}, but {taken}"
                add_warning(atoms, said)
                warn(f"{name_of(atoms)}: {said}")
    return found


def _other_formula(atoms: "Atoms", formula: str) -> str:
    """Return what atoms are, as part of a sentence, if a formula is another one."""
    try:
        amounts = amounts_in_formula(formula)
    except StructureError:
        return ""  # a name, or a formula with charges
    counts = Counter(atoms.get_chemical_symbols())
    ratios = [float(amounts[s]) / counts[s] for s in amounts if s in counts]
    if set(counts) == set(amounts) and max(ratios) < 1.01 * min(ratios):
        return ""
    return f"its atoms are {chemical_formula(atoms.numbers)}; the atoms were taken"


def _other_smiles(atoms: "Atoms", smiles: str) -> str:
    """Return what a molecule is, as part of a sentence, if a SMILES is another one.

    Beside coordinates the atoms are compared; of two SMILES the bonds too, without handedness.
    """
    from atomlens.structures.smiles import atoms_and_bonds

    own = atoms.info.get("smiles")
    if own == smiles.strip():
        return ""
    said = atoms_and_bonds(smiles.strip())
    if said is None:
        return ""  # a name, or no SMILES that can be read
    if isinstance(own, str):
        return "" if said == atoms_and_bonds(own) else f"{short(own)} was taken, another molecule"
    if said.counts == Counter(atoms.get_chemical_symbols()):
        return ""
    return f"its atoms are {chemical_formula(atoms.numbers)}; the atoms were taken"
