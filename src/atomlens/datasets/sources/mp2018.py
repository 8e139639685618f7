"""Materials Project as of June 1st, 2018: 69,239 crystals, the usual test of crystal networks.

C. Chen, W. Ye, Y. Zuo, C. Zheng, S. P. Ong, Chem. Mater. 31, 3564 (2019), who deposited it;
A. Jain et al., APL Mater. 1, 011002 (2013), who made it. One JSON list, each entry with the
crystal as CIF text (``structure``), ``formation_energy_per_atom``, ``band_gap`` (PBE) and
``material_id``. It is read entry by entry, never as a whole.
"""

import codecs
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, ClassVar, NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from atomlens.datasets.base import Dataset
from atomlens.datasets.sampling import keep_rows, split_in_order
from atomlens.datasets.sources.archives import DAMAGE, open_members
from atomlens.datasets.sources.deposits import Deposit, DepositFile
from atomlens.datasets.sources.downloaded import DownloadedSource
from atomlens.elements.naming import chemical_formula
from atomlens.errors import DatasetError, Failure, StructureError
from atomlens.structures.arrays import Structure, StructureArrays, structure_of
from atomlens.structures.cif.atoms import read_cif
from atomlens.targets import Target

N_TRAIN, N_TEST = 60_000, 4_239
"""Of the published split; the other 5,000 are for validation (4,867 without lone atoms)."""

_KEYS = {"formation_energy": "formation_energy_per_atom", "band_gap": "band_gap"}
_PAGE = "https://figshare.com/articles/dataset/Graphs_of_Materials_Project/7451351"
_CHUNK = 1 << 20
_GAP = re.compile(r"[\s,]*")
_LONGEST_ENTRY = 64 << 20


class _Crystal(NamedTuple):
    structure: Structure
    values: tuple[float, ...]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Mp2018(DownloadedSource):
    """The crystals of MEGNet's authors, metals with a band gap of zero among them.

    The data set's own split (``source``) is 60,000 for training, 4,239 for test and the other
    5,000 for validation, out of one permutation drawn with ``seed``.
    """

    name: ClassVar[str] = "mp-2018"
    summary: ClassVar[str] = (
        "69,239 crystals of the Materials Project (2018.6.1) with formation energy and PBE band "
        "gap, from the deposit of Chen et al. 2019"
    )
    available_targets: ClassVar[tuple[Target, ...]] = (
        Target(name="formation_energy", unit="eV/atom", description="formation energy per atom"),
        Target(name="band_gap", unit="eV", nonnegative=True, description="PBE band gap; 0: metal"),
    )
    origin: ClassVar[str] = _PAGE
    licence: ClassVar[str] = "as its figshare record states (noted when it is fetched)"
    deposit: ClassVar[Deposit] = Deposit(
        page=_PAGE,
        files=(
            DepositFile(
                record="figshare:7451351",
                names=("mp.2018.6.1.json.zip", "mp.2018.6.1.json", "mp.2018.6.1*"),
            ),
        ),
    )

    drop_single_atom: bool = False
    """Leave out crystals with one atom in the cell, as the authors of SCANN+ did."""

    def parse(self, files: Sequence[Path]) -> Dataset:
        """Read all crystals; this takes some minutes, once."""
        (path,) = files
        crystals: list[_Crystal] = []
        failures: list[Failure] = []
        for i, entry in enumerate(_entries(path)):
            try:
                crystals.append(_crystal(entry))
            except (StructureError, ValueError) as problem:
                name = str(entry.get("material_id", f"entry {i}"))
                failures.append(Failure(name=name, message=f"{name}: {problem}."))
        if not crystals:
            first = failures[0].message if failures else "it is empty."
            raise DatasetError(f"{path}: no crystal can be used; the first problem: {first}")
        return Dataset(
            name=self.name,
            structures=StructureArrays.from_structures(c.structure for c in crystals),
            targets=self.available_targets,
            values=np.array([c.values for c in crystals]),
            failures=tuple(failures),
        )

    def choose(self, dataset: Dataset) -> Dataset:
        """Leave out lone atoms if that is wanted."""
        if not self.drop_single_atom:
            return dataset
        return keep_rows(dataset, np.flatnonzero(dataset.structures.n_atoms > 1))

    def own_split(self, n: int) -> dict[str, NDArray[np.int64]]:
        """Return the published split by ``seed``: 60,000, 4,239 and the rest."""
        return split_in_order(n, N_TRAIN, N_TEST, self.seed)


def _crystal(entry: dict[str, Any]) -> _Crystal:
    missing = [key for key in ("structure", *_KEYS.values()) if entry.get(key) is None]
    if missing:
        raise ValueError(f"it has no {missing[0]}; it has the keys {', '.join(entry)[:200]}")
    values = tuple(float(entry[_KEYS[t.name]]) for t in Mp2018.available_targets)
    if not np.isfinite(values).all():
        raise ValueError("a value is not a finite number")
    (found,) = read_cif(str(entry["structure"]) + "\n")
    if found.atoms is None:
        raise StructureError(found.problem)
    found.atoms.info["name"] = str(
        entry.get("material_id") or chemical_formula(found.atoms.numbers)
    )
    return _Crystal(structure_of(found.atoms), values)


def _entries(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the entries of the list in an archive's JSON file."""
    n_files = 0
    for _, open_member in open_members(path, ".json"):
        n_files += 1
        try:
            with open_member() as stream:
                yield from json_objects(stream)
        except (ValueError, *DAMAGE) as problem:
            raise DatasetError(
                f"{path}: this is not a whole JSON list of crystals ({problem}); get a complete "
                "copy."
            ) from problem
    if not n_files:
        raise DatasetError(f"{path}: there is no JSON file in it; get the archive again.")


def json_objects(stream: IO[bytes]) -> Iterator[dict[str, Any]]:
    """Yield the objects of a JSON list with no more than one of them in memory."""
    decoder, to_text = json.JSONDecoder(), codecs.getincrementaldecoder("utf-8")()
    text, place = "", -1  # -1 until the list has begun
    while True:
        chunk = stream.read(_CHUNK)
        text = text[max(place, 0) :] + to_text.decode(chunk, final=not chunk)
        place = min(place, 0)
        if place < 0 and text.strip():
            if text.lstrip()[0] != "[":
                raise ValueError("it does not begin with [")
            place = text.index("[") + 1
        while place >= 0 and (place := _past_gap(text, place)) < len(text):
            if text[place] == "]":
                return
            try:
                item, place = decoder.raw_decode(text, place)
            except ValueError:
                if not chunk or len(text) - place > _LONGEST_ENTRY:
                    raise
                break  # the rest of this entry comes with the next chunk
            if not isinstance(item, dict):
                raise ValueError("an entry is no object")
            yield item
        if not chunk:
            raise ValueError("it breaks off")


def _past_gap(text: str, place: int) -> int:
    """Return where the next entry, or the end of the list, begins."""
    gap = _GAP.match(text, place)
    return gap.end() if gap else place
