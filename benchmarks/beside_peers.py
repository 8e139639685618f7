"""Read files beside gemmi, ase and rdkit: composition, cell and number of atoms must agree.

    pip install gemmi
    python benchmarks/beside_peers.py FOLDER_OR_FILE... [--json found.json]

CIFs are read by gemmi and ase, MOL and SDF files by rdkit. Every file in which ours is another
answer than both peers', or is refused while a peer reads it, is listed with what each says; the
table counts. Good material lies in the source archives of cif2cell, crystals, gemmi, pycifrw,
diffpy.structure and xrayutilities, and in the wheels of ase, matminer and rdkit.
"""

import argparse
import contextlib
import json
import signal
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from atomlens.errors import Failure
from atomlens.structures import read_structures

CIF, MOLECULES = (".cif",), (".mol", ".sdf")
SECONDS = 60
Said = dict[str, Any]
"""``formula``: symbol and number of atoms; ``cell``: lengths and angles, or None."""


@contextlib.contextmanager
def bounded() -> Iterator[None]:
    def stop(*_: object) -> None:
        raise TimeoutError(f"took more than {SECONDS} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def said_of(symbols: Any, cell: Any) -> Said:
    counts = Counter("H" if s in ("D", "T") else s for s in symbols)
    return {"formula": dict(sorted(counts.items())), "cell": cell}


def ours(path: Path) -> tuple[list[Said], list[str]]:
    items = read_structures(path).items
    good = [
        said_of(i.get_chemical_symbols(), i.cell.cellpar().tolist() if i.pbc.any() else None)
        for i in items
        if isinstance(i, Atoms)
    ]
    return good, [i.message for i in items if isinstance(i, Failure)]


def by_gemmi(path: Path) -> list[Said]:
    import gemmi

    found = []
    for block in gemmi.cif.read(str(path)):
        small = gemmi.make_small_structure_from_block(block)
        if not small.sites:
            continue
        sites = small.get_all_unit_cell_sites()
        one = said_of([s.element.name for s in sites], list(small.cell.parameters))
        one["partial"] = any(s.occ < 0.999 for s in sites)
        found.append(one)
    return found


def by_ase(path: Path) -> list[Said]:
    from ase.io import read

    return [
        said_of(a.get_chemical_symbols(), a.cell.cellpar().tolist())
        for a in read(path, index=":", format="cif")
    ]


def by_rdkit(path: Path) -> list[Said]:
    """Atoms as written, and with the hydrogens that a drawing leaves to the reader."""
    from rdkit import Chem

    found = []
    for molecule in Chem.SDMolSupplier(str(path), removeHs=False, sanitize=False):
        if molecule is None:
            continue
        one = said_of([a.GetSymbol() for a in molecule.GetAtoms()], None)
        with contextlib.suppress(Exception):
            Chem.SanitizeMol(molecule)
            full = Chem.AddHs(molecule)
            one["full"] = said_of([a.GetSymbol() for a in full.GetAtoms()], None)["formula"]
        found.append(one)
    return found


def same(one: Said, other: Said) -> bool:
    if one["formula"] not in (other["formula"], other.get("full")):
        return False
    if one["cell"] is None or other["cell"] is None:
        return True
    return bool(np.allclose(one["cell"], other["cell"], rtol=2e-3, atol=2e-3))


def all_same(one: list[Said], other: list[Said]) -> bool:
    return len(one) == len(other) and all(map(same, one, other))


def attempt(reader: Callable[[Path], list[Said]], path: Path) -> tuple[list[Said], str]:
    try:
        with bounded():
            return reader(path), ""
    except Exception as problem:
        return [], f"{type(problem).__name__}: {str(problem)[:120]}"


def judge(path: Path) -> dict[str, Any]:
    peers = (
        {"gemmi": by_gemmi, "ase": by_ase} if path.suffix.lower() in CIF else {"rdkit": by_rdkit}
    )
    theirs = {name: attempt(reader, path) for name, reader in peers.items()}
    problem, good, refused = "", list[Said](), list[str]()
    try:
        with bounded():
            good, refused = ours(path)
    except Exception as error:
        problem = f"{type(error).__name__}: {error}"
    agree = [name for name, (found, _) in theirs.items() if found and all_same(good, found)]
    if problem:
        kind = "broken"
    elif good and not refused:
        read = [name for name, (found, _) in theirs.items() if found]
        kind = "as all peers that read it" if read and agree == read else "as one of the peers"
        kind = kind if agree else ("other than the peers" if read else "read by us alone")
    elif good:
        kind = "read in part"
    else:
        kind = "refused by us, read by a peer"
        kind = kind if any(found for found, _ in theirs.values()) else "refused by all"
    return {
        "file": str(path),
        "kind": kind,
        "ours": good or refused or problem,
        "refused": refused,
        **{name: found or why for name, (found, why) in theirs.items()},
    }


def brief(said: Any) -> str:
    if not isinstance(said, list):
        return str(said)
    texts = []
    for one in said[:3]:
        if not isinstance(one, dict):
            texts.append(str(one)[:260])
            continue
        formula = "".join(f"{k}{v}" for k, v in one["formula"].items())
        cell = "" if one["cell"] is None else " " + " ".join(f"{x:.4g}" for x in one["cell"])
        texts.append(formula + cell + (" partial" if one.get("partial") else ""))
    return f"{len(said)}: " + "; ".join(texts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("places", nargs="+", type=Path)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    with contextlib.suppress(ImportError):
        from rdkit import RDLogger

        RDLogger.DisableLog("rdApp.*")
    files = sorted(
        {
            file
            for place in options.places
            for file in (place.rglob("*") if place.is_dir() else [place])
            if file.suffix.lower() in CIF + MOLECULES and file.is_file()
        }
    )
    found = [judge(file) for file in files]
    for one in found:
        if one["kind"] not in ("as all peers that read it", "refused by all"):
            print(f"{one['kind']}: {one['file']}")
            for name in ("ours", "gemmi", "ase", "rdkit"):
                if name in one:
                    print(f"    {name}: {brief(one[name])}")
            if one["refused"] and one["ours"] != one["refused"]:
                print(f"    refused: {brief(one['refused'])}")
    kinds = sorted({(Path(one["file"]).suffix.lower(), one["kind"]) for one in found})
    for suffix, kind in kinds:
        n = sum(one["kind"] == kind and one["file"].lower().endswith(suffix) for one in found)
        print(f"| {suffix} | {kind} | {n} |")
    if options.json:
        options.json.write_text(json.dumps(found, indent=1, default=str))
    sys.exit(any(one["kind"] == "broken" for one in found))


if __name__ == "__main__":
    main()
