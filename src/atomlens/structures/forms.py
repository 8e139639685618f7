"""Which forms of a structure are read: ordered models, conformers, what a text can mean."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import TYPE_CHECKING, Any, Literal, get_args

from atomlens.errors import SettingsError, unknown_name
from atomlens.structures.doubts import as_doubt

if TYPE_CHECKING:
    from ase import Atoms

Disorder = Literal["refuse", "majority", "enumerate"]
"""What to do with a disordered crystal."""
N_MODELS = 8
"""Ordered models that ``enumerate`` makes, unless asked for another number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DisorderChoice:
    """How what can be several things is read: disorder, flexible molecules, ambiguous texts."""

    how: Disorder = "refuse"
    """``refuse``; ``majority``: the species or group of the largest occupancy, of equal ones the
    first in the file; ``enumerate``: up to `n_models` ordered models, drawn by the occupancies,
    of which means are means over the disorder"""
    n_models: int = N_MODELS
    """Ordered models of ``enumerate``; less where fewer hold the same in the same shares"""
    conformers: int = 1
    """Shapes made of each SMILES, models taken of an mmCIF and conformers of an rdkit molecule, at
    most, if more than 1; they stand for one structure"""
    formulas_first: bool = False
    """Compositions are all that counts: a text that is a SMILES and a formula, such as ``BN``, is
    taken for the formula, and a disordered crystal for its own, where ``how`` is ``refuse``"""
    said_by: Literal["nobody", "user", "model"] = "nobody"
    """Who chose ``how``: what a user refuses is refused, what nobody chose follows the model"""

    @classmethod
    def asked(cls, how: Disorder | None, n_models: int, conformers: int) -> "DisorderChoice":
        """Return what a user asks for; without ``how`` disorder is refused or follows a model."""
        said_by: Literal["nobody", "user"] = "nobody" if how is None else "user"
        return cls(how=how or "refuse", n_models=n_models, conformers=conformers, said_by=said_by)

    @property
    def takes_compositions(self) -> bool:
        """Whether the composition of a disordered crystal is all that is read of it."""
        return self.how == "refuse" and self.formulas_first and self.said_by != "user"

    def __post_init__(self) -> None:
        if self.how not in get_args(Disorder):
            raise SettingsError(unknown_name("way to treat disorder", self.how, get_args(Disorder)))
        if not _is_count(self.n_models):
            raise SettingsError(
                f"{self.n_models!r} ordered models cannot be made; give a whole number from 1 to "
                "1000."
            )
        if not _is_count(self.conformers):
            raise SettingsError(
                f"{self.conformers!r} conformers cannot be made; give a whole number from 1 to "
                "1000."
            )


def _is_count(given: Any) -> bool:
    if isinstance(given, bool) or not isinstance(given, Integral):
        return False
    return 1 <= int(given) <= 1000


REFUSE = DisorderChoice()
IS_DISORDERED = (
    "the structure is disordered; read ordered models of it with --disorder majority or "
    '--disorder enumerate (in Python disorder="majority" or "enumerate")'
)
"""What is said of a disordered crystal that is refused, behind which site makes it one."""


def form_of(atoms: "Atoms") -> int:
    """Return which ordered model or conformer of its structure this is, from 0; -1 for others."""
    number = atoms.info.get("ordered_model", atoms.info.get("conformer", -1))
    return number if isinstance(number, int) else -1


def name_of_forms(names: Sequence[str]) -> str:
    """Return the name of a structure from those of its forms, ``x-0000`` or ``x`` and ``x-2``."""
    if len(names) < 2 or names[1] in (names[0], f"{names[0]}-2"):
        return names[0]
    return re.sub(r"-(\d{4}|model-\w+)$", "", names[0])


def said_of_models(sentence: str) -> str:
    """Return what is said of one ordered model as it is said of all of them."""
    doubt = as_doubt(sentence)
    return doubt.pieces[0] if doubt.pieces and "ordered model" in doubt.kinds else sentence
