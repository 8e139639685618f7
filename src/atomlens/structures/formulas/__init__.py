"""Chemical formulas as text: ``Fe2O3``, ``Ca(OH)2``, ``CuSO4·5H2O``, ``Li0.5CoO2``.

A formula becomes ase.Atoms with whole numbers of atoms, all at the origin, without a cell
and with ``info["is_formula"]``; weight percent of an alloy are turned into atoms behind ``wt:``
(``wt:Ti-6Al-4V``). See ``docs/decisions/0002-formulas-are-atoms.md``.

A text loses its `typography`, is cut into parts (`adducts`), each of which has a `grammar`, and its
amounts are judged together (`judging`).
"""

from atomlens.structures.formulas.alloys import BY_WEIGHT, is_by_weight
from atomlens.structures.formulas.numbers import (
    MOST_ATOMS,
    from_amounts,
    number_in,
    symbol_of_key,
    total_amount,
)
from atomlens.structures.formulas.others import CHARGED, is_charged, not_in_formulas
from atomlens.structures.formulas.reading import amounts_in_formula, from_formula

__all__ = [
    "BY_WEIGHT",
    "CHARGED",
    "MOST_ATOMS",
    "amounts_in_formula",
    "from_amounts",
    "from_formula",
    "is_by_weight",
    "is_charged",
    "not_in_formulas",
    "number_in",
    "symbol_of_key",
    "total_amount",
]
