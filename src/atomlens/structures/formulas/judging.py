"""Amounts judged together: decimals that stand for thirds, per cent that stand for a compound."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import gcd, lcm

THIRDS_NOTICE = "decimals such as 0.33 and 0.167 are taken as thirds and sixths"


def meant_amounts(amounts: Sequence[Fraction], written: Sequence[str]) -> list[Fraction]:
    """Return amounts in which decimals that stand for thirds or sixths are exact.

    They are judged together. Neighbours that add up to a whole number stay as they are written
    unless their thirds do so, too: 0.34 and 0.66. All others are thirds, or none of them is.

    Args:
        amounts: As they are written, in their order.
        written: The texts of the same; empty where there is none.
    """
    thirds = [_third_or_sixth(number) if "." in number else None for number in written]
    if not any(thirds):
        return list(amounts)
    meant = list(amounts)
    open_places = [k for k, amount in enumerate(amounts) if amount.denominator > 1]
    others: list[int] = []
    while open_places:
        group = _whole_neighbours(open_places, amounts)
        if group and sum(thirds[k] or amounts[k] for k in group).denominator == 1:
            for k in group:
                meant[k] = thirds[k] or amounts[k]
        if not group:
            others += open_places
            break
        before = open_places.index(group[0])
        others += open_places[:before]
        open_places = open_places[before + len(group) :]
    if all(thirds[k] or amounts[k].denominator <= _COARSEST for k in others):
        for k in others:
            meant[k] = thirds[k] or amounts[k]
    return meant


_COARSEST = 10
"""Amounts such as 0.5, 0.2 and 0.7 may stand beside thirds of two and more decimals."""


def _whole_neighbours(places: Sequence[int], amounts: Sequence[Fraction]) -> list[int]:
    """Return the first run of places, and the shortest, that adds up to a whole number."""
    for end in range(1, len(places) + 1):
        total = Fraction(0)
        for begin in range(end - 1, -1, -1):
            total += amounts[places[begin]]
            if total.denominator == 1:
                return list(places[begin:end])
    return []


def _third_or_sixth(number: str) -> Fraction | None:
    """Return the third or sixth that decimals like 0.33 or 0.667 were cut or rounded from."""
    value, decimals = Fraction(number), len(number.partition(".")[2])
    if decimals < 2 or value.denominator <= 6:
        return None
    steps = 10**decimals
    for exact in (Fraction(round(value * 3), 3), Fraction(round(value * 6), 6)):
        if value in (Fraction(int(exact * steps), steps), Fraction(round(exact * steps), steps)):
            return exact
    return None


_FINE = 1000
"""Shares with so many steps, per cent with one decimal, tell a compound."""
_FEW_ATOMS, _MANY_ATOMS = 6, 20


def rounded_shares(amounts: Mapping[str, Fraction], decimals: int) -> dict[str, Fraction] | None:
    """Return the exact shares of the compound that amounts are the rounded shares of, or None.

    ``Ti33.3O66.7`` are those of TiO2. Amounts must add up to 100 or 1 but for what rounding does,
    and have a thousand steps. Up to 6 atoms may be any, and the last digits may be cut; up to 20
    must be those of a salt.

    Args:
        amounts: Of each element.
        decimals: How many the finest amount has.
    """
    from atomlens.structures.valences import can_be_neutral

    step = Fraction(1, 10**decimals)
    total = Fraction(100 if sum(amounts.values()) > 10 else 1)
    if not decimals or total / step < _FINE or len(amounts) < 2:
        return None
    for n_atoms in range(len(amounts), _MANY_ATOMS + 1):
        counts = {symbol: round(amount * n_atoms / total) for symbol, amount in amounts.items()}
        off = max(abs(amounts[s] - total * count / n_atoms) for s, count in counts.items())
        if sum(counts.values()) != n_atoms or min(counts.values()) < 1:
            continue
        if not off:
            return None
        if off < step if n_atoms <= _FEW_ATOMS else off <= step / 2:
            whole = {symbol: Fraction(count) for symbol, count in counts.items()}
            if n_atoms <= _FEW_ATOMS or can_be_neutral(whole):
                return {symbol: total * count / n_atoms for symbol, count in whole.items()}
    return None


def shares_notice(amounts: Mapping[str, Fraction], shares: Mapping[str, Fraction]) -> str:
    """Return what is said of amounts that are taken as the shares of a compound."""
    smallest = lcm(*(share.denominator for share in shares.values()))
    counts = {symbol: int(share * smallest) for symbol, share in shares.items()}
    common = gcd(*counts.values())
    compound = "".join(
        f"{symbol}{count // common if count > common else ''}" for symbol, count in counts.items()
    )
    return (
        f"its amounts add up to {round(float(sum(amounts.values())), 3):g} and are taken as the "
        f"rounded shares of {compound}"
    )
