"""What a text means: a SMILES, or a formula.

Both are letters and numbers. A text that is valid as both is read as SMILES with a notice; one that
is neither, or is written like a SMILES and is none, is refused.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import islice, pairwise
from typing import TYPE_CHECKING

from atomlens.errors import StructureError
from atomlens.printing import NO_STDIN, is_stdin, short
from atomlens.structures.arrays import warnings_of
from atomlens.structures.bonding import LONGEST_SMILES
from atomlens.structures.formulas import (
    CHARGED,
    amounts_in_formula,
    from_formula,
    is_by_weight,
    is_charged,
    not_in_formulas,
)
from atomlens.structures.records import add_warning
from atomlens.structures.smiles import from_smiles, has_smiles_grammar, parse_smiles, smiles_problem

if TYPE_CHECKING:
    from ase import Atoms

BOTH_NOTICE = (
    "valid as SMILES and as formula, read as SMILES; put `formula:` in front for the formula or "
    "`smiles:` to silence this"
)


_FULL_WIDTH = {0xFF01 + i: 0x21 + i for i in range(94)}
"""Letters and signs of East Asian keyboards, as those they stand for."""


def is_forced(text: str) -> bool:
    """Say whether a text has the prefix ``smiles:``, ``formula:`` or ``wt:`` (an alloy)."""
    prefix, colon, _ = text.strip().partition(":")
    return bool(colon) and prefix.lower() in ("smiles", "formula", "wt")


def forced(text: str) -> "Atoms | None":
    """Return what a text with a prefix (see `is_forced`) means, else None."""
    if not is_forced(text):
        return None
    if is_by_weight(text):
        return from_formula(text)
    prefix, _, rest = text.strip().partition(":")
    return from_smiles(rest) if prefix.lower() == "smiles" else from_formula(rest)


def as_formula(atoms: "Atoms") -> "Atoms":
    """Return what was just read of a text, or the formula that the same text means as well.

    Only of a text that `from_text` found to be both; everything else stays what it is. Atoms that
    somebody holds in hand are what they are: not to be called with those.
    """
    smiles = atoms.info.get("smiles")
    if BOTH_NOTICE not in warnings_of(atoms) or "source" in atoms.info:
        return atoms  # a file may say anything
    if not isinstance(smiles, str) or not is_formula(smiles):
        return atoms
    found = from_formula(smiles)
    found.info.update({key: atoms.info[key] for key in ("name", "typed") if key in atoms.info})
    return found


_LOOKED_AT = 2000
"""Texts of a list that are looked at to say what it holds."""


def both_among_formulas(texts: Iterable[str]) -> str | None:
    """Return a text of a list of formulas that is a SMILES as well, if there is one.

    A list holds formulas if some of its texts are nothing else (``SiO2``), and none is a SMILES
    that nobody writes as a formula (``CCO``).
    """
    both, has_formulas = None, False
    for text, smiles, formula in _meanings(texts):
        if smiles and not formula:
            return None
        has_formulas = has_formulas or (formula and not smiles)
        both = text if both is None and smiles else both
    return both if has_formulas else None


def are_smiles(texts: Iterable[str]) -> bool:
    """Say whether a list holds SMILES, so that those that are formulas as well are none.

    Some of its texts are SMILES that nobody writes as a formula (``CCO``), and none is a formula
    that is no SMILES (``SiO2``).
    """
    some = False
    for _, smiles, formula in _meanings(texts):
        if formula and not smiles:
            return False
        some = some or (smiles and not formula)
    return some


def _meanings(texts: Iterable[str]) -> Iterator[tuple[str, bool, bool]]:
    """Yield of the first texts of a list each one, whether it is a SMILES, and a formula."""
    for text in map(str.strip, islice(texts, _LOOKED_AT)):
        if not is_forced(text) and len(text) <= LONGEST_SMILES:
            yield text, is_smiles(text), _is_plausible_formula(text)


def is_smiles(text: str) -> bool:
    """Say whether rdkit accepts a text as SMILES."""
    return parse_smiles(text.strip()) is not None


def is_smiles_of_formula_letters(text: str) -> bool:
    """Say whether a text that can be read as a formula is more likely a SMILES, such as ``CCO``."""
    text = text.strip()
    return is_formula(text) and not _is_plausible_formula(text) and is_smiles(text)


def is_formula(text: str) -> bool:
    """Say whether a text can be read as a formula."""
    try:
        return bool(amounts_in_formula(text))
    except StructureError:
        return False


def from_text(text: str) -> "Atoms":
    """Return a SMILES or, if it is none, a formula as ase.Atoms.

    A text that is valid as both, each element written once (``CO``, not ``CCO``), is read
    as SMILES, with a notice unless atoms stand in brackets (``[CH2]``). Raises StructureError
    for a text that is neither.
    """
    text = text.translate(_FULL_WIDTH).strip()
    if len(text) > LONGEST_SMILES:
        raise StructureError(
            f"{short(text)} has {len(text)} letters, too many for a SMILES or formula (at most "
            f"{LONGEST_SMILES}); give a file"
        )
    if is_stdin(text):
        raise StructureError(f"{short(text)}: {NO_STDIN}")
    if _is_selfies(text):
        raise StructureError(
            f"{short(text)} reads like SELFIES, which is not read; give the SMILES "
            "(selfies.decoder of the package selfies makes it), or put `smiles:` in front if it is "
            "one"
        )
    if is_smiles(text):
        atoms = from_smiles(text)
        if _is_plausible_formula(text) and "[" not in text:
            add_warning(atoms, BOTH_NOTICE)
        return atoms
    if _is_meant_as_smiles(text):
        why = smiles_problem(text).removesuffix("; correct it")
        raise StructureError(
            f"{short(text)} reads like a SMILES, but is none ({why}); correct it, "
            "or put `formula:` in front if it is a formula"
        )
    if others := _parts_beside_smiles(text):
        raise StructureError(
            f"{short(text)} reads like a SMILES, but its part {short(others[0])} is none; write "
            "it with the bonds of a SMILES (Cl for HCl, O for water), or put `formula:` in front "
            "if it is a formula"
        )
    if is_several_smiles(text) or begins_with_smiles(text):
        raise StructureError(
            f"{short(text)} is a SMILES and more, or an odd formula; give one at a time, or put "
            "`formula:` in front if it is a formula"
        )
    if _has_name(text) and _is_meant_as_smiles(text.split()[0]):
        raise StructureError(
            f"{short(text)} reads like a SMILES and its name, but the SMILES is none "
            f"({smiles_problem(text.split()[0]).removesuffix('; correct it')}); correct it"
        )
    for pattern, what in _LOOKED_UP.items():
        if re.fullmatch(pattern, text):
            raise StructureError(
                f"{short(text)} is no file, no SMILES and no formula, and {what}; write "
                "one like CCO or Fe2O3"
            )
    try:
        return from_formula(text)
    except StructureError as error:
        if is_charged(text) and re.search(r"[^BCNOPSFI+-]", text):  # CC- is no ion's formula
            raise StructureError(
                f"{short(text)} is no file, no SMILES, and no formula: {CHARGED}, or give a SMILES "
                "such as [Na+].[Cl-]"
            ) from error
        if (why := not_in_formulas(text)) and why in str(error):
            raise StructureError(
                f"{short(text)} is no file, no SMILES, and {_after(error)}"
            ) from error
        first = text.split(maxsplit=1)[0] if text else ""  # a name may follow
        may_be_open = re.fullmatch(r"(?:Cl|Br|[BCNOPSFIcnops()\d.])+", first) is not None
        may_be_open &= first.count("(") != first.count(")")
        if may_be_open or re.search(r"[=#@\\/\[\]+-]|[cnops](?![a-z])\d", text):
            raise StructureError(
                f"{short(text)} is no file, no formula and not a valid SMILES: "
                f"{smiles_problem(text)}"
            ) from error
        raise StructureError(f"{short(text)} is no file, no SMILES, and {_after(error)}") from error


_HALOGENS = ("F", "Cl", "Br", "I")
_LOOKED_UP = {
    r"InChI=.+": "an InChI is not read",
    r"[A-Z]{14}-[A-Z]{10}-[A-Z]": "keys of InChIs are not looked up",
    r"\d{2,7}-\d\d-\d|(mp|mvc|oqmd|JVASP|agm|cod)-\d+": "numbers of registries and "
    "data bases are not looked up",
    r"[a-z][a-z' -]{2,}": "names are not looked up",
    r"[^>\s]*>[^>\s]*>[^>\s]*": "a reaction is no structure; give its molecules one by one",
}
"""What people give in the place of a structure, and why nothing comes of it."""


_SELFIES = re.compile(r"(?:\[[=#/\\]?[A-Z][A-Za-z0-9@+-]*\]|\.)+")
_BARE_ATOM = re.compile(r"\[(?:Cl|Br|[BCNOPSFI])\]")
_FEWEST_SYMBOLS = 3
"""``[O][O]`` is oxygen and ``[N][O]`` a radical; three atoms without hydrogens are SELFIES."""


def _is_selfies(text: str) -> bool:
    """Say whether a text is of SELFIES' symbols: ``[C][C][O]``, ``[C][=C][Ring1][Branch1]``."""
    if not text.startswith("[") or _SELFIES.fullmatch(text) is None:
        return False
    symbols = re.findall(r"\[[^\]]*\]", text)
    if any(re.fullmatch(r"\[[=#]?(?:Ring|Branch)\d\]|\[[=#][A-Z][a-z]?\]", s) for s in symbols):
        return True
    return len(symbols) >= _FEWEST_SYMBOLS and all(map(_BARE_ATOM.fullmatch, symbols))


def is_several_smiles(text: str) -> bool:
    """Say whether words of a text are each a SMILES, and together no formula as one writes it.

    ``CCO CCN`` is two molecules, ``Ti O2`` and ``C O2`` are formulas.
    """
    words = text.split()
    return len(words) > 1 and all(map(is_smiles, words)) and not _is_plausible_formula(text)


def begins_with_smiles(text: str) -> bool:
    """Say whether the first of several words is a SMILES that nobody writes as a formula."""
    words = text.split()
    return len(words) > 1 and is_smiles(words[0]) and not _is_plausible_formula(words[0])


def _parts_beside_smiles(text: str) -> list[str]:
    """Return the parts of a formula beside one that only a SMILES writes so: HCl of ``CCN.HCl``."""
    parts = text.split(".")
    if len(parts) < 2 or not is_formula(text):
        return []
    others = [part for part in parts if not is_smiles(part)]
    own = [part for part in parts if part not in others and not _is_plausible_formula(part)]
    return others if own else []


def _has_name(text: str) -> bool:
    """Say whether a word that nobody writes in formulas follows another: ``C1CC propane``."""
    return re.fullmatch(r"\S+\s+[A-Za-z]?[a-z]{2,}", text) is not None


def _is_meant_as_smiles(text: str) -> bool:
    """Say whether a text is written by the rules of SMILES, and is an odd formula.

    Formulas name an element once, or a second time with hydrogens (``CH3COOH``) or numbers
    (``CF3CF3``), which SMILES do not write.
    """
    if not is_formula(text):
        return False
    if _has_ring_number(text):
        return True
    if "(" in text and re.fullmatch(r"(?:Cl|Br|[BCNOPSFI().])+", text):
        return not _is_plausible_formula(text)  # (C)C, a branch that begins nowhere
    if re.fullmatch(r"\[[^\]\[]*\]", text) and has_smiles_grammar(text):
        return True  # one atom with too many hydrogens: [CH5]
    if _is_plausible_formula(text):
        return False
    if re.search(r"([A-Z][a-z]?)\1\d*$", text) and len(amounts_in_formula(text)) == 1:
        return True  # such as SS316, a steel
    if re.search(f"({'|'.join(_HALOGENS)})[2-9]", text):
        return False  # no ring begins there
    return has_smiles_grammar(text)


def _has_ring_number(text: str) -> bool:
    """Say whether a number is that of a ring which does not close (``C1CCO``), and no amount.

    Both are written the same, so it is told by its surroundings: only elements that SMILES write
    without brackets, no hydrogens, and numbers as no formula has them.
    """
    elements = re.findall(r"(Cl|Br|[BCNOPSFI])(\d*)", text)
    if not re.fullmatch(r"(?:(?:Cl|Br|[BCNOPSFI])\d*|[().])+", text) or re.search(r"\)\d", text):
        return False
    numbers = [(one, number) for one, number in elements if number]
    if not numbers:
        return False
    names = [one for one, _ in elements]
    has_one = any(number == "1" for _, number in numbers)
    if len(set(names)) == len(names):  # machines write C1O2, people CO2
        return has_one and len(numbers) < len(elements)
    twice = any(a == b and not number for (a, number), (b, _) in pairwise(elements))
    is_amount = any(one in _HALOGENS and number != "1" for one, number in numbers)
    return has_one or twice or (names.count("C") > 1 and not is_amount)


def _is_plausible_formula(text: str) -> bool:
    return is_formula(text) and len(re.findall(r"[A-Z]", text)) == len(amounts_in_formula(text))


def _after(error: StructureError) -> str:
    """Return the formula's problem without the text that it repeats."""
    before, mark, after = str(error).partition("not a formula: ")
    return mark + after if mark else before
