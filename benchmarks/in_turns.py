"""Two revisions of atomlens in turns: training steps, reading files, explanations.

On a machine with other work a figure of this minute says little beside one of an hour ago. Here
every round asks both revisions, one right after the other (the order changes from round to round),
each in a process of its own that waits for its turn; a round gives one ratio, and the table has the
median of them with the smallest and the largest. One thread; CPU seconds, not those of the wall.

    python benchmarks/in_turns.py steps --old HEAD~10 [--new HEAD] [--rounds 9]
    python benchmarks/in_turns.py reading --files FOLDER --old HEAD~10 [--new HEAD] [--rounds 5]
    python benchmarks/in_turns.py explaining --old HEAD~10 [--methods occlusion] [--threads 2]

``steps``: one step of Adam (forward, backward, update; the least of three in a turn) on random
graphs of the size of molecules (128 of 18 atoms with 4 neighbours) and of crystals (128 of 13 atoms
with 13 neighbours), for each name of --models. The two may also be one revision that multiplies
matrices in two ways: ``steps --old . --products highest medium``.

``reading``: all files of a folder, ``first`` in a fresh process, as after a start (imports and
compiled code are there, spglib's tables and the symmetries of the files are not), and ``again`` in
the same process. It also says whether both revisions read the same: elements, the bits of
positions and cells, sentences of refusal and warnings.

``explaining``: the scores of an ester of 59 atoms by the box's qm9, for each name of --methods, on
so many threads; with more than one by the clock on the wall.

A revision is whatever git knows by that name; ``.`` is the working tree as it is. Its sources are
laid out in a temporary folder, so nothing is checked out, and each compiles its loops there before
anything is measured.
"""

import argparse
import io
import json
import os
import statistics
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

SHARED = """
import json, sys, time
def turns(measure):
    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps(measure(*json.loads(line))), flush=True)
def spent(work):
    start = time.process_time()
    work()
    return time.process_time() - start
"""
STEPS = """
import torch
torch.set_num_threads(1)
torch.set_float32_matmul_precision(sys.argv[1])
from atomlens.graphs import collate
from atomlens.machine import keep_freed_memory
from atomlens.models import make_model
from atomlens.testing.graphs import random_graph
keep_freed_memory()
BATCHES = {
    what: collate([random_graph(*size, seed=s, dtype=torch.float32) for s in range(128)])
    for what, size in {"molecules": (18, 4), "crystals": (13, 13)}.items()
}
made = {}
def step(name, what):
    if (name, what) not in made:
        torch.manual_seed(0)
        model = make_model(name).train()
        made[name, what] = model, torch.optim.Adam(model.parameters(), 1e-4)
    model, optimizer = made[name, what]
    loss = model(BATCHES[what]).values.square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
turns(lambda name, what: min(spent(lambda: step(name, what)) for _ in range(3)))
"""
READING = """
import hashlib, warnings
from pathlib import Path
from atomlens.structures.reading import read_structures
warnings.simplefilter("ignore")
folder = sys.argv[1]
files = sorted(p for p in Path(folder).rglob("*") if p.is_file())
def read(paths):
    return read_structures([str(p) for p in paths])
def digest(items):
    said = hashlib.sha256()
    for item in items:
        if hasattr(item, "message"):
            said.update(item.message.encode())
        else:
            said.update(item.numbers.tobytes() + item.positions.tobytes() + item.cell[:].tobytes())
            said.update(repr(item.info.get("warnings")).encode())
    return said.hexdigest()
read(files[:1])
def measure(what):
    if what == "digest":
        return digest(read(files).items)
    return spent(lambda: read(files)) / len(files)
turns(measure)
"""
EXPLAINING = """
import torch
import atomlens as al
from atomlens.explain import EXPLAINERS, Question
from atomlens.predictor.inputs import gather
torch.set_num_threads(int(sys.argv[1]))
ester = gather("CCCCCCCCC(=O)OCC(C)CCCCCCC").structures
question = Question.about(al.load("qm9"), ester)
def explain(method):
    start = time.perf_counter()
    of_processor = spent(lambda: EXPLAINERS[method]().explain(question))
    return of_processor if sys.argv[1] == "1" else time.perf_counter() - start
turns(explain)
"""


class Revision:
    """The sources of one revision, and processes that run on them."""

    def __init__(self, name: str, place: Path) -> None:
        self.name = name
        self.sources = Path(__file__).parent.parent / "src"
        if name != ".":
            packed = subprocess.run(
                ["git", "archive", name, "src"],
                check=True,
                capture_output=True,
                cwd=self.sources.parent,
            ).stdout
            with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
                archive.extractall(place, filter="data")
            self.sources = place / "src"

    def process(self, script: str, *words: str) -> "subprocess.Popen[str]":
        """Start a process and wait until it is ready for its first turn."""
        one = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "MKL", "OPENBLAS", "NUMBA")}
        process = subprocess.Popen(
            [sys.executable, "-c", SHARED + script, *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **one, "PYTHONPATH": str(self.sources)},
        )
        assert process.stdout is not None
        if process.stdout.readline() != "ready\n":
            raise SystemExit(f"{self.name}: this revision cannot be measured; see above")
        return process


def ask(process: "subprocess.Popen[str]", *words: str) -> Any:
    """Give a process its turn."""
    assert process.stdin is not None
    assert process.stdout is not None
    print(json.dumps(words), file=process.stdin, flush=True)
    answer = process.stdout.readline()
    if not answer:
        raise SystemExit("a process ended before its time; see above")
    return json.loads(answer)


def end(processes: "list[subprocess.Popen[str]]") -> None:
    for process in processes:
        assert process.stdin is not None
        process.stdin.close()
        process.wait()


Rounds = list[tuple[float, float]]
"""CPU seconds of the old and the new revision, round by round."""


def ask_both(
    processes: "list[subprocess.Popen[str]]", turn: int, *words: str
) -> tuple[float, float]:
    """Give both a turn; who is first changes from turn to turn."""
    found = [0.0, 0.0]
    for place in (0, 1) if turn % 2 else (1, 0):
        found[place] = ask(processes[place], *words)
    return found[0], found[1]


def steps(
    revisions: list[Revision], models: list[str], rounds: int, products: list[str]
) -> dict[str, Rounds]:
    """Time steps: two processes in all, the first step of each kind is not counted."""
    both_ways = zip(revisions, products, strict=True)
    processes = [one.process(STEPS, precision) for one, precision in both_ways]
    found: dict[str, Rounds] = {}
    for model in models:
        for what in ("molecules", "crystals"):
            for place in range(rounds + 1):
                both = ask_both(processes, place, model, what)
                if place:
                    found.setdefault(f"{model}, {what}", []).append(both)
    end(processes)
    return found


def explaining(
    revisions: list[Revision], methods: list[str], rounds: int, threads: int
) -> dict[str, Rounds]:
    """Time explanations: two processes in all, the first one of each method is not counted."""
    processes = [one.process(EXPLAINING, str(threads)) for one in revisions]
    found: dict[str, Rounds] = {}
    for method in methods:
        for place in range(rounds + 1):
            both = ask_both(processes, place, method)
            if place:
                found.setdefault(method, []).append(both)
    end(processes)
    return found


def reading(revisions: list[Revision], folder: Path, rounds: int) -> dict[str, Rounds]:
    """Time reading: each round has two fresh processes; the very first ones compile."""
    end([one.process(READING, str(folder)) for one in revisions])
    found: dict[str, Rounds] = {"first": [], "again": []}
    for place in range(rounds + 1):
        processes = [one.process(READING, str(folder)) for one in revisions]
        for rows in found.values():
            both = ask_both(processes, place, "time")
            if place:
                rows.append(both)
        if place == rounds:
            one, other = (ask(process, "digest") for process in processes)
            print("both read the same" if one == other else "THEY DO NOT READ THE SAME")
        end(processes)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=("steps", "reading", "explaining"))
    parser.add_argument("--old", required=True, metavar="REVISION")
    parser.add_argument("--new", default=".", metavar="REVISION", help="default: the working tree")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--models", default="scann-plus,cgcnn", help="for steps")
    parser.add_argument(
        "--products",
        nargs=2,
        default=["highest", "highest"],
        metavar=("OLD", "NEW"),
        help="for steps: how each multiplies matrices, as the setting matmul_precision says it",
    )
    parser.add_argument("--methods", default="integrated-gradients", help="for explaining")
    parser.add_argument("--threads", type=int, default=1, help="for explaining")
    parser.add_argument("--files", type=Path, metavar="FOLDER", help="for reading")
    options = parser.parse_args()
    if options.what == "reading" and options.files is None:
        parser.error("reading needs --files FOLDER")
    with tempfile.TemporaryDirectory() as place:
        names = (options.old, options.new)
        revisions = [Revision(name, Path(place, str(i))) for i, name in enumerate(names)]
        if options.what == "steps":
            models = options.models.split(",")
            found = steps(revisions, models, options.rounds, options.products)
        elif options.what == "explaining":
            methods = options.methods.split(",")
            found = explaining(revisions, methods, options.rounds, options.threads)
        else:
            found = reading(revisions, options.files.resolve(), options.rounds)
    clock = "CPU" if options.threads == 1 else "wall"
    print(f"{clock} ms, medians of {options.rounds} rounds; old {options.old}, new {options.new}")
    print(f"{'':28s}{'old':>9s}{'new':>9s}{'old / new':>11s}   smallest, largest")
    for what, rows in found.items():
        old, new = (1000 * statistics.median(column) for column in zip(*rows, strict=True))
        ratios = sorted(one / other for one, other in rows)
        middle = statistics.median(ratios)
        print(f"{what:28s}{old:9.3f}{new:9.3f}{middle:11.2f}   {ratios[0]:.2f}, {ratios[-1]:.2f}")


if __name__ == "__main__":
    main()
