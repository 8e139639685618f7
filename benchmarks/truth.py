"""The leaderboard of explanations: every method of every model against a truth that is known.

    python benchmarks/truth.py --runs runs/truth --seconds 60 --page PAGE.md
    python benchmarks/truth.py --runs runs/truth --seconds 120 --tasks FOLDER --page PAGE.md

For each data set each model is trained for as many epochs as fit into some seconds of one core (by
the pace of its first steps), and `lens` for a quarter and a sixteenth of that as well: is a better
model better explained? Then `atomlens study truth` judges
them on structures that none was trained on. FOLDER holds packed attribution tasks (``*.npz``) or
folders of their repository. What is done lies in ``--runs`` and is not done again, so that an
interrupted run goes on; ``--minutes`` stops between two models; the page is written of what is
there.
"""

import argparse
import csv
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from faithful_models import epochs_in

from atomlens.datasets import Dataset, load_dataset
from atomlens.errors import AtomlensError
from atomlens.files import whole_file
from atomlens.studies.base import StudyInput
from atomlens.studies.truth.study import TruthSettings, TruthStudy
from atomlens.training import TrainSettings, train

GENERATED = {"emt-alloys": 1000, "crippen-logp": 1000, "toy": 1000}
"""Samples of each."""
SUMS_OVER_ATOMS = ("emt-alloys", "crippen-logp")
_TRAINING: dict[str, Any] = {
    "optimizer": "adamw",
    "beta2": 0.98,
    "ema_decay": 0.99,
    "batch_size": 32,
    "learning_rate": 2e-3,
    "n_threads": 1,
    "n_workers": 1,
}
_TABLES = ("table by element", "table by element and neighbours", "table by environment")


@dataclass(frozen=True)
class Entry:
    """A way to train a model."""

    name: str
    model: str
    settings: dict[str, Any] = field(default_factory=dict)
    methods: str = "contribution,attention,integrated-gradients,gradient,occlusion"


LENS = {"n_layers": 3, "n_features": 48}
ENTRIES = (
    Entry("lens", "lens", LENS),
    Entry("scann-plus", "scann-plus", {**LENS, "n_heads": 8}),
    Entry("ae-cgcnn-pool", "ae-cgcnn-pool", LENS),
    Entry("finder", "finder"),
    Entry("cgcnn", "cgcnn", LENS),
    Entry("cgcnn, additive", "cgcnn", {**LENS, "head": "additive"}),
)
_BY_GRAPH = {"consistency_by": "graph"}
SUMS = Entry(
    "lens, gates",
    "lens",
    {
        **LENS,
        **_BY_GRAPH,
        "n_layers": 2,
        "shares": "gates",
        "consistency": 0.5,
        "consistency_every": 2,
        "small_terms": 0.01,
    },
)
"""For answers that are sums over atoms."""
MOTIFS = Entry(
    "lens, presence",
    "lens",
    {
        **LENS,
        **_BY_GRAPH,
        "shares": "presence",
        "consistency": 1.0,
        "consistency_every": 1,
        "hydrogen_terms": False,
    },
)
"""For answers that rest on motifs."""
SHARES = {"": 1.0, " (a quarter)": 0.25, " (a sixteenth)": 1 / 16}
"""Of the seconds, by what is put behind the name."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=Path, required=True, help="folder of what is done")
    parser.add_argument("--page", type=Path, help="the page to write")
    parser.add_argument(
        "--seconds", type=float, default=60, help="of the processor, for training each model"
    )
    parser.add_argument("--most", type=int, default=150, help="structures that are judged")
    parser.add_argument("--data", default=",".join(GENERATED), help="which, with commas between")
    parser.add_argument("--tasks", type=Path, help="folder of attribution tasks")
    parser.add_argument("--limit", type=int, default=1500, help="molecules of a task's training")
    parser.add_argument("--minutes", type=float, help="stop between two models after these")
    options = parser.parse_args()
    start = time.monotonic()
    for name in wanted(options):
        data = None
        for entry, title, seconds in plans(name, options.seconds):
            folder = options.runs / name.rpartition("/")[2].removesuffix(".npz") / slug(title)
            if (folder / "study.json").is_file():
                continue
            if options.minutes and time.monotonic() - start > 60 * options.minutes:
                break
            try:
                data = training_data(name, options) if data is None else data
                judge(name, data, entry, title, seconds, folder, options)
            except AtomlensError as problem:  # a model that cannot learn this: the others go on
                print(f"{name}, {title}: {problem}", file=sys.stderr)
    if options.page:
        with whole_file(options.page) as stream:
            stream.write(page(options.runs).encode())


def wanted(options: argparse.Namespace) -> Iterator[str]:
    """Yield the data sets."""
    yield from (name for name in options.data.split(",") if name)
    if options.tasks:
        for path in sorted(options.tasks.iterdir()):
            if path.suffix == ".npz" or path.is_dir():
                yield f"attribution-tasks:{path}"


def plans(name: str, seconds: float) -> Iterator[tuple[Entry, str, float]]:
    """Yield entries with their title and seconds; only the first is also trained for less."""
    suited = SUMS if name in SUMS_OVER_ATOMS or "crippen" in name else MOTIFS
    for number, entry in enumerate((*ENTRIES[:1], suited, *ENTRIES[1:])):
        for behind, share in SHARES.items():
            if number == 0 or share == 1:
                yield entry, entry.name + behind, seconds * share


def slug(title: str) -> str:
    return "-".join("".join(c if c.isalnum() else " " for c in title).split())


def judge(
    name: str,
    data: Dataset,
    entry: Entry,
    title: str,
    seconds: float,
    folder: Path,
    options: argparse.Namespace,
) -> None:
    """Train a model and hold it against what is known."""
    settings = TrainSettings(
        split="source" if data.splits else "random:.8/.1/.1",
        model_settings=entry.settings,
        **_TRAINING,
    )
    epochs = epochs_in(entry.model, data, settings, seconds)
    model = train(data, model=entry.model, settings=settings.changed({"epochs": epochs}))
    study = TruthStudy(TruthSettings(methods=entry.methods, most=options.most))
    test = study.read([name])
    if test is None:
        test = data.subset(np.flatnonzero(~model.was_in(data.structures, "train"))[: options.most])
    result = study.run(StudyInput(models=(model,), data=test))
    result.save(folder)
    said = {"data": name.rpartition("/")[2].removesuffix(".npz"), "model": title}
    said |= {
        "seconds": seconds,
        "epochs": epochs,
        "n_train": len(model.record.split.get("train", ())),
    }
    with whole_file(folder / "entry.json") as stream:
        stream.write(json.dumps(said).encode())


def training_data(name: str, options: argparse.Namespace) -> Dataset:
    """Return the samples of a data set; of a task some of its training part, half of them yes."""
    if name in GENERATED:
        return load_dataset(name, limit=GENERATED[name])
    from atomlens.datasets.sources.attribution import read_task, task_dataset

    task = read_task(name)
    rows = np.random.default_rng(0).permutation(task.train)
    if task.is_classification:
        yes, no = rows[task.y[rows] == 1], rows[task.y[rows] != 1]
        yes = yes[: options.limit // 2]
        rows = np.concatenate([yes, no[: options.limit - len(yes)]])
    return task_dataset(task, np.sort(rows[: options.limit]))


def page(runs: Path) -> str:
    """Return the leaderboard as a page."""
    found: dict[str, list[tuple[dict[str, Any], list[dict[str, str]]]]] = {}
    for path in sorted(runs.glob("*/*/entry.json")):
        said = json.loads(path.read_bytes())
        with (path.parent / "truth.csv").open() as stream:
            found.setdefault(said["data"], []).append((said, list(csv.DictReader(stream))))
    parts = [
        "# Leaderboard of explanations",
        "Written by `python benchmarks/truth.py`, which trains the models; what the data and the "
        "scores are stands in [truth](truth.md). Each model had the same seconds of one core "
        f"({_times(found)}), and one seed: the order of two neighbours may change.\n\n"
        "Each score is the mean over structures with its 95 % interval. Behind it stands the best "
        "of three tables of the *same scores*: by element, by element and number of neighbours, by "
        "environment. A score in bold is above it, interval included. Other scores of the same "
        "runs, and those with hydrogens folded, stand in `truth.csv` of each run.",
    ]
    for data, entries in found.items():
        said, rows = entries[0]
        n = max(int(float(row["n"])) for row in rows)
        metric = main_rows(rows)[0]["metric"]
        judged = f"{said['n_train']} structures to train on, {n} others judged; score: {metric}."
        parts += [f"## {data}", judged, board(entries)]
        controls = [row for row in main_rows(entries[0][1]) if is_control(row)]
        parts.append(
            "Without a network: "
            + "; ".join(f"{row['method']} {score(row)}" for row in controls)
            + "."
        )
        by_error = errors(entries)
        if by_error:
            parts += ["**Is a better model better explained?**", by_error]
    return "\n\n".join(parts) + "\n"


def _times(found: dict[str, list[tuple[dict[str, Any], list[dict[str, str]]]]]) -> str:
    """Say how long models were trained, data set by data set."""
    longest = {data: max(e[0]["seconds"] for e in entries) for data, entries in found.items()}
    return ", ".join(f"{data} {seconds:.0f} s" for data, seconds in longest.items())


def main_rows(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    return [row for row in rows if row["main"].lower() == "true"]


def is_control(row: dict[str, str]) -> bool:
    return row["method"] == "random" or row["method"].startswith("table of the")


def score(row: dict[str, str]) -> str:
    value, low, high = (float(row[k]) for k in ("value", "low", "high"))
    return f"{value:.3f} ({low:.3f} to {high:.3f})"


def board(entries: list[tuple[dict[str, Any], list[dict[str, str]]]]) -> str:
    """Return a row a model, that with the best method first, and a column a method."""
    found = {row["method"] for _, rows in entries for row in main_rows(rows)}
    methods = [method for method in ENTRIES[0].methods.split(",") if method in found]
    head = ["model", "its error", *methods]
    lines = []
    for said, rows in entries:
        own = {row["method"]: row for row in main_rows(rows) if not is_control(row)}
        error = float(next(iter(own.values()))["model error"])
        cells = [said["model"], f"{error:.3g}"]
        cells += [cell(own[method]) if method in own else "" for method in methods]
        best = max(float(row["value"]) for row in own.values())
        lines.append((best, "| " + " | ".join(cells) + " |"))
    ordered = [line for _, line in sorted(lines, key=lambda pair: -pair[0])]
    return "\n".join(["| " + " | ".join(head) + " |", "|---" * len(head) + "|", *ordered])


def cell(row: dict[str, str]) -> str:
    """Return a score with its interval and the best of its tables, bold where it is above it."""
    value, low, high = (float(row[k]) for k in ("value", "low", "high"))
    table = max((float(row[t] or "nan"), t) for t in _TABLES if np.isfinite(float(row[t] or "nan")))
    text = f"{value:.2f}"
    shown = f"**{text}**" if low > table[0] else text
    return f"{shown} ({low:.2f} to {high:.2f}); {table[0]:.2f}"


def errors(entries: list[tuple[dict[str, Any], list[dict[str, str]]]]) -> str:
    """Return error and score of one kind of model, trained for longer and longer."""
    own = [e for e in entries if e[0]["model"].split(" (")[0] == ENTRIES[0].name]
    if len(own) < 2:
        return ""
    lines = []
    for said, rows in sorted(own, key=lambda e: e[0]["seconds"]):
        by_method = {r["method"]: r for r in main_rows(rows)}
        chosen = [by_method[m] for m in ("contribution", "attention") if m in by_method]
        cells = [f"{said['seconds']:.0f}", f"{float(chosen[0]['model error']):.3g}"]
        lines.append("| " + " | ".join([*cells, *(score(row) for row in chosen)]) + " |")
    head = "| seconds of training | error of the model | contribution | attention |"
    return "\n".join([head, "|---|---|---|---|", *lines])


if __name__ == "__main__":
    main()
