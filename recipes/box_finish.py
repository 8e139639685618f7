"""From trained weights to a model of the box: noise, calibration, likeness, errors, card.

    python recipes/box_finish.py qm9 --data qm9.npz --weights run/qm9.safetensors
    python recipes/box_finish.py mp --data mp.npz --weights a/mp.safetensors b/mp.safetensors
    python recipes/box_finish.py qm9 --data qm9.npz --weights run/qm9.safetensors --test
    python recipes/box_finish.py qm9 --data qm9.npz --made
    python recipes/box_finish.py qm9 --card

Beside each file of weights lies a ``.json`` with ``config``, ``scaling``, ``history`` and
``seconds``. Half of the validation part teaches the layer that speaks of the noise, the other half
calibrates the intervals. The test part is looked at with ``--test`` only, once for each set of
weights: the numbers are kept in the folder and used again. ``--made`` measures the errors for
coordinates made from SMILES: of molecules of the validation part for the intervals, of the test
part for the card. ``--card`` writes the card anew when its sentences in ``box_cards.py`` have
changed.
"""

import argparse
import hashlib
import json
import re
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from box_cards import ABOUT
from numpy.typing import NDArray
from safetensors.torch import load_file

import atomlens as al
from atomlens.chemistry.bonds import find_bonds
from atomlens.chemistry.hybridisation import perceive_molecule
from atomlens.datasets import load_packed
from atomlens.datasets.base import Dataset
from atomlens.datasets.split_files import distinct_names
from atomlens.datasets.splits import reduced_formulas
from atomlens.errors import ModelError, StructureError
from atomlens.explain.agreement import agreement
from atomlens.graphs import GraphStore
from atomlens.models import make_model
from atomlens.neighbors import build_store, make_builder
from atomlens.predictor import Calibration, Predictor, TrainingRecord, score
from atomlens.predictor.folder import METRICS, WARNINGS, read_optional_json
from atomlens.predictor.folder.box import BOX
from atomlens.predictor.folder.card_figures import OF_MADE
from atomlens.predictor.folder.saving import in_half_precision, save
from atomlens.predictor.inference import RawOutputs, model_outputs, run_models
from atomlens.predictor.noise import fit_noise
from atomlens.predictor.record import About, package_versions
from atomlens.predictor.samples import TrainingSamples
from atomlens.predictor.trust.estimates import residuals
from atomlens.predictor.trust.familiarity import Familiarity, varied_rows
from atomlens.predictor.trust.usual_surroundings import UsualSurroundings
from atomlens.structures.arrays import StructureArrays
from atomlens.structures.smiles import from_smiles
from atomlens.targets.scaling import TargetScaling
from atomlens.training import TrainSettings, train

Values = NDArray[np.float64]
Rows = NDArray[np.int64]

SEED = 0
N_FAMILIAR = 12_000
"""Training structures among which landmarks are chosen."""
N_MADE = 3_000
"""Molecules of the validation and of the test part whose coordinates are made from SMILES."""
N_AGREEMENT = 300
"""Validation structures on which terms are held against effects."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """What a training left."""

    weights: dict[str, torch.Tensor]
    config: dict[str, Any]
    scaling: TargetScaling
    history: tuple[dict[str, float], ...]
    seconds: float
    device: str
    settings: dict[str, Any]

    @classmethod
    def read(cls, weights: Path) -> "Member":
        """Read a file of weights with the ``.json`` beside it, or a folder of one network."""
        if weights.is_dir():
            return cls.of(Predictor.load(weights))
        told = json.loads(weights.with_suffix(".json").read_text())
        config = {k: tuple(v) if isinstance(v, list) else v for k, v in told["config"].items()}
        numbers = ("epoch", "seconds", "loss", "consistency")
        settings = ("epochs", "steps", "batch_size", "learning_rate", "weight_decay", "consistency")
        return cls(
            weights=load_file(weights),
            config=config,
            scaling=TargetScaling.from_dict(told["scaling"]),
            history=tuple({k: row[k] for k in numbers if k in row} for row in told["history"]),
            seconds=float(told["seconds"]),
            device=str(told["device"]),
            settings={k: told[k] for k in settings if k in told}
            | {k: config[k] for k in ("dropout", "attention_dropout") if k in config},
        )

    @classmethod
    def of(cls, trained: Predictor) -> "Member":
        """Return the network that ``atomlens train`` left."""
        (network,) = trained.models
        record = trained.record
        names = ("batch_size", "learning_rate", "weight_decay")
        config = asdict(network.config)
        return cls(
            weights=dict(network.state_dict()),
            config=config,
            scaling=trained.scaling,
            history=tuple(
                {"epoch": row["epoch"], "seconds": row["seconds"], "loss": row["train_loss"]}
                for row in record.history
            ),
            seconds=record.seconds,
            device=record.device,
            settings={"epochs": len(record.history)}
            | {k: record.settings[k] for k in names}
            | {k: config[k] for k in ("consistency", "dropout", "attention_dropout")},
        )


def in_scaling(member: Member, scaling: TargetScaling) -> Member:
    """Return the same network for values that are scaled in another way.

    Its outputs are multiplied, and what the scalings subtract in different ways, a constant and a
    number an element, becomes the base of its elements (``element_base``). A number is kept as a
    sum of two, so that 16 bits do not round it. Only for targets that are learned an atom
    (extensive ones) is a number an element the same for every size of structure.

    Raises:
        ModelError: the targets differ, or the element's numbers of an intensive target do.
    """
    own, config = member.scaling, dict(member.config)
    if own.targets != scaling.targets or any(config["lower_bounds"]):
        raise ModelError("The members were trained on other targets, or on ones with a bound.")
    weights = dict(member.weights)
    table = weights["embedding.weight"]
    n_elements, width = table.shape
    base = torch.zeros(len(own.targets), width + 2 * len(own.targets))
    columns = torch.zeros(n_elements, 2 * len(own.targets))
    for t, target in enumerate(own.targets):
        factor = own.stds[t] / scaling.stds[t]
        for name in ("readout.output.weight", "readout.output.bias"):
            weights[name] = weights[name].clone()
            weights[name][t] *= factor
        mine, theirs = own.references[t], scaling.references[t]
        if mine != theirs and not target.extensive:
            raise ModelError(f"{target.name} is not learned an atom; its references must agree.")
        known = [z for z in range(1, n_elements) if z in theirs or z in mine or not theirs]
        for z in known:
            shift = own.means[t] + mine.get(z, mine.get(0, 0.0))
            shift -= scaling.means[t] + theirs.get(z, theirs.get(0, 0.0))
            number = torch.tensor(shift / scaling.stds[t], dtype=torch.float64)
            coarse = number.half()
            columns[z, 2 * t], columns[z, 2 * t + 1] = coarse, number - coarse.double()
        base[t, width + 2 * t : width + 2 * t + 2] = 1.0
    weights["embedding.weight"] = torch.cat([table, columns], dim=1)
    entry = weights["input.weight"]
    weights["input.weight"] = torch.cat([entry, entry.new_zeros(len(entry), columns.shape[1])], 1)
    weights["base.weight"] = base
    config |= {"n_embedding": width + columns.shape[1], "element_base": True}
    return replace(member, weights=weights, config=config, scaling=scaling)


def assemble(
    members: Sequence[Member],
    data: Dataset,
    about: About,
    *,
    model: str = "lens",
    builder: tuple[str, dict[str, Any]] = ("voronoi", {}),
) -> Predictor:
    """Return the members as one predictor, nothing calibrated or measured yet.

    Each has its own settings; ``extensive`` is as the targets say.
    """
    scaling = members[0].scaling
    if any(m.scaling != scaling for m in members):
        members = [in_scaling(m, scaling) for m in members]
    extensive = tuple(t.extensive for t in scaling.targets)
    models = []
    for member in members:
        network = make_model(model, **member.config | {"extensive": extensive})
        network.load_state_dict(member.weights)
        models.append(network)
    train_rows = data.splits["train"]
    elements = np.unique(data.structures.subset(train_rows).atomic_numbers)
    columns = [
        c for c in (members[0].history or ({},))[0] if all(c in m.history[0] for m in members)
    ]
    history = [
        {"member": i, **{c: row[c] for c in columns}}
        for i, m in enumerate(members)
        for row in m.history
    ]
    split, samples = parts_of(data)
    settings = {
        key: values[0] if len(set(values)) == 1 else values
        for key in members[0].settings
        if (values := [m.settings.get(key) for m in members])
    }
    return Predictor(
        model_name=model,
        models=tuple(models),
        builder=make_builder(builder[0], **builder[1]),
        scaling=scaling,
        calibration=Calibration.nothing(sum(t.n_values for t in scaling.targets)),
        elements=tuple(int(z) for z in elements),
        record=TrainingRecord(
            data=data.name,
            settings=settings,
            split=split,
            samples=samples,
            history=tuple(history),
            seconds=round(sum(m.seconds for m in members), 1),
            ended="the time was over, at the end of the schedule",
            device=members[0].device,
            versions=package_versions(),
            about=about,
        ),
    )


def parts_of(data: Dataset) -> tuple[dict[str, tuple[str, ...]], TrainingSamples]:
    """Return the names of validation and test part, and what all samples are known by."""
    parts = {p: np.sort(data.splits[p]) for p in ("train", "validation", "test")}
    names = distinct_names(data.structures.names)
    split = {p: tuple(names[i] for i in parts[p]) for p in ("validation", "test")}
    return split, TrainingSamples.of(data, parts).slim()


def finish(
    predictor: Predictor,
    data: Dataset,
    *,
    half: bool = True,
    noise: bool = True,
    likeness: bool = True,
    test: bool = False,
    known: dict[str, Any] | None = None,
) -> Predictor:
    """Return the predictor with noise, calibration, likeness and metrics.

    Args:
        predictor: As `assemble` returns it; its weights are rounded in place with ``half``.
        data: With its own parts ``train``, ``validation`` and ``test``.
        half: Round the weights to 16 bits first, so that what is measured is what is stored.
        noise: Teach the noise layer on one half of the validation part.
        likeness: Choose landmarks of the training part; without, those that there are stay: they
            are vectors of the first network.
        test: Look at the test part.
        known: Metrics of an earlier call: those of the same weights are taken from it.
    """
    if half:
        in_half_precision(predictor)
    rows = data.splits["validation"]
    kept, store = graphs(predictor, data, rows)
    inputs, truth = data.structures.subset(kept), data.values[kept]
    encoded = predictor.scaling.encode(truth, inputs)
    order = np.random.default_rng(SEED).permutation(len(kept)).astype(np.int64)
    taught, rest = (np.sort(part) for part in np.array_split(order, 2))
    if noise:
        predictor = fit_noise(predictor, store, taught, encoded[taught])
        if half:
            in_half_precision(predictor)
    else:
        rest = np.sort(order)
    raw = run_models(predictor.models, store, features=True)
    say(f"validation: {len(kept)} structures")
    if likeness and raw.features is not None:
        vectors = training_vectors(predictor, data)
        whole = data.structures.subset(data.splits["train"])
        familiarity = Familiarity.fit(vectors, raw.features, whole, seed=SEED)
        predictor = replace(predictor, familiarity=familiarity)
        if data.structures.pbc.any():
            predictor = with_surroundings(predictor, data)
    predictor = calibrated(predictor, raw, encoded, rest, inputs)
    prediction = predictor.predict_rows(store, inputs, np.arange(len(kept)))
    metrics: dict[str, Any] = {
        "n_train": len(data.splits["train"]),
        "n_failed": len(rows) - len(kept),
        "validation": score(prediction, truth).to_dict(),
    }
    chosen = np.sort(order[:N_AGREEMENT])
    measured = agreement(predictor, store, chosen)
    metrics["agreement"] = {
        t.name: {a.meaning: a.to_dict() for a in measured if a.target == t.name}
        for t in predictor.targets
    }
    digest = digest_of(predictor)
    metrics["weights"] = digest
    earlier = known or {}
    if "test" in earlier and earlier.get("weights") == digest:
        metrics |= {key: earlier[key] for key in ("test", "others")}
    predictor = replace(predictor, metrics=metrics)
    return with_test(predictor, data) if test and "test" not in metrics else predictor


def with_test(predictor: Predictor, data: Dataset) -> Predictor:
    """Return the predictor with its errors on the test part, and those of the baselines."""
    say("the test part, once")
    found = {"test": tested(predictor, data), "others": baselines(data)}
    return replace(predictor, metrics={**predictor.metrics, **found})


def calibrated(
    predictor: Predictor,
    raw: RawOutputs,
    encoded: Values,
    rows: Rows,
    structures: StructureArrays,
) -> Predictor:
    """Return the predictor with intervals measured on some rows of the validation part.

    Args:
        predictor: With noise and likeness.
        raw: Its outputs for the whole validation part.
        encoded: (n, n_outputs) the true values in scaled units.
        rows: Which of them were not used for the noise.
        structures: Of the whole validation part; those of one formula are judged together.
    """
    combined = predictor.combined(raw)
    judged = structures.subset(rows)
    far = None
    if predictor.familiarity is not None and raw.features is not None:
        seen = predictor.seen_in(judged)
        distances = predictor.familiarity.distances(raw.features[rows], seen)
        far = predictor.familiarity.remoteness(distances)
    calibration = Calibration.fit(
        residuals(combined, encoded, predictor.targets)[rows],
        None if combined.spread is None else combined.spread.rows(rows),
        remoteness=far,
        groups=reduced_formulas(judged),
    )
    return replace(predictor, calibration=calibration)


def tested(predictor: Predictor, data: Dataset) -> dict[str, Any]:
    """Return the errors on the test part, and the share of it inside the intervals."""
    kept, store = graphs(predictor, data, data.splits["test"])
    seen = predictor.predict_rows(store, data.structures.subset(kept), np.arange(len(kept)))
    return score(seen, data.values[kept]).to_dict()


def again(folder: Path, data: Dataset) -> Path:
    """Calibrate a model of the box anew, with its weights as they are; return its folder.

    The weights stay as they are, bit by bit, and with them the errors, but the share of the test
    part inside the intervals is counted again.

    Args:
        folder: Of the model.
        data: What it was trained on, with the parts ``train``, ``validation`` and ``test``.
    """
    predictor = Predictor.load(folder)
    kept, store = graphs(predictor, data, data.splits["validation"])
    inputs, truth = data.structures.subset(kept), data.values[kept]
    before = predictor.calibration.targets
    n_used = max((t.n for t in before if t is not None), default=len(kept))
    rest = np.arange(len(kept), dtype=np.int64)
    half = n_used < 0.75 * np.isfinite(truth).sum(axis=0).max()
    if half and predictor.noise != "none":  # the other half taught the noise
        order = np.random.default_rng(SEED).permutation(len(kept)).astype(np.int64)
        rest = np.sort(np.array_split(order, 2)[1])
    raw = run_models(predictor.models, store, features=True)
    encoded = predictor.scaling.encode(truth, inputs)
    predictor = calibrated(predictor, raw, encoded, rest, inputs)
    prediction = predictor.predict_rows(store, inputs, np.arange(len(kept)))
    metrics = {**predictor.metrics, "validation": score(prediction, truth).to_dict()}
    if "test" in metrics:
        say("the test part, for the share inside the intervals")
        metrics["test"] = tested(predictor, data)
    return save(replace(predictor, metrics=metrics), folder, half=True)


def with_made(predictor: Predictor, data: Dataset) -> Predictor:
    """Return the predictor with intervals for coordinates made from SMILES.

    Measured on molecules of the validation part whose bonds are plain; what the intervals are
    worth is counted on molecules of the test part, by which nothing is chosen.
    """
    inputs, truth = made_again(data, data.splits["validation"])
    say(f"made again: {len(inputs)} molecules of the validation part")
    built = build_store(inputs, predictor.builder)
    inputs, truth = inputs.subset(np.asarray(built.kept)), truth[np.asarray(built.kept)]
    raw = run_models(predictor.models, built.store, features=True)
    encoded = predictor.scaling.encode(truth, inputs)
    fitted = calibrated(predictor, raw, encoded, np.arange(len(inputs), dtype=np.int64), inputs)
    predictor = replace(predictor, calibration_of_made=fitted.calibration)
    others, values = made_again(data, data.splits["test"])
    found = score(predictor.predict(others), values).to_dict()
    return replace(predictor, metrics={**predictor.metrics, OF_MADE: found})


def made_again(data: Dataset, rows: Rows) -> tuple[StructureArrays, Values]:
    """Return molecules with coordinates made from their SMILES without stereo, and their values."""
    from rdkit import Chem

    chosen = np.random.default_rng(SEED).permutation(rows)[:N_MADE]
    found, kept = [], []
    for row in np.sort(chosen).tolist():
        structure = data.structures[row]
        molecule = perceive_molecule(structure.atomic_numbers, find_bonds(structure), orders=True)
        try:
            bare = Chem.RemoveHs(molecule)
            found.append(from_smiles(Chem.MolToSmiles(bare, isomericSmiles=False)))
        except (StructureError, ValueError, TypeError):
            continue  # bonds that nobody knows, or no geometry
        kept.append(row)
    return StructureArrays.from_atoms(found), data.values[kept]


def with_surroundings(predictor: Predictor, data: Dataset) -> Predictor:
    """Return the predictor with what it keeps of how the atoms of its crystals stand."""
    assert predictor.familiarity is not None
    measured = []
    for part in ("train", "validation"):
        kept, store = graphs(predictor, data, data.splits[part])
        measured.append((data.structures.subset(kept), store))
    around = UsualSurroundings.fit(*measured)
    return replace(predictor, familiarity=replace(predictor.familiarity, surroundings=around))


def with_card(folder: Path) -> Predictor:
    """Return the model of a folder of the box with the sentences that its card has today."""
    predictor = Predictor.load(folder)
    return replace(predictor, record=replace(predictor.record, about=ABOUT[folder.name]))


def graphs(predictor: Predictor, data: Dataset, rows: Rows) -> tuple[Rows, GraphStore]:
    """Return the graphs of some rows, and the rows that have one."""
    rows = np.sort(rows)
    result = build_store(data.structures.subset(rows), predictor.builder)
    return rows[np.asarray(result.kept, dtype=np.int64)], result.store


def training_vectors(predictor: Predictor, data: Dataset) -> Values:
    """(n, n_features) vectors of training structures of every composition, by the first member."""
    rows = np.sort(data.splits["train"])
    chosen = varied_rows(data.structures.subset(rows), N_FAMILIAR, seed=SEED)
    _, store = graphs(predictor, data, rows[chosen])
    outputs = model_outputs(predictor.models[:1], store)
    return np.concatenate([o[0].graph_features.double().numpy() for o in outputs])


def baselines(data: Dataset) -> dict[str, dict[str, float]]:
    """Return the test errors of the mean and of a ridge on the elements, by target."""
    found, names = {}, [t.name for t in data.targets]
    for name in ("mean", "ridge"):
        model = train(data, model=name, target=names, settings=TrainSettings(split="source"))
        label = name
        if name == "ridge":
            label += f" on element {'shares' if model.config.fractions else 'counts'}"
        targets = model.metrics["test"]["targets"]
        found[label] = {target: figures["mae"] for target, figures in targets.items()}
    return found


def digest_of(predictor: Predictor) -> str:
    """Return the SHA-256 of all weights, the noise layer's included."""
    found = hashlib.sha256()
    for model in predictor.models:
        for name, tensor in sorted(model.state_dict().items()):
            found.update(name.encode() + tensor.float().numpy().tobytes())
    return found.hexdigest()


def add(
    name: str,
    members: Sequence[Member],
    data: Dataset,
    *,
    folder: Path | None = None,
    about: About | None = None,
    builder: tuple[str, dict[str, Any]] = ("voronoi", {}),
    half: bool = True,
    test: bool = False,
) -> Path:
    """Finish a model and put it into the box (or into a folder elsewhere)."""
    place = BOX / name if folder is None else folder
    draft = assemble(members, data, about or ABOUT[name], builder=builder)
    known = read_optional_json(place / METRICS) if place.is_dir() else None
    return save(finish(draft, data, half=half, test=test, known=known), place, half=half)


def close(one: TargetScaling, other: TargetScaling) -> bool:
    """Tell whether two scalings are the same up to the rounding of two machines."""
    tables = zip(one.references, other.references, strict=True)
    return (
        one.targets == other.targets
        and all(a.keys() == b.keys() for a, b in tables)
        and np.allclose(_numbers(one), _numbers(other), rtol=1e-9, atol=1e-12)
    )


def _numbers(scaling: TargetScaling) -> list[float]:
    tables = [number for table in scaling.references for _, number in sorted(table.items())]
    return [*scaling.means, *scaling.stds, *tables]


def joined(first: Predictor, second: Predictor) -> Predictor:
    """Return an ensemble of the networks of two trainings on the same values; the first's record.

    Nothing is calibrated or measured. Networks of unlike settings keep their own.

    Raises:
        ModelError: the trainings scaled their values in different ways.
    """
    if not close(first.scaling, second.scaling) or first.builder != second.builder:
        raise ModelError("The networks were trained on values of another scaling, or neighbours.")
    n, records = len(first.models), (first.record, second.record)
    history = [
        {"loss": row.get("train_loss"), **row, "member": row.get("member", 0) + start}
        for start, record in zip((0, n), records, strict=True)
        for row in record.history
    ]
    columns = ["member", *(name for name in first.record.history[0] if name != "member")]
    record = replace(
        first.record,
        history=tuple({name: row[name] for name in columns} for row in history),
        seconds=sum(one.seconds for one in records),
        device=" and ".join(dict.fromkeys(one.device for one in records)),
        settings=_settings_of_both(first, second),
    )
    return replace(first, models=(*first.models, *second.models), record=record, noise="none")


def _settings_of_both(first: Predictor, second: Predictor) -> dict[str, Any]:
    """Return what the first's record says of its training, as a list where networks differ."""
    counts, own = (len(first.models), len(second.models)), second.record.settings
    given = (first.record.settings, {**asdict(second.config), **own})
    found = {}
    for key in given[0]:
        values = [
            value
            for settings, n in zip(given, counts, strict=True)
            for value in (
                settings[key] if _is_by_member(settings.get(key), n) else n * [settings.get(key)]
            )
        ]
        found[key] = values[0] if all(value == values[0] for value in values) else values
    return found


def _is_by_member(value: Any, n_members: int) -> bool:
    return isinstance(value, list) and len(value) == n_members


def add_trained(
    name: str,
    folder: Path,
    data: Dataset,
    *,
    joins: Path | None = None,
    place: Path | None = None,
    test: bool = False,
) -> Path:
    """Put what ``atomlens train`` wrote into the box.

    The spread of three networks or more is the error estimate; one or two are taught their noise,
    and so are those that have a layer for it which this training did not teach.

    Args:
        name: In the box.
        folder: Of the trained model.
        data: What it was trained on, with the parts ``train``, ``validation`` and ``test``.
        joins: Of a model of the box; its networks come first, and the others stand beside them.
        place: Where it is written, if not into the box.
        test: Look at the test part.
    """
    trained = Predictor.load(folder)
    if joins is not None:
        trained = joined(Predictor.load(joins), trained)
    split, samples = parts_of(data)
    if data.structures.is_formula.all():
        samples = replace(samples, compositions=None)  # which the digests are already
    record = portable(replace(trained.record, about=ABOUT[name], split=split, samples=samples))
    place = BOX / name if place is None else place
    known = read_optional_json(place / METRICS) if place.is_dir() else None
    draft = replace(trained, record=record)
    untaught = bool(getattr(trained.config, "predict_scale", False)) or len(trained.models) < 3
    noise = untaught and trained.noise == "none"
    likeness = joins is None or trained.familiarity is None
    made = finish(draft, data, noise=noise, likeness=likeness, test=test, known=known)
    return save(made, place, half=True)


def portable(record: TrainingRecord) -> TrainingRecord:
    """Return a record that names no folder of this machine, without the list of odd samples.

    Of what it started from the last part of the name is kept. Its history has five digits, which a
    curve needs no more of.
    """
    remarks = [re.sub(r"(?<!\S)/(?:[^\s/]+/)+", "", remark) for remark in record.remarks]
    kept = tuple(r for r in remarks if not r.endswith(f"{WARNINGS} of the model."))
    history = tuple(
        {k: float(f"{v:.5g}") if isinstance(v, float) else v for k, v in row.items()}
        for row in record.history
    )
    settings, started_from = dict(record.settings), record.started_from
    if started_from:
        started_from = {**started_from, "name": Path(str(started_from["name"])).name}
        settings["start_from"] = started_from["name"]
    return replace(
        record,
        remarks=kept,
        warnings=(),
        history=history,
        settings=settings,
        started_from=started_from,
    )


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("name", choices=sorted(ABOUT))
    parser.add_argument("--data", type=Path, help="packed, with its own parts")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--weights", type=Path, nargs="+")
    source.add_argument(
        "--surroundings", action="store_true", help="measure anew how the atoms stand"
    )
    source.add_argument("--made", action="store_true", help="intervals for what was a SMILES")
    source.add_argument("--card", action="store_true", help="the sentences of box_cards.py anew")
    parser.add_argument("--builder", default="voronoi", help="formula for models of formulas")
    parser.add_argument("--full", action="store_true", help="keep 32 bits")
    parser.add_argument("--test", action="store_true", help="look at the test part")
    parser.add_argument("--out", type=Path, help="default: the box in the package")
    options = parser.parse_args()
    if options.card:
        told = with_card(BOX / options.name)
        say(f"written to {save(told, options.out or BOX / options.name, half=True)}")
        return
    if options.data is None:
        parser.error("--data is needed, but for --card")
    if options.surroundings:
        measured = with_surroundings(Predictor.load(BOX / options.name), load_packed(options.data))
        say(f"written to {save(measured, options.out or BOX / options.name, half=True)}")
        return
    if options.made:
        judged = with_made(Predictor.load(BOX / options.name), load_packed(options.data))
        say(f"written to {save(judged, options.out or BOX / options.name, half=True)}")
        print(judged.metrics[OF_MADE])
        return
    settings = {"reduce": True} if options.builder == "formula" else {}
    place = add(
        options.name,
        [Member.read(path) for path in options.weights],
        load_packed(options.data),
        folder=options.out,
        builder=(options.builder, settings),
        half=not options.full,
        test=options.test,
    )
    say(f"written to {place}")
    print(al.load(place).metrics["validation"]["targets"])


if __name__ == "__main__":
    main()
