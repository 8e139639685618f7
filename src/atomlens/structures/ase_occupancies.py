"""Occupancies that ase keeps beside the atoms of a disordered crystal, as its CIF reader does.

``info["occupancy"]`` has the shares of each kind of site, ``arrays["spacegroup_kinds"]`` the kind
of each atom; the symbol of a shared site is that of its largest share.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ase import Atoms

OCCUPANCY, KINDS = "occupancy", "spacegroup_kinds"
_WHOLE = 1.5e-3
"""By which an occupancy may miss 1, as those of three digits do."""


def shared_kinds(atoms: "Atoms") -> dict[str, dict[str, float]]:
    """Return the sites that are no whole atoms by their kind, symbol -> share; empty without any.

    A crystal in which somebody has put several elements on the places of one kind is ordered.
    """
    occupancy = atoms.info.get(OCCUPANCY)
    if not isinstance(occupancy, Mapping):
        return {}
    shared = {str(kind): dict(site) for kind, site in occupancy.items() if _is_shared(site)}
    kinds, symbols = kinds_of(atoms), atoms.get_chemical_symbols()
    if kinds:
        shared = {kind: site for kind, site in shared.items() if kind in kinds}
        pairs = {(kind, symbol) for kind, symbol in zip(kinds, symbols, strict=True)}
        return shared if len(pairs) == len(set(kinds)) else {}
    mixed = [site for site in shared.values() if len(site) > 1]
    return {} if any(set(site) <= set(symbols) for site in mixed) else shared


def kinds_of(atoms: "Atoms") -> list[str]:
    """Return the kind of the site of each atom; empty where files have lost them."""
    kinds = atoms.arrays.get(KINDS)
    return [] if kinds is None else [str(kind) for kind in kinds.tolist()]


def _is_shared(site: Any) -> bool:
    if not isinstance(site, Mapping) or not all(isinstance(x, int | float) for x in site.values()):
        return False
    return len(site) != 1 or abs(sum(site.values()) - 1.0) > _WHOLE


def said_of_shared(shared: Mapping[str, Mapping[str, float]]) -> str:
    """Return the first shared site as a part of a sentence."""
    site = next(iter(shared.values()))
    said = ", ".join(f"{share:g} {symbol}" for symbol, share in site.items()) or "nothing"
    return f"info[{OCCUPANCY!r}] says that a site is occupied by {said}"
