"""What an explanation costs: methods by number of atoms, members of an ensemble, pages.

    python benchmarks/explanations.py [--model qm9] [--rounds 5] [--methods a,b] [--out F.json]

Straight alkyl esters of about 10, 30 and 60 atoms (structures are made once, outside the clock),
one thread unless OMP_NUM_THREADS says otherwise. Milliseconds, the smallest of the rounds, first of
the processor, then by the wall: of a method the scores of a question that is asked already; `page`
is `explain` of a structure by the default method and its HTML; the last lines are the two files.
`twice` is the same network as an ensemble of two.
"""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

import atomlens as al
from atomlens.explain import EXPLAINERS, Question
from atomlens.predictor.inputs import gather

SMILES = {10: "CC(=O)OC", 29: "CCCCC(=O)OCCCC", 59: "CCCCCCCCC(=O)OCC(C)CCCCCCC"}
METHODS = ("contribution", "attention", "gradient", "integrated-gradients", "occlusion", "shapley")


def clocked(run: Callable[[], object], rounds: int) -> tuple[float, float]:
    """Return milliseconds of processor and wall, the smallest of the rounds."""
    run()
    found = []
    for _ in range(rounds):
        start, wall = time.process_time(), time.perf_counter()
        run()
        found.append((time.process_time() - start, time.perf_counter() - wall))
    cpu, wall = (min(column) * 1000 for column in zip(*found, strict=True))
    return round(cpu, 1), round(wall, 1)


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser()
    options.add_argument("--model", default="qm9")
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--methods", default=",".join(METHODS))
    options.add_argument("--out", type=Path)
    given = options.parse_args()
    torch.set_num_threads(1)
    one = al.load(given.model)
    two = replace(one, models=one.models * 2)
    rows: list[dict[str, object]] = []
    for n, smiles in SMILES.items():
        structure = gather(smiles).structures
        for method in given.methods.split(","):
            row: dict[str, object] = {"what": method, "n_atoms": len(structure.atomic_numbers)}
            for name, model in (("once", one), ("twice", two)):
                question = Question.about(model, structure)
                explainer = EXPLAINERS[method]()
                row[name] = clocked(lambda e=explainer, q=question: e.explain(q), given.rounds)
            rows.append(row)
        with TemporaryDirectory() as folder:
            place = Path(folder) / "page.html"
            found = one.explain(structure)
            for what, run in {
                "page": lambda s=structure, p=place: one.explain(s).to_html(p),
                "HTML": lambda e=found, p=place: e.to_html(p),
                "PNG": lambda e=found, p=place: e.to_png(p.with_suffix(".png")),
            }.items():
                rows.append({"what": what, "n_atoms": n, "once": clocked(run, given.rounds)})
    for row in rows:
        print(f"{row['what']!s:22}{row['n_atoms']!s:>4}  {row['once']}  {row.get('twice', '')}")
    if given.out:
        given.out.write_text(json.dumps({"model": given.model, "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
