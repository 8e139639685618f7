"""The claims about attention once more, asked of the models of the box.

    python benchmarks/claims_again.py --data DATA [--limit 1000] [--folder runs/claims] [STUDY ...]
    python benchmarks/claims_again.py --page docs/claims-again.md [--folder runs/claims]

DATA is a folder with ``qm9.npz`` and ``mp.npz`` (`recipes/pack_box.py`), the cages ``C60*.xyz``,
``C70*.xyz`` and ``C72*.xyz``, and ``fullerenes.jsonl.gz``; what lacks its data is passed over and
named. Controls on shuffled labels are trained first where they are not there yet: `lens` with 4
layers of 64, 10,000 molecules or crystals, `--control-epochs` epochs. Structures that a model was
trained on are left out. ``--page`` writes the page from what was measured, beside the verdicts and
numbers of `docs/studies.md`, which small models gave.
"""

import argparse
import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ase import Atoms
from ase.spacegroup import crystal
from fullerene_orbitals import structures

import atomlens as al
from atomlens.datasets import Dataset
from atomlens.datasets.packed import load_packed
from atomlens.datasets.sampling import sample_rows
from atomlens.datasets.splits import reduced_formulas
from atomlens.errors import AtomlensError
from atomlens.files import write_text
from atomlens.predictor import Predictor
from atomlens.structures.arrays import StructureArrays
from atomlens.studies import STUDIES, StudyInput
from atomlens.studies.one_target import about_target
from atomlens.studies.statistics import bootstrap
from atomlens.training import TrainSettings, train

DOCS = Path(__file__).resolve().parent.parent / "docs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One study, its models of the box and its structures."""

    study: str
    models: tuple[str, ...]
    """``NAME`` or ``NAME:TARGET``."""
    data: Callable[[Path], Dataset]
    settings: dict[str, Any]
    claims: str
    limit: bool = False
    """Whether `--limit` draws some of the structures."""
    effects: str = ""
    """Pattern of the effects that stand on the page beside the claims."""
    members: bool = True
    """Ask each network of an ensemble: they are trainings of different seeds."""


def of_atoms(found: list[Atoms]) -> Dataset:
    """Structures without values."""
    arrays = StructureArrays.from_atoms(found)
    return Dataset(name="inputs", structures=arrays, targets=(), values=np.zeros((len(found), 0)))


def cages(folder: Path) -> Dataset:
    """C60, C70 and C72."""
    files = [f for name in ("C60", "C70", "C72") for f in sorted(folder.glob(f"{name}*.xyz"))]
    found = [atoms for f in files for atoms in al.read(f)]
    if not found:
        raise FileNotFoundError(folder / "C60.xyz")
    return of_atoms(found)


def fullerenes(folder: Path) -> Dataset:
    """Cages of 20 to 100 atoms."""
    return of_atoms(list(structures(folder / "fullerenes.jsonl.gz")))


def nothing(_folder: Path) -> Dataset:
    """The study brings its own."""
    return of_atoms([])


def host(_folder: Path) -> Dataset:
    """SmFe12, not relaxed."""
    found = crystal(
        ["Sm", "Fe", "Fe", "Fe"],
        [(0, 0, 0), (0.25, 0.25, 0.25), (0.36, 0, 0), (0.28, 0.5, 0)],
        spacegroup=139,
        cellpar=[8.5, 8.5, 4.77, 90, 90, 90],
        primitive_cell=True,
    )
    found.info["name"] = "SmFe12"
    return of_atoms([found])


def unseen(file: str) -> Callable[[Path], Dataset]:
    """The parts of a packed file that training has not: validation and test."""

    def load(folder: Path) -> Dataset:
        data = load_packed(folder / file)
        rows = np.concatenate([data.splits["validation"], data.splits["test"]])
        return data.subset(rows)

    return load


ORBITALS = ("qm9:homo", "qm9:lumo")
QUEUE = {
    "relative-attention": Ask(
        study="relative-attention",
        models=ORBITALS,
        data=unseen("qm9.npz"),
        settings={},
        claims="S1, S6, S7",
        limit=True,
    ),
    "orbits": Ask(study="orbits", models=ORBITALS, data=cages, settings={}, claims="S2, S3, S4"),
    "orbitals": Ask(
        study="orbitals",
        models=ORBITALS,
        data=nothing,
        settings={},
        claims="S5",
        effects="all atoms|heavy atoms|above|overlap|molecules with",
    ),
    "deformation": Ask(
        study="deformation",
        models=ORBITALS,
        data=fullerenes,
        settings={"outward": "centre"},
        claims="S8, S9",
        limit=True,
    ),
    "smfe12": Ask(
        study="orbits", models=("mp:formation_energy",), data=host, settings={}, claims="S10"
    ),
    "substitution": Ask(
        study="substitution",
        models=("mp:formation_energy",),
        data=host,
        settings={},
        claims="S11, S12",
    ),
    "embeddings": Ask(
        study="embeddings",
        models=("formula-formation-energy", "mp:formation_energy"),
        data=unseen("mp.npz"),
        settings={},
        claims="F6, F9",
        limit=True,
        effects=".",
        members=False,
    ),
    "element-attention": Ask(
        study="element-attention",
        models=("formula-formation-energy", "mp:formation_energy"),
        data=unseen("mp.npz"),
        settings={},
        claims="",
        limit=True,
        effects=".",
        members=False,
    ),
}
HEAD = """\
# The claims again, with the models of the box

<!-- not run on this page: the commands need data that are not in the repository, and minutes -->

Written by a command; made again after the models of the box have changed:

    python benchmarks/claims_again.py --data DATA --limit 1000
    python benchmarks/claims_again.py --page docs/claims-again.md

"Before" are the verdicts of [the studies](studies.md) and of [Finder's claims](finder-claims.md),
from small models trained for minutes. "Now" asks `qm9` and `mp` of the box, one target of each
(`--model qm9:homo`), of which attention has one of its own. Each of the three networks of `qm9`
and of `mp` is a training, with a seed of its own; for F6 and F9 the ensemble is one. The rule is
[the same](decisions/0025-when-a-claim-holds.md): a claim holds if the interval of every number is
beyond its limit, and beyond untrained networks and shuffled labels, in every training. Numbers in
brackets are 95 % intervals. Structures that a model was trained on are left out; those of its
test part are among the rest, and nothing was chosen by them.

**Controls.** Untrained: three networks of the same sizes. Shuffled labels: `lens` of 4 layers of
64 on 10,000 molecules (4 epochs), crystals or formulas (2 epochs), batches of 128: **a short
training**, one network, far smaller than the models of the box, and it has no error to predict.
It shows what fitting noise for a minute does, no more; where a verdict turns on it alone, read
*not tested*."""
FOUND = """\
**What came out.** No claim that needs learning holds. The models are three times as accurate as
those that were asked before (HOMO 33 in place of 103 meV), and not one of the papers' examples
became clearer:

* *Three networks of the same data and error disagree about where to look.* The 10-ring of C70 has
  the least HOMO attention in none of three (S3), ring and caps of C72 differ the way the paper
  says in one (S4), AUC of the substituents is 0.57, 0.18 and 0.17 and Spearman with the energy
  -0.33, 0.57 and 0.81 (S12). The mean attention of both targets of `mp` had looked like the paper
  ([substituents](studies/substitution.md)); that of the formation energy looks like its opposite.
* *S3, S7 and S10 can be judged now* since there are three trainings with controls: two fail; S10 is
  met in all three, far from untrained networks, and shuffled labels show it as well. That one turns
  on the short control alone.
* *S6 fails by the same pair as before*, nitrogen above oxygen, in all three networks, and by the
  margin over untrained ones for C(sp).
* *S5* (orbitals of four molecules): both esters meet their criterion, dimethyl fumarate in all
  three networks, and the table by element and number of neighbours does as well, in its order and
  in its correlation.
* *S8*: attention on elongated carbon in fullerenes is there in all three networks of the HOMO,
  and in one of three untrained ones even more.
* *What is learned* is no claim of the papers. **Over 445 molecules that training had not, the
  attention of `qm9` follows the frontier orbital**: Spearman 0.48 to 0.52 (HOMO) and 0.49 to 0.52
  (LUMO) over heavy atoms in six networks, in each of them above the table by element and
  neighbours (by 0.04 to 0.09, every interval above 0), above untrained networks and above the
  other orbital. The small models were no better than the table (0.47 and 0.45). With the
  hydrogens (HOMO 0.73 against 0.50 to 0.61) and in the overlap of the HOMO's leading atoms (0.66
  against 0.38 to 0.43) the table stays ahead. And networks of formulas and of structures give the
  same elements attention (rank correlation 0.80, untrained 0.06; 0.75 before).
* *F6*: `lens` of formulas and `lens` of structures share little of their second component (0.13,
  no more than networks that learned nothing); their best matching directions do agree (0.91,
  untrained 0.73).

`lens` is not SCANN+: each target has its own attention, and an atom's signed term, not its
attention, says what it does. So these verdicts are about the attention of the models in the box,
and say nothing against the published figures of other networks."""
ERRORS = "errors"
OF_ERRORS = """\
## F3 and F5, asked of lens

The paper says of Finder that structures save more than 60 % of the error of the formation energy
(F3), and that 79.1 % of the errors are below 43 meV/atom (F5). `mp` and
`formula-formation-energy` are no Finder and were not trained on the same crystals, so this
changes no verdict. Crystals of the validation part of `mp` (its errors chose the epoch), with
formulas that the other did not learn."""
NOT_ASKED = {
    "F1": "needs Finder and its rivals on five tasks; no model of the box is one of them",
    "F2": "needs Finder on structures, and CGCNN on the same splits",
    "F4": "is about Finder's validation error over the epochs",
    "F7": "needs trainings of Finder on four sizes, three seeds each",
    "F8": "is about Finder's matrices of edge attributes, which no model of the box has",
}


def one_model(name: str) -> Predictor:
    """A model of the box, or one target of it."""
    model, _, target = name.partition(":")
    loaded = al.load(f"box:{model}")
    return about_target(loaded, target) if target else loaded


def trainings(model: Predictor, members: bool) -> tuple[Predictor, ...]:
    """The networks of an ensemble one by one, if that is asked for."""
    if not members:
        return (model,)
    return tuple(replace(model, models=(network,)) for network in model.models)


def control(name: str, data: Path, folder: Path, epochs: int) -> Predictor | None:
    """A small `lens` that learned shuffled labels of the same target; None without its data."""
    model, _, target = name.partition(":")
    source = data / f"{model}.npz"
    if not source.is_file():
        print(f"no control for {name}: {source} is not there", flush=True)
        return None
    place = folder / "controls" / model
    if not (place / "settings.json").is_file():
        given = load_packed(source)
        train(
            given,
            model="lens",
            target=[t.name for t in given.targets],
            out=place,
            settings=TrainSettings(
                split="source",
                subset=10_000,
                shuffle_targets=True,
                optimizer="adamw",
                beta2=0.98,
                ema_decay=0.99,
                schedule="cosine",
                learning_rate=1e-3,
                warmup_epochs=0.5,
                epochs=epochs,
                n_threads=1,
                model_settings={"n_layers": 4, "n_features": 64},
            ),
        )
    trained = al.load(place)
    return about_target(trained, target) if target else trained


def ask(name: str, options: argparse.Namespace) -> None:
    """Run one study and write its folder."""
    this = QUEUE[name]
    models = tuple(one for m in this.models for one in trainings(one_model(m), this.members))
    data = this.data(options.data)
    n_known = 0
    if len(data):
        known = np.zeros(len(data), dtype=np.bool_)
        for model in models:
            known |= model.was_in(data.structures, "train", "pretraining")
        n_known = int(known.sum())
        print(f"{name}: {n_known} of {len(data)} are left out: trained on", flush=True)
        data = data.subset(np.flatnonzero(~known).tolist())
        if this.limit and len(data) > options.limit:
            data = data.subset(sample_rows(len(data), options.limit, 0).tolist())
    controls = [
        control(m, options.data, options.folder, options.control_epochs) for m in this.models
    ]
    study = STUDIES[this.study](STUDIES[this.study].Settings(**this.settings))
    study.check_models(models)
    start = time.process_time()
    result = study.run(
        StudyInput(models=models, data=data, shuffled=tuple(c for c in controls if c is not None))
    )
    seconds = time.process_time() - start
    folder = options.folder / name
    folder.mkdir(parents=True, exist_ok=True)
    result.save(folder)
    weights = {m: one_model(m.partition(":")[0]).record.data for m in this.models}
    about = {
        "seconds": round(seconds, 1),
        "models": this.models,
        "learned from": weights,
        "left out": n_known,
        "limit": options.limit if this.limit else 0,
        "control epochs": options.control_epochs,
    }
    write_text(json.dumps(about), folder / "about.json")
    for claim in result.claims:
        print(f"  {claim.identifier} {claim.verdict}: {claim.evidence}", flush=True)
    print(f"{name}: {seconds:.0f} CPU seconds", flush=True)


def errors(options: argparse.Namespace) -> None:
    """What F3 and F5 say of Finder, of `lens`: validation crystals of `mp` that both did not learn.

    The test parts of the box are looked at once for each set of weights, and not here.
    """
    packed = load_packed(options.data / "mp.npz")
    data = packed.subset(packed.splits["validation"])
    models = [one_model("mp:formation_energy"), one_model("formula-formation-energy")]
    known = np.zeros(len(data), dtype=np.bool_)
    for model in models:
        known |= model.was_in(data.structures, "train", "pretraining")
    rows = np.flatnonzero(~known)
    rows = rows[sample_rows(len(rows), options.limit, 0)] if len(rows) > options.limit else rows
    data = data.subset(rows.tolist())
    true = data.values[:, [t.name for t in data.targets].index("formation_energy")]
    found = np.stack(
        [np.abs(m.predict(data.structures).values[:, 0] - true) for m in models], axis=1
    )
    known_here = np.isfinite(found).all(axis=1)
    formulas = reduced_formulas(data.structures)[known_here]
    found = found[known_here]
    effects = [
        ("mean absolute error, structures (eV/atom)", lambda v: v[:, 0].mean()),
        ("mean absolute error, formulas (eV/atom)", lambda v: v[:, 1].mean()),
        (
            "F3 share of the error that structures save",
            lambda v: 1 - v[:, 0].mean() / v[:, 1].mean(),
        ),
        ("F5 share of errors below 43 meV/atom, structures", lambda v: (v[:, 0] < 0.043).mean()),
        ("F5 share of errors below 43 meV/atom, formulas", lambda v: (v[:, 1] < 0.043).mean()),
    ]
    measured = []
    for name, statistic in effects:
        value, low, high = bootstrap(found, lambda v, f=statistic: float(f(v)), relatives=formulas)
        measured.append({"name": name, "value": value, "low": low, "high": high, "n": len(found)})
        print(f"  {name}: {value:.3g} [{low:.3g}, {high:.3g}], {len(found)} crystals", flush=True)
    folder = options.folder / "errors"
    folder.mkdir(parents=True, exist_ok=True)
    write_text(
        json.dumps({"n_known": int(known.sum()), "effects": measured}), folder / "errors.json"
    )


def before() -> dict[str, tuple[str, str]]:
    """Verdict and short text of every claim, as the pages of the studies and of Finder have it."""
    found: dict[str, tuple[str, str]] = {}
    for page, verdict, text in (("studies.md", 1, 2), ("finder-claims.md", 2, 1)):
        for line in (DOCS / page).read_text().splitlines():
            named = re.match(r"\| ([SF]\d+(?:, [SF]\d+)*)", line)
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            cages = re.match(r"\| the same on 1,000 fullerenes, (S\d+)", line)
            if cages is not None:  # what is asked again here, not the flakes with platinum
                found[cages.group(1)] = (cells[verdict], cells[text])
            if named is None:
                continue
            for claim in named.group(1).split(", "):
                found.setdefault(claim, (cells[verdict], cells[text]))
    return found


def within(value: float | None, low: float | None, high: float | None) -> str:
    """A number with its interval, where it has one."""
    if value is None:
        return ""
    return f"{value:.3g}" + ("" if low is None or high is None else f" ({low:.3g} to {high:.3g})")


def part_rows(claim: dict[str, Any]) -> list[str]:
    """Every number that a claim rests on, training by training, and how far beyond each control."""
    rows = []
    for one in claim["judged"]:
        training = one["training"] if len(claim["judged"]) > 1 else "all trainings"
        for part in one["parts"]:
            beyond = []
            for control in ("untrained", "shuffled labels"):
                margin = part["controls"].get(control)
                text = ""
                if margin and margin["value"] is not None:
                    has = f", it has {margin['control']:.3g}"
                    text = within(margin["value"], margin["low"], margin["high"]) + has
                beyond.append(text)
            table = part["controls"].get("element and neighbours")
            if table:
                beyond[1] += f"; table {within(table['value'], table['low'], table['high'])}"
            asked = f"{'above' if part['above'] else 'below'} {part['limit']:.3g}"
            rows.append(
                f"| {claim['identifier']} | {training} | {part['name']} {part['unit']} | "
                f"{within(part['value'], part['low'], part['high'])} | {asked} | "
                f"{beyond[0]} | {beyond[1]} | {part['n'] or ''} |"
            )
    return rows


def of_study(name: str, folder: Path) -> tuple[Ask, dict[str, Any], dict[str, Any]] | None:
    """What was asked, found and spent; None if it was not run."""
    file = folder / name / "study.json"
    if not file.is_file():
        return None
    about = json.loads((folder / name / "about.json").read_text())
    return QUEUE[name], json.loads(file.read_text()), about


def claim_row(claim: dict[str, Any], old: str, short: str) -> str:
    """One line of the first table."""
    new = claim["verdict"]
    mark = "**" if old and new != old else ""
    met = f", {claim['n_held']} of {claim['n_trainings']}" if claim["n_trainings"] else ""
    chance = str(claim["chance"]).replace("|", "/")
    return (
        f"| {claim['identifier']} {claim['statement']} | {claim['criterion']} | {old}: {short} | "
        f"{mark}{new}{mark}{met} | {chance} |"
    )


def details(name: str, this: Ask, result: dict[str, Any], about: dict[str, Any]) -> list[str]:
    """The section of a study."""
    used = f"{result['n_structures']:,} structures, {about['seconds']:.0f} CPU s"
    drawn = f", drawn by `--limit {about['limit']}`" if about.get("limit") else ""
    seen = f"; {about['left out']:,} were trained on and left out" if about.get("left out") else ""
    lines = [
        f"## {name}",
        "",
        f"    python benchmarks/claims_again.py --data DATA --limit {about.get('limit') or 1000} "
        f"--control-epochs {about.get('control epochs')} {name}",
        "",
        f"{', '.join(f'`{m}`' for m in this.models)}; {used}{drawn}{seen}.",
        "",
    ]
    rows = [
        row for claim in result["claims"] if judged_here(claim, this) for row in part_rows(claim)
    ]
    if rows:
        lines += [
            "| claim | training | number | value (95 %) | asked | beyond untrained | "
            "beyond shuffled labels | n |",
            "|---|---|---|---|---|---|---|---|",
            *rows,
            "",
        ]
    if not this.effects:
        return lines
    lines += ["| effect | value (95 %) | n | controls |", "|---|---|---|---|"]
    for effect in result["effects"]:
        beside = ", ".join(f"{k} {v:.3g}" for k, v in effect["controls"].items() if v is not None)
        value = within(effect["value"], effect["low"], effect["high"])
        if value and re.search(this.effects, effect["name"]):
            lines.append(f"| {effect['name']} | {value} | {effect['n']:,} | {beside} |")
    return [*lines, ""]


def in_order(claim: dict[str, Any]) -> tuple[int, int]:
    """S2 before S10, and S before F."""
    named = re.match(r"([SF])(\d+)", claim["identifier"])
    assert named is not None
    return "SF".index(named[1]), int(named[2])


def judged_here(claim: dict[str, Any], this: Ask) -> bool:
    """Whether a claim of the study is one that is asked of it here."""
    named = re.match(r"[SF]\d+", claim["identifier"])
    return named is not None and named.group() in this.claims.split(", ")


def page(folder: Path) -> str:
    """The page, from the folders of the studies."""
    earlier, sections = before(), []
    judged: list[dict[str, Any]] = []
    for name in QUEUE:
        found = of_study(name, folder)
        if found is None:
            continue
        this, result, about = found
        sections += details(name, this, result, about)
        judged += [claim for claim in result["claims"] if judged_here(claim, this)]
    rows, changed = [], []
    for claim in sorted(judged, key=in_order):
        old, short = earlier.get(claim["identifier"].split()[0], ("", ""))
        if old and claim["verdict"] != old:
            said = claim["statement"].rstrip(".")
            changed.append(f"* {claim['identifier']} ({said}): {old} → **{claim['verdict']}**")
        rows.append(claim_row(claim, old, short))
    lines = [
        *HEAD.splitlines(),
        "",
        *FOUND.splitlines(),
        "",
        "**Verdicts that differ** from those of the small models:",
        "",
        *(changed or ["none"]),
        "",
        "| claim | criterion | before | now, and in how many trainings it holds "
        "(S2 to S5, S10, S11: meets the criterion) | chance |",
        "|---|---|---|---|---|",
        *rows,
        "",
        "Not asked: " + "; ".join(f"**{k}** {v}" for k, v in NOT_ASKED.items()) + ".",
        "",
    ]
    file = folder / ERRORS / "errors.json"
    if file.is_file():
        found_errors = json.loads(file.read_text())
        lines += [
            *OF_ERRORS.splitlines(),
            f"Left out, known to one of the two: {found_errors['n_known']:,} crystals.",
            "",
            "    python benchmarks/claims_again.py --data DATA errors",
            "",
            "| | value (95 %) | crystals |",
            "|---|---|---|",
        ]
        lines += [
            f"| {e['name']} | {within(e['value'], e['low'], e['high'])} | {e['n']:,} |"
            for e in found_errors["effects"]
        ]
        lines.append("")
    return "\n".join([*lines, *sections])


def main() -> None:
    """Ask, or write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("studies", nargs="*", metavar="STUDY", help=", ".join((*QUEUE, ERRORS)))
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--limit", type=int, default=1000)
    parser.add_argument("--folder", type=Path, default=Path("runs/claims"))
    parser.add_argument("--control-epochs", type=int, default=6)
    parser.add_argument("--page", type=Path)
    options = parser.parse_args()
    unknown = [s for s in options.studies if s not in (*QUEUE, ERRORS)]
    if unknown:
        parser.error(f"{unknown[0]} is not in the queue: {', '.join((*QUEUE, ERRORS))}")
    if options.page:
        write_text(page(options.folder), options.page)
        return
    torch.set_num_threads(1)
    for name in options.studies or (*QUEUE, ERRORS):
        try:
            (errors if name == ERRORS else partial(ask, name))(options)
        except (AtomlensError, FileNotFoundError) as problem:
            print(f"{name}: {problem}", flush=True)


if __name__ == "__main__":
    main()
