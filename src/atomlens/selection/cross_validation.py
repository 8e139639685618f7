"""Cross-validation: every sample is predicted once by a model that never saw it.

Each fold is one training whose test part is the fold; the validation part, by which weights are
kept and errors calibrated, is taken from the others (nested), so nothing of a fold decides
anything about the model that it tests.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from atomlens.boundary import net, parse_json, read_text
from atomlens.datasets.base import Dataset
from atomlens.datasets.relatives import Relatives, relatives
from atomlens.datasets.splits import (
    MIN_GROUPS,
    Split,
    first_form_of,
    first_forms,
    reduced_formulas,
    take_share,
)
from atomlens.errors import Failure, SettingsError, TrainingError, warn
from atomlens.files import lock_of, only_writer, place_of, to_json, write_text
from atomlens.models import MODELS, named_model
from atomlens.predictor import Metrics, Prediction, score
from atomlens.predictor.evaluation import unseen, without_coverage
from atomlens.predictor.inputs import gather
from atomlens.predictor.judged_data import counted_known
from atomlens.predictor.metrics import ClassificationMetrics, RegressionMetrics
from atomlens.predictor.ordered import mean_of_forms
from atomlens.predictor.report import compared_rows, draw_targets
from atomlens.predictor.skill import without_skill, wrong_coverage
from atomlens.printing import counted
from atomlens.reports.tables import write_table
from atomlens.settings import by_option
from atomlens.training import TrainingProgress, TrainSettings, train
from atomlens.training.plan import as_dataset, check_asked, check_learns, taken_apart
from atomlens.training.progress import Relay, listener

MARK, TABLE, PREDICTIONS, REPORT = "cv.json", "folds.csv", "predictions.csv", "summary.json"
_KINDS = ("random", "composition", "scaffold", "group:COLUMN", "source")
ALL_FOLDS = "over all folds"
_USUAL_FOLDS = 5
_KEPT_OUT = 10
"""One in so many of the samples that are no test samples is a validation sample."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossValidation:
    """What a cross-validation found."""

    dataset: Dataset
    folds: tuple[NDArray[np.int64], ...]
    """Samples of the data set that each fold tests; of forms of one structure the first."""
    metrics: tuple[Metrics, ...]
    """Of each fold, on its test part."""
    predictions: tuple[Prediction, ...]
    """Of each fold, in the order of its rows."""
    overall: dict[str, Metrics]
    """``pooled``: over all samples together, each predicted once."""

    def __repr__(self) -> str:
        return f"<CrossValidation: {counted(len(self.folds), 'fold')}, {self.overall['pooled']!r}>"

    def _repr_html_(self) -> str:
        from atomlens.reports.notebook import table_html

        title = f"{counted(len(self.folds), 'fold')} of {self.dataset.name}"
        return table_html(self.to_rows(), title=title, notes=self.remarks)

    @property
    def failures(self) -> tuple[Failure, ...]:
        """Samples that could not be predicted."""
        return tuple(f for prediction in self.predictions for f in prediction.failures)

    @property
    def remarks(self) -> tuple[str, ...]:
        """What must be known to read the figures, a sentence each.

        What makes errors smaller than those on new structures, and what is wrong with coverages.
        """
        counted = counted_known([part for p in self.predictions for part in p.seen])
        missing = (*self._without_coverage(), *self._wrong_coverage())
        if not counted:
            return missing
        n = sum(len(fold) for fold in self.folds)
        return (
            f"Of the {n} samples {counted} were known to the model that predicted them, so the "
            "errors are too small for new structures (column seen_in of predictions.csv). Folds by "
            "composition keep rows of one structure together; what a pretraining (--from, in "
            "Python start_from) had is known in every fold.",
            *missing,
        )

    def _without_coverage(self) -> tuple[str, ...]:
        """Return why intervals are not judged in some folds, a sentence for each reason."""
        folds: dict[str, list[str]] = {}
        for k, (fold, prediction) in enumerate(zip(self.folds, self.predictions, strict=True)):
            for sentence in without_coverage(prediction, self.dataset.values[fold]):
                folds.setdefault(sentence, []).append(str(k))
        return tuple(
            f"interval_coverage is empty in {_called(numbers, len(self.folds))}: {sentence}"
            for sentence, numbers in folds.items()
        )

    def _wrong_coverage(self) -> tuple[str, ...]:
        """Return a sentence on each target whose intervals do not hold what they promise."""
        figures = self.overall["pooled"].to_dict()["targets"]
        spectra = {t.name for t in self.dataset.targets if t.is_spectrum}
        numbers = {name: own for name, own in figures.items() if name not in spectra}
        return tuple(wrong_coverage(numbers, ALL_FOLDS))

    def to_rows(self) -> list[dict[str, Any]]:
        """Return one row a fold and target, then mean and standard deviation over the folds.

        Last stands ``pooled``: all samples together, each predicted once. A fold of one sample has
        no ``r2`` and no ``mad_mae``.
        """
        rows: list[dict[str, Any]] = []
        for target in self.dataset.targets:
            own = [_figures(m[target.name]) for m in self.metrics]
            rows += [
                {"target": target.name, "fold": str(k), "n": len(fold), **figures}
                for k, (fold, figures) in enumerate(zip(self.folds, own, strict=True))
            ]
            for word, of in (("mean", np.mean), ("std", _spread)):
                columns = dict.fromkeys(name for figures in own for name in figures)
                values = {c: [v for f in own if (v := f.get(c)) is not None] for c in columns}
                rows.append(
                    {"target": target.name, "fold": word, "n": None}
                    | {c: float(of(v)) if v else None for c, v in values.items()}
                )
            pooled = self.overall["pooled"][target.name]
            n = sum(len(fold) for fold in self.folds)
            rows.append({"target": target.name, "fold": "pooled", "n": n, **_figures(pooled)})
        return rows

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return {
            "folds": self.to_rows(),
            "pooled": self.overall["pooled"].to_dict(),
            "n_failed": len(self.failures),
            "remarks": list(self.remarks),
        }

    def save(self, folder: str | Path) -> list[Path]:
        """Write folds.csv, predictions.csv, summary.json and a parity plot of every number."""
        out = place_of(folder)
        rows: list[dict[str, Any]] = []
        for k, (fold, prediction) in enumerate(zip(self.folds, self.predictions, strict=True)):
            compared = compared_rows(prediction, self.dataset.values[fold])
            rows += [{**row, "fold": k} for row in compared]
        write_table(self.to_rows(), out / TABLE)
        write_table(rows, out / PREDICTIONS)
        pooled, true = _pooled(self.predictions, self.folds, self.dataset)
        draw_targets(
            pooled,
            true,
            out,
            title=f"{counted(len(self.folds), 'fold')}, each sample predicted once",
        )
        write_text(json.dumps(self.to_dict(), indent=1, ensure_ascii=False) + "\n", out / REPORT)
        return sorted([out / TABLE, out / PREDICTIONS, out / REPORT, *out.glob("*.png")])


@by_option(
    freeze="frozen_layers",
    workers="n_workers",
    threads="n_threads",
    device="accelerator",
    folds="n_folds",
)
def cross_validate(
    data: Any,
    *,
    model: str | type | Any | None = None,
    target: str | Sequence[str] | None = None,
    n_folds: int | None = None,
    by: str = "random",
    out: str | Path | None = None,
    settings: TrainSettings | None = None,
    resume: bool = False,
    progress: TrainingProgress | Callable[[int, int], None] | bool | None = None,
    told: Callable[[int, int], None] | None = None,
    **overrides: Any,
) -> CrossValidation:
    """Train once a fold and predict each sample with the model that did not see it.

    Args:
        data: As for `train`.
        model: As for `train`; each fold begins anew.
        target: What to learn; may be left out if there is only one.
        n_folds: At least 2; by default 5, or as many as the data have (``source``).
        by: ``random``; ``composition``: no reduced formula is in two folds; ``scaffold``: no
            Bemis-Murcko scaffold is; ``group:COLUMN``: no value of a column of the table is;
            ``source``: the folds of the data set itself (column ``fold``).
        out: Folder for the models of all folds, tables and figures; also what makes it resumable.
        settings: How to train; ``split`` plays no part.
        resume: Go on in ``out``: finished folds are taken as they are.
        progress: As for `train`, fold by fold.
        told: Called with the number of folds that are done and in all.
        **overrides: Fields of `TrainSettings`, and options of `load_dataset`.

    Raises:
        SettingsError: impossible folds or settings.
        DatasetError: the data cannot be used.
        TrainingError: ``out`` holds something else, or a training failed.
    """
    about_data, overrides = taken_apart(overrides)
    settings = TrainSettings.given(settings, overrides)
    check_asked(model, about_data)
    dataset = as_dataset(data, target, settings, about_data)
    if model is not None:
        name, _ = named_model(model)
        check_learns(name, MODELS[name], dataset.targets, dataset.structures)
    folds = make_folds(dataset, n_folds, by=by, seed=settings.seed)
    kin = None if by in ("random", "source") else _kin(dataset, by).keys
    if by == "composition" and len(set(np.asarray(kin).tolist())) < MIN_GROUPS:
        kin = None  # snapshots of few molecules
    heard = _OfFolds(listener(progress))
    folder = None if out is None else place_of(out)
    holding: AbstractContextManager[None] = nullcontext()
    if folder is not None:
        described = _description(dataset, model, folds, by, settings)
        holding = claimed(folder, MARK, described, resume=resume, what="cross-validation")
    with holding:
        metrics, predictions, tested = [], [], []
        for k, fold in enumerate(folds):
            split = nested_split(folds, k, settings.seed, dataset.row_numbers, kin)
            place = None if folder is None else folder / f"fold-{k}"
            predictor = train(
                replace(dataset, splits=_parts(split)),
                model=model,
                target=[t.name for t in dataset.targets],
                out=place,
                settings=replace(settings, split="source", limit=None),
                resume=resume and place is not None and place.exists(),
                progress=heard,
            )
            own = dataset.subset(fold)
            prediction = predictor.predict(
                replace(gather(own.structures), index=own.index),
                device=_device(settings.accelerator),
            )
            prediction, true = mean_of_forms(prediction, own.values, own)
            firsts = first_forms(own.row_numbers)
            tested.append(fold if firsts is None else fold[firsts])
            record = predictor.record
            metrics.append(score(unseen(prediction), true, record.means, record.class_counts))
            predictions.append(prediction)
            if told is not None:
                told(k + 1, len(folds))
        pooled, true = _pooled(predictions, tested, dataset)
        found = CrossValidation(
            dataset=dataset,
            folds=tuple(tested),
            metrics=tuple(metrics),
            predictions=tuple(predictions),
            overall={"pooled": score(unseen(pooled), true)},
        )
        if folder is not None:
            found.save(folder)
    if predictor.models[0].looks_at_atoms:
        for sentence in without_skill(found.overall["pooled"].to_dict()["targets"], ALL_FOLDS):
            heard.listener.verdict(sentence)
    for sentence in found.remarks:
        heard.listener.verdict(sentence)
    return found


class _OfFolds(Relay):
    """Hands on what the trainings of folds say, each sentence once.

    What one fold is worth is nothing to tell: that of all folds is.
    """

    def __init__(self, listener: TrainingProgress) -> None:
        super().__init__(listener)
        self.texts: set[str] = set()

    def message(self, text: str) -> None:
        """Hand a sentence on unless another fold had it."""
        if self._is_new(text):
            super().message(text)

    def warning(self, text: str) -> None:
        """Hand a warning on unless another fold had it."""
        if self._is_new(text):
            super().warning(text)

    def _is_new(self, text: str) -> bool:
        known = text in self.texts
        self.texts.add(text)
        return not known

    def verdict(self, text: str) -> None:
        """Say nothing."""


cv = cross_validate
"""As the command is called."""


def make_folds(
    dataset: Dataset, n_folds: int | None = None, *, by: str = "random", seed: int = 0
) -> tuple[NDArray[np.int64], ...]:
    """Return the samples of each fold; every one is in one of them, forms of a structure together.

    Raises:
        SettingsError: fewer than two folds, more than there are samples or formulas, a data set
            without folds of its own, or another number than it has.
    """
    word = by.partition(":")[0]
    if word == "time":
        raise SettingsError(
            f"by={by!r}: folds by time would learn from the future; train once with the split "
            f"{by}, whose newest samples are the test part."
        )
    if by not in _KINDS and not by.startswith("group:"):
        raise SettingsError(f"by={by!r}: folds are made {', '.join(_KINDS)}.")
    if by == "source":
        known = [rows for name, rows in dataset.splits.items() if name.startswith("fold")]
        if len(known) < 2:
            raise SettingsError(
                f"{dataset.name}: there are no folds in this data set; add a column `fold`, or "
                "use random or composition."
            )
        if n_folds not in (None, len(known)):
            raise SettingsError(
                f"{dataset.name}: it has {len(known)} folds of its own and not {n_folds}; leave "
                "their number out, or use random or composition."
            )
        return tuple(np.sort(rows) for rows in known)
    n_folds = _USUAL_FOLDS if n_folds is None else n_folds
    own = first_form_of(dataset.row_numbers, len(dataset))
    keys: NDArray[Any] = own
    what = "samples"
    if by != "random":
        found = _kin(dataset, by)
        keys, what = found.keys[own], f"different {found.what}"
        for remark in found.remarks:
            warn(f"{dataset.name}: {remark}")
    _, groups = np.unique(keys, return_inverse=True)
    n_groups = int(groups.max()) + 1 if len(groups) else 0
    if not 2 <= n_folds <= n_groups:
        raise SettingsError(
            f"{counted(n_folds, 'fold')} of {n_groups} {what}: there must be at least 2 and at "
            f"most as many as {what}."
        )
    order = np.random.default_rng(seed).permutation(n_groups)
    sizes = np.bincount(groups, minlength=n_groups)
    fold_of, room = np.zeros(n_groups, dtype=np.int64), np.zeros(n_folds, dtype=np.int64)
    for group in order:  # the emptiest fold next, so that all are of about one size
        fold_of[group] = int(room.argmin())
        room[fold_of[group]] += sizes[group]
    if by != "random" and room.max() > 1.5 * max(1, room.min()):
        warn(
            f"{dataset.name}: the largest fold has {room.max()} samples and the smallest "
            f"{room.min()}, as {what.removeprefix('different ')} are not cut"
        )
    return tuple(np.flatnonzero(fold_of[groups.reshape(-1)] == k) for k in range(n_folds))


def _kin(dataset: Dataset, by: str) -> Relatives:
    """Return what keeps samples together in folds by composition, scaffold or column."""
    if by == "composition":
        return Relatives(np.asarray(reduced_formulas(dataset.structures)), "formulas")
    return relatives(dataset, by)


def nested_split(
    folds: Sequence[NDArray[np.int64]],
    k: int,
    seed: int,
    row_numbers: NDArray[np.int64] | None = None,
    kin: NDArray[np.str_] | None = None,
) -> Split:
    """Return the split that tests fold ``k``; its validation part is a tenth of the others.

    As the test part has no relatives in training, the validation part has none there either, by
    which errors are estimated: it takes whole groups, of few large ones the nearest to a tenth.

    Args:
        folds: Samples of each.
        k: Which is tested.
        seed: Decides which samples validate.
        row_numbers: By sample; those of one row are forms of one structure, which stay together.
        kin: By sample; those with one key are relatives. None: there are none.
    """
    others = np.concatenate([fold for i, fold in enumerate(folds) if i != k])
    own = first_form_of(row_numbers, max(int(fold.max(initial=-1)) for fold in folds) + 1)
    firsts = others[own[others] == others]
    shuffled = np.random.default_rng([seed, k]).permutation(firsts)
    n = len(shuffled) // _KEPT_OUT
    train, validation = shuffled[n:], shuffled[:n]
    if kin is not None and n:
        validation, train = _relatives_apart(shuffled, kin[shuffled], n, [seed, k])
    if len(firsts) < len(others):
        validates = np.isin(own[others], validation)
        train, validation = others[~validates], others[validates]
    return Split(train=train, validation=validation, test=folds[k])


def _relatives_apart(
    rows: NDArray[np.int64], kin: NDArray[np.str_], n: int, seed: Sequence[int]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return about n of the rows in whole groups, and the others; of one group any n of them."""
    validation, train = take_share(rows, kin, n / len(rows), seed)
    names, sizes = np.unique(kin, return_counts=True)
    if not len(validation) and len(names) > 1:
        taken = kin == names[np.abs(sizes - n).argmin()]
        validation, train = rows[taken], rows[~taken]
    return (validation, train) if len(validation) else (rows[:n], rows[n:])


def _parts(split: Split) -> dict[str, NDArray[np.int64]]:
    return {"train": split.train, "validation": split.validation, "test": split.test}


def _device(accelerator: str) -> str:
    return "cuda" if accelerator == "gpu" else accelerator


def _pooled(
    predictions: Sequence[Prediction], folds: Sequence[NDArray[np.int64]], dataset: Dataset
) -> tuple[Prediction, NDArray[np.float64]]:
    """Return one prediction of all samples, and their values in the same order."""
    first, rows = predictions[0], np.concatenate(list(folds))

    def joined(field: str) -> Any:
        return np.concatenate([getattr(p, field) for p in predictions])

    together = replace(
        first,
        names=tuple(n for p in predictions for n in p.names),
        formulas=tuple(f for p in predictions for f in p.formulas),
        n_atoms=joined("n_atoms"),
        values=joined("values"),
        std=joined("std"),
        interval_low=joined("interval_low"),
        interval_high=joined("interval_high"),
        probabilities=tuple(
            None if one is None else np.concatenate([p.probabilities[i] for p in predictions])
            for i, one in enumerate(first.probabilities)
        ),
        errors=tuple(e for p in predictions for e in p.errors),
        doubts=tuple(d for p in predictions for d in p.doubts),
        unlike=None if any(p.unlike is None for p in predictions) else joined("unlike"),
        seen=tuple(s for p in predictions for s in p.seen),
        carried=(),
        spread=None,
        ordered_models=None,
        index=None if dataset.index is None else dataset.index.take(rows),
        sources=tuple(dataset.sources[i] for i in rows) if dataset.sources else (),
    )
    return together, dataset.values[rows]


def _figures(found: RegressionMetrics | ClassificationMetrics) -> dict[str, float | None]:
    names: tuple[str, ...] = ("accuracy", "balanced_accuracy", "f1", "auc")
    if isinstance(found, RegressionMetrics):
        names = ("mae", "rmse", "r2", "mad", "mad_mae", "interval_coverage")
    values = {name: getattr(found, name) for name in names}
    if isinstance(found, RegressionMetrics) and (found.n_structures or found.n) < 2:
        values["mad_mae"] = None  # of one sample: any number from 0 to infinity
    return {n: None if v is None or not np.isfinite(v) else float(v) for n, v in values.items()}


_MOST_FOLDS = 10
"""Folds that a sentence names."""


def _called(numbers: Sequence[str], n_folds: int) -> str:
    """Return in words which folds are meant."""
    if len(numbers) == n_folds:
        return "every fold"
    if len(numbers) > _MOST_FOLDS:
        return f"{len(numbers)} of {n_folds} folds ({', '.join(numbers[:_MOST_FOLDS])} ...)"
    return f"fold{'s' if len(numbers) > 1 else ''} {', '.join(numbers)}"


def _spread(values: Sequence[float]) -> float:
    return float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")


def _description(
    dataset: Dataset,
    model: Any,
    folds: Sequence[NDArray[np.int64]],
    by: str,
    settings: TrainSettings,
) -> dict[str, Any]:
    called = model if isinstance(model, str) or model is None else repr(model)
    return {
        "data": digest(dataset),
        "targets": [t.name for t in dataset.targets],
        "model": called,
        "n_folds": len(folds),
        "by": by,
        "seed": settings.seed,
    } | ({} if by in ("random", "composition") else {"folds": _mark(folds)})


def _mark(folds: Sequence[NDArray[np.int64]]) -> str:
    """Return a mark of folds that rest on more than structures, values and the seed."""
    content = b"|".join(np.ascontiguousarray(fold).tobytes() for fold in folds)
    return hashlib.sha256(content).hexdigest()[:16]


def digest(dataset: Dataset) -> str:
    """Return a mark of structures and values."""
    values = np.ascontiguousarray(dataset.values).tobytes()
    mark = hashlib.sha256(dataset.structures.fingerprint().encode() + values)
    return mark.hexdigest()[:16]


@contextmanager
def claimed(
    folder: Path, mark: str, described: Mapping[str, Any], *, resume: bool, what: str
) -> Iterator[None]:
    """Make a folder that of one piece of work, or see that it is; no other process has it then.

    Raises:
        SettingsError: another process works in it.
        TrainingError: it holds something else, or shall not be resumed.
    """
    path = folder / mark
    _check_claim(path, described, resume=resume, what=what)
    with only_writer(path):
        if not _check_claim(path, described, resume=resume, what=what):
            write_text(to_json(dict(described)) + "\n", path)
        yield


def _check_claim(path: Path, described: Mapping[str, Any], *, resume: bool, what: str) -> bool:
    """Return whether the folder of a file is that of the same work; False if it is nobody's.

    Raises:
        TrainingError: it holds something else, or shall not be resumed.
    """
    folder = path.parent
    if folder.exists() and not folder.is_dir():
        raise TrainingError(f"{folder}: this is a file; give the name of a folder.")
    if not path.is_file():
        if folder.is_dir() and any(one != lock_of(path) for one in folder.iterdir()):
            raise TrainingError(f"{folder}: this folder is not empty; give another folder.")
        return False
    if not resume:
        raise TrainingError(
            f"{folder}: there is a {what} in this folder; go on with it (--resume, in Python "
            "resume=True), or give another folder."
        )
    with net(TrainingError, f"{path}", "give another folder"):
        known = parse_json(read_text(path))
        if not isinstance(known, dict):
            raise ValueError("it is no description")
    different = [k for k in described if known.get(k) != described[k]]
    if different:
        raise TrainingError(
            f"{folder}: the {what} in this folder has another {', '.join(different)}; give "
            "the same, or another folder."
        )
    return True
