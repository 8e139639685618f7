"""Files, SMILES, formulas and other people's objects as ase.Atoms.

Importing this package is free: ase, rdkit and pymatgen are imported by the functions that
need them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from atomlens.structures.reading import ReadResult as ReadResult
    from atomlens.structures.reading import read as read
    from atomlens.structures.reading import read_structures as read_structures
    from atomlens.structures.reading import to_atoms as to_atoms

_WHERE = {
    "ReadResult": "reading",
    "read": "reading",
    "read_structures": "reading",
    "to_atoms": "reading",
}
__all__ = list(_WHERE)


def __getattr__(name: str) -> Any:
    """Import the public names on first use."""
    if name in _WHERE:
        return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
