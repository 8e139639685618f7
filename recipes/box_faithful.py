"""Hold the models of the box against themselves: `faithful` on their test parts, into their cards.

    python recipes/box_faithful.py --data FOLDER [--data FOLDER] [NAME ...] [--n 100] [--out F.json]
        [--figures FOLDER]
    python recipes/box_faithful.py --table F.json
    python recipes/box_faithful.py --again F.json

For every model and each of its targets: deletion and insertion of the basic methods on structures
of the test part, over chance and beside tables (`atomlens faithful`), kept in the model's folder
(``metrics.json`` and the card) and in F.json. To be run again whenever a model was exchanged. The
folders hold ``NAME.npz`` or what else `recipes/box.py` trains on. --table prints docs/faithful.md's
tables from F.json, --figures draws one of each target; --again puts its figures into the folders
once more, after a model was only calibrated anew (which leaves what it predicts as it was).
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import torch
from box import QUEUE, Entry, data_of

from atomlens.cli.faithful import record
from atomlens.datasets import Dataset
from atomlens.datasets.sampling import sample_rows
from atomlens.errors import AtomlensError
from atomlens.files import to_json, write_text
from atomlens.predictor import Predictor
from atomlens.predictor.folder.box import BOX
from atomlens.predictor.folder.saving import save_metrics
from atomlens.predictor.folder.tested import FAILS, PASSES, UNDECIDED
from atomlens.studies.base import StudyInput
from atomlens.studies.faithful.study import Faithful, FaithfulSettings, as_json

_WORDS = {PASSES: "yes", FAILS: "no", UNDECIDED: "undecided"}
MEANINGS = {"mask": "element hidden", "graph": "taken from the graph", "rebuilt": "read again"}


def data_in(entry: Entry, folders: list[Path]) -> Dataset:
    """Return the data of an entry from the first folder that has them."""
    problem: AtomlensError | None = None
    for folder in folders:
        try:
            return data_of(entry, folder)
        except AtomlensError as error:
            problem = error
    raise SystemExit(f"{entry.name}: {problem}")


def tested(
    model: Predictor, data: Dataset, target: str, methods: str, figure: Path | None
) -> dict[str, Any]:
    """Return what `faithful` finds for one target."""
    start = time.process_time()
    study = Faithful(FaithfulSettings(target=target, methods=methods))
    found = study.run(StudyInput(models=(model,), data=data))
    seconds = time.process_time() - start
    if figure:
        figure.parent.mkdir(parents=True, exist_ok=True)
        (drawn,) = study.draw(found, figure.parent)
        drawn.replace(figure)
    return {**as_json(found), "cpu_seconds": round(seconds, 1)}


def cell(found: dict[str, Any] | None) -> str:
    """Return one measurement: over chance with its interval; the best table; untrained networks."""
    if found is None or found["deletion"] is None:
        return ""
    text = f"{found['deletion']:.2f}"
    if found["deletion_low"] is not None:
        text += f", {found['deletion_low']:.2f} to {found['deletion_high']:.2f}"
    text += f" ({found['table ' + found['best_table']]:.2f}{mark(found, 'above_table')}"
    if found.get("untrained") is not None:
        text += f"; {found['untrained']:.2f}{mark(found, 'above_untrained')}"
    return f"{text})".replace("-", "−")


def mark(found: dict[str, Any], name: str) -> str:
    """Return on which side of an order the method is, where its interval says so."""
    low, high = found[f"{name}_low"], found[f"{name}_high"]
    if low is None or high is None:
        return ""
    return " <" if high < 0 else " >" if low > 0 else ""


def table(rows: list[dict[str, Any]]) -> str:
    """Return a table in Markdown."""
    lines = ["| model, property | method | " + " | ".join(MEANINGS.values()) + " | passes |"]
    lines.append("|" + "---|" * (len(MEANINGS) + 3))
    for row in rows:
        name = f"`{row['name']}`, {row['target']}"
        for method, own in row["methods"].items():
            cells = [cell(own["meanings"].get(meaning)) for meaning in MEANINGS]
            lines.append(f"| {name} | {method} | {' | '.join(cells)} | {_WORDS[own['verdict']]} |")
            name = ""
    return "\n".join(lines)


def main() -> None:
    """Measure what was asked for, one target after the other."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="default: every model of the box")
    parser.add_argument("--data", type=Path, action="append", default=[])
    parser.add_argument("--targets", help="with commas between; default: all of each model")
    parser.add_argument("--methods", default="", help="of explain; default: the basic ones")
    parser.add_argument("--n", type=int, default=100, help="structures of the test part")
    parser.add_argument("--box", type=Path, default=BOX)
    parser.add_argument("--no-record", action="store_true", help="leave the models as they are")
    parser.add_argument("--out", type=Path, default=Path("box-faithful.json"))
    parser.add_argument("--figures", type=Path, help="folder of figures, NAME-TARGET.png")
    parser.add_argument("--table", type=Path, metavar="F.json")
    parser.add_argument("--again", type=Path, metavar="F.json")
    options = parser.parse_args()
    if options.table:
        print(table(json.loads(options.table.read_text())))
        return
    if options.again:
        for row in json.loads(options.again.read_text()):
            place = options.box / row["name"]
            save_metrics(record(Predictor.load(place), row), place)
        return
    torch.set_num_threads(1)
    rows = json.loads(options.out.read_text()) if options.out.exists() else []
    for entry in QUEUE:
        place = options.box / entry.name
        if (options.names and entry.name not in options.names) or not place.is_dir():
            continue
        model = Predictor.load(place)
        data = data_in(entry, options.data or [Path("data")])
        test = data.subset(data.splits["test"])
        part = test.subset(sample_rows(len(test), options.n, 0))
        for target in model.targets:
            if options.targets and target.name not in options.targets.split(","):
                continue
            figure = options.figures and options.figures / f"{entry.name}-{target.name}.png"
            own = tested(model, part, target.name, options.methods, figure)
            found = {"name": entry.name, **own}
            same = (entry.name, target.name)
            rows = [r for r in rows if (r["name"], r["target"]) != same] + [found]
            write_text(to_json(rows) + "\n", options.out)
            if not options.no_record:
                model = record(model, found)
                save_metrics(model, place)
            print(f"{entry.name}, {target.name}: {found['cpu_seconds']} s", flush=True)
    print(table(rows))


if __name__ == "__main__":
    main()
