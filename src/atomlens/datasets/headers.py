"""What the header of a column says that the column is, capital letters or not."""

import re
from collections.abc import Collection, Iterable

from atomlens.printing import cut

TEXTS = ("file", "smiles", "formula", "composition")
"""Each cell is a text that stands for a structure; the first of them that is there counts."""
HOLDERS = ("structure", "molecule", "atoms", "cif", "poscar")
"""Each cell holds a structure, if it looks like one."""
SITES = ("species", "coords", "frac_coords", "lattice")
"""The cells of a row are a structure together."""
NAMES = ("name", "id", "identifier", "material_id", "mp_id", "jid", "mbid")
"""Each cell is what its row is called; the first of them that is there counts."""
FOLDS = ("fold", "test_fold")
"""Each cell says in which round of a cross-validation its row is tested."""
IGNORED = ("", "index", "unnamed: 0", "source")
"""Numbers of rows, and where they are from: no targets unless asked for by name."""

_SAME_SMILES = frozenset(
    f"{first}{second}"
    for kind in (
        "canonical",
        "canon",
        "isomeric",
        "iso",
        "rdkit",
        "standardized",
        "standard",
        "std",
    )
    for first, second in ((kind, "smiles"), ("smiles", kind))
) | {
    *("smiles", "smi", "smile", "smilesstring", "smilesstr", "smilescode", "molsmiles"),
    *("moleculesmiles", "compoundsmiles", "ligandsmiles", "drugsmiles"),
}
"""Headers of columns with the SMILES of a row's molecule, their letters alone."""
_SAME_NAME = (
    *("compoundname", "moleculename", "compoundid", "moleculeid", "molid", "sampleid"),
    *("moleculechemblid", "chemblid", "compoundchemblid", "cas", "casnumber", "casno", "casrn"),
    *("compoundcid", "pubchemcid", "cid"),
)
"""Headers of columns with what a row's molecule is called, letters alone, the best first."""


def known_headers(headers: Iterable[str]) -> dict[str, str]:
    """Return headers by their words in small letters, the first of several.

    ``Isomeric SMILES``, ``SMILES string`` and their kin are also ``smiles`` where nothing else of
    `TEXTS` is there, and ``Compound ID`` is a ``name`` where nothing else of `NAMES` is.
    """
    known: dict[str, str] = {}
    letters: dict[str, str] = {}
    for header in headers:
        known.setdefault(header.strip().lower(), header)
        letters.setdefault(re.sub("[^a-z]", "", header.lower()), header)
    if not any(t in known for t in TEXTS):
        same = [header for header in letters.values() if is_of_smiles(header)]
        same.sort(key=lambda header: "iso" not in header.lower())  # its hand is written there
        known |= {"smiles": same[0]} if same else {}
    if not any(n in known for n in NAMES):
        called = [letters[n] for n in _SAME_NAME if n in letters]
        known |= {"name": called[0]} if called else {}
    return known


def is_of_smiles(header: str) -> bool:
    """Say whether a column is headed as one of SMILES: canonical_smiles, SMILES_std."""
    return re.sub("[^a-z]", "", header.lower()) in _SAME_SMILES


def listed(headers: Collection[str]) -> str:
    """Return the first headers of a table and how many more there are, as part of a sentence."""
    first = [cut(header, 60) for header in list(headers)[:12]]
    more = f" and {len(headers) - len(first)} more" if len(headers) > len(first) else ""
    return (", ".join(first) or "none") + more
