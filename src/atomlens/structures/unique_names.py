"""Names of structures that are read together: no two are the same."""

from collections.abc import Iterable
from pathlib import Path
from sys import intern
from typing import TYPE_CHECKING

from atomlens.printing import clean_name, one_line
from atomlens.structures.arrays import name_of
from atomlens.structures.files import stem_of
from atomlens.structures.inputs import Piece, is_read

if TYPE_CHECKING:
    from ase import Atoms


def make_names_unique(structures: "list[Atoms]") -> None:
    """Tell equal names apart by the folders they come from, then by a number behind them."""
    folders: dict[str, set[str]] = {}
    for atoms in structures:
        folders.setdefault(name_of(atoms), set()).add(_folder(atoms))
    seen: set[str] = set()
    numbers: dict[str, int] = {}
    for atoms in structures:
        given = name_of(atoms)
        folder = _folder(atoms) if len(folders[given]) > 1 else ""
        name = f"{folder}-{given}" if folder else given
        unique, number = name, numbers.get(name, 1)
        while unique in seen or (unique in folders and unique != given):
            number += 1
            unique = f"{name}-{number}"
        numbers[name] = number
        seen.add(unique)
        atoms.info["name"] = unique


class UniqueNames:
    """Gives unique names to structures that come one file after the other."""

    def __init__(self, pieces: Iterable[Piece]) -> None:
        folders: dict[str, str] = {}
        several: set[str] = set()
        shared: set[str] = set()
        for piece in pieces:
            if is_read(piece) and piece[0] in ("file", "member"):
                stem, folder = clean_name(stem_of(piece[1])), intern(str(piece[1].parent))
                if stem not in folders:
                    folders[stem] = folder
                    continue
                several.add(stem)
                if folders[stem] != folder:
                    shared.add(stem)
        for stem in several:
            del folders[stem]
        self.shared, self.single = frozenset(shared), folders.keys()
        self.seen: set[str] = set()
        self.numbers: dict[str, int] = {}
        """The last number behind a name; of most there is none"""

    def make_unique(self, structures: "list[Atoms]") -> None:
        """Rename what comes from one piece where need be."""
        for atoms in structures:
            given = name_of(atoms)
            if len(structures) == 1 and given in self.single and "source" in atoms.info:
                atoms.info["name"] = given  # no other can be called so, and none is kept
                continue
            folder = _folder(atoms) if given in self.shared else ""
            name = f"{folder}-{given}" if folder else given
            unique, number = name, self.numbers.get(name, 1)
            own = clean_name(stem_of(Path(str(atoms.info.get("source", "")))))
            while unique in self.seen or (unique in self.single and unique != own):
                number += 1
                unique = f"{name}-{number}"
            if number > 1:
                self.numbers[name] = number
            self.seen.add(unique)
            atoms.info["name"] = unique


def _folder(atoms: "Atoms") -> str:
    """Return the name of the folder that a structure was read from; empty for text."""
    source = atoms.info.get("source")
    return one_line(Path(source).absolute().parent.name) if isinstance(source, str) else ""
