"""After the gradient steps: one predictor of all members, calibrated, measured, drawn, saved."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from atomlens.datasets.splits import reduced_formulas
from atomlens.graphs import GraphStore
from atomlens.machine import choose_device
from atomlens.predictor import Calibration, Predictor, score
from atomlens.predictor.inference import run_models
from atomlens.predictor.ordered import mean_of_forms
from atomlens.predictor.report import draw_targets
from atomlens.predictor.trust.estimates import Noise, fit_classes, residuals
from atomlens.predictor.trust.familiarity import Familiarity, varied_rows
from atomlens.training.data import TrainingData
from atomlens.training.job import Job, MemberResult
from atomlens.training.recording import record_of
from atomlens.training.settings import HETEROSCEDASTIC
from atomlens.training.step import resident

Values = NDArray[np.float64]
_N_FAMILIAR, _FEWEST_FAMILIAR = 12_000, 1_000
"""Training structures among which landmarks are chosen: at most, and after a short training."""
_OF_ALL_SEEN = 0.05
"""Share of the samples of all epochs that may be looked at again for that."""
_N_DRAWN = 100_000
"""Training structures whose compositions are compared, so that each is among the landmarks."""
_FEWEST_VALIDATION = 9
"""With fewer validation structures there are no intervals, and no distance is a usual one."""
_NOISES: dict[str, Noise] = {"laplace": "laplace", "gaussian": "gaussian"}


def finish(job: Job, results: Sequence[MemberResult]) -> Predictor:
    """Return the predictor of all members, with calibration, metrics and record."""
    predictor = _assemble(job, results)
    data = job.data
    device = choose_device(job.settings.accelerator)
    store = resident(data.store.select(predictor.models[0].edge_fields), device)
    rows = data.calibrating
    if len(rows):
        models = predictor.models_on(str(device))
        raw = run_models(models, store, rows=rows, device=device, features=True)
        combined = predictor.combined(raw)
        rest = residuals(combined, data.encoded[rows], predictor.targets)
        familiarity = None
        if raw.features is not None:
            in_steps = predictor.models[0].learns_in_steps
            chosen = _landmark_rows(data, len(results[0].history) if in_steps else None)
            familiarity = _familiarity(predictor, data, store, chosen, raw.features, device)
        far = None
        if familiarity is not None and raw.features is not None:
            seen = predictor.seen_in(data.dataset.structures.subset(rows))
            far = familiarity.remoteness(familiarity.distances(raw.features, seen))
        calibration = Calibration.fit(
            rest,
            combined.spread,
            remoteness=far,
            groups=reduced_formulas(data.dataset.structures.subset(rows)),
        )
        classes = fit_classes(combined, data.dataset.values[rows], predictor.targets)
        predictor = replace(
            predictor,
            familiarity=familiarity,
            calibration=replace(calibration, classes=classes),
        )
    metrics: dict[str, Any] = {
        "n_train": len(data.split.train),
        "n_failed": len(data.failures),
    }
    for part in ("validation", "test"):
        chosen = getattr(data.split, part)
        if len(chosen):
            prediction = predictor.predict_rows(
                store, data.dataset.structures, chosen, device=device
            )
            part_data = data.dataset.subset(chosen)
            prediction, true = mean_of_forms(prediction, part_data.values, part_data)
            metrics[part] = score(
                prediction, true, predictor.record.means, predictor.record.class_counts
            ).to_dict()
    for model in predictor.models:
        model.to("cpu")
    return replace(predictor, metrics=metrics)


def _landmark_rows(data: TrainingData, n_epochs: int | None) -> NDArray[np.int64]:
    """Return training rows of every composition: 12,000, and fewer after a short training.

    ``n_epochs`` is None for a model in closed form, which has no epochs.
    """
    rows = np.sort(data.split.train)
    if len(rows) > _N_DRAWN:
        rows = np.sort(np.random.default_rng(0).permutation(rows)[:_N_DRAWN])
    n = _N_FAMILIAR
    if n_epochs is not None:
        n_seen = n_epochs * len(data.split.train)
        n = min(n, max(_FEWEST_FAMILIAR, int(_OF_ALL_SEEN * n_seen)))
    chosen: NDArray[np.int64] = rows[varied_rows(data.dataset.structures.subset(rows), n)]
    return chosen


def _familiarity(
    predictor: Predictor,
    data: TrainingData,
    store: GraphStore,
    rows: NDArray[np.int64],
    validation: Values,
    device: torch.device,
) -> Familiarity | None:
    """Return what says how unlike the training data an input is; None where that has no measure.

    Args:
        predictor: Its first network makes the vectors.
        data: What it learned from.
        store: Their graphs.
        rows: Of the training part, among which landmarks are chosen.
        validation: (n, n_features) vectors of the calibrating part.
        device: Where the network is.
    """
    if len(rows) < 2 or len(validation) < _FEWEST_VALIDATION:
        return None
    first = predictor.models[:1]
    training = run_models(first, store, rows=rows, device=device, features=True).features
    if training is None or not (np.isfinite(training).all() and np.isfinite(validation).all()):
        return None
    structures = data.dataset.structures.subset(data.split.train)
    found = Familiarity.fit(training, validation, structures)
    return found if found.levels[-1] > 0 else None


def _assemble(job: Job, results: Sequence[MemberResult]) -> Predictor:
    models = []
    for member, result in enumerate(results):
        model = job.make_model(member)
        model.load_state_dict(result.best)
        models.append(model)
    data, settings = job.data, job.settings
    predicts_noise = bool(models[0].config.predict_scale)
    noise = _NOISES.get(HETEROSCEDASTIC.get(settings.loss, ""), "none")
    return Predictor(
        model_name=job.model_name,
        models=tuple(models),
        builder=data.builder,
        scaling=data.scaling,
        calibration=Calibration.nothing(sum(t.n_values for t in data.scaling.targets)),
        noise=noise if predicts_noise else "none",
        elements=_elements(data),
        record=record_of(job, results),
    )


def _elements(data: TrainingData) -> tuple[int, ...]:
    numbers = data.dataset.structures.subset(data.split.train).atomic_numbers
    return tuple(int(z) for z in np.unique(numbers))


def draw(predictor: Predictor, data: TrainingData, folder: Path, accelerator: str = "cpu") -> bool:
    """Draw parity plots of the test part and the learning curve; False without matplotlib.

    The predictions are made on the device that ``accelerator`` names.
    """
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        return False
    from atomlens.reports.figures import draw_learning_curve

    rows = data.split.test if len(data.split.test) else data.split.validation
    part = "test" if len(data.split.test) else "validation"
    history = predictor.record.history
    if history:
        first = [row for row in history if row["member"] == 0]
        names = [name for name in first[0] if name != "member"]
        draw_learning_curve(
            {name: [row[name] for row in first] for name in names}, folder / "learning_curve.png"
        )
    if not len(rows):
        return True
    store = data.store.select(predictor.models[0].edge_fields)
    device = choose_device(accelerator)
    prediction = predictor.predict_rows(store, data.dataset.structures, rows, device=device)
    for model in predictor.models:
        model.to("cpu")
    title = f"{predictor.model_name}, {part} part of {data.dataset.name}"
    draw_targets(prediction, data.dataset.values[rows], folder, title)
    return True
