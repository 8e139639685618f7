"""Files, SMILES, formulas and other people's objects as ase.Atoms.

Importing this package is free: ase, rdkit and pymatgen are imported by the functions that
need them.
"""

from typing import TYPE_CHECKING

from atomlens.lazy import lazy_names

if TYPE_CHECKING:
    from atomlens.structures.reading import ReadResult as ReadResult
    from atomlens.structures.reading import read as read
    from atomlens.structures.reading import read_structures as read_structures
    from atomlens.structures.reading import stream_structures as stream_structures
    from atomlens.structures.reading import to_atoms as to_atoms

_WHERE = {
    "ReadResult": "reading",
    "read": "reading",
    "read_structures": "reading",
    "stream_structures": "reading",
    "to_atoms": "reading",
}
__all__ = list(_WHERE)
__getattr__, __dir__ = lazy_names(__name__, _WHERE)
