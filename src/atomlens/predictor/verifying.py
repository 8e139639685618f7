"""Repeating the test of a trained model, and comparing with what its folder says."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from atomlens.datasets import DATASETS, load_dataset
from atomlens.datasets.base import Dataset
from atomlens.datasets.matbench import load_matbench, tasks_of
from atomlens.errors import MissingDependencyError, ModelError, SettingsError
from atomlens.predictor.core import Predictor, tell_failed
from atomlens.predictor.evaluation import score
from atomlens.predictor.figures import FIGURES
from atomlens.predictor.inputs import gather
from atomlens.predictor.judged_data import choose_part, matching_values
from atomlens.predictor.metrics import RegressionMetrics
from atomlens.predictor.reading import reading_for

_MEASURES = ("mae", "interval_coverage", "accuracy")
_TOLERANCE = 0.01
"""Relative; positions that were rounded when data were packed change less."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeated:
    """One figure of a test, as the folder says it and as it was found again."""

    target: str
    unit: str
    measure: str
    said: float
    found: float

    @property
    def agrees(self) -> bool:
        """Whether both are equal up to rounding."""
        return abs(self.found - self.said) <= _TOLERANCE * max(abs(self.said), 1e-12)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What came of repeating a test."""

    part: str
    n: int
    """Samples of the part that were found and predicted."""
    figures: tuple[Repeated, ...]
    remarks: tuple[str, ...]
    """What was not as in the training, a sentence each."""

    @property
    def agrees(self) -> bool:
        """Whether every figure does."""
        return all(figure.agrees for figure in self.figures)


def verify(
    model: str | Path,
    data: Dataset | str | Path | None = None,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> Verification:
    """Predict the test part of a model again (the validation part, if there was no test).

    The digests of its weights are checked by loading it.

    Args:
        model: A folder, or a name in the box.
        data: Its data; by default the data set that the model names, if that has a name. Of a
            model of Matbench's compositions also the folder of ``matbench_*.csv.gz``.
        progress: Called with the number of structures done and in all.

    Raises:
        ModelError: there is no such model, it is damaged, or it does not say what its errors
            were.
        SettingsError: its data must be given.
        MissingDependencyError: its data come with a package that is not installed.
        DatasetError: the data hold none of its samples.
    """
    predictor = Predictor.load(model)
    part = next((p for p in ("test", "validation") if predictor.metrics.get(p)), None)
    if part is None:
        raise ModelError(f"{model}: its folder says no errors, so there is nothing to compare.")
    given = data if isinstance(data, Dataset) else _read(predictor, str(model), data)
    rows, remarks = choose_part(predictor, given, part)
    chosen = given.subset(rows)
    prediction = predictor.predict(gather(chosen.structures), progress=progress)
    tell_failed(prediction.failures, len(prediction))
    found = score(prediction, matching_values(chosen, predictor.targets))
    figures = []
    for name, said in predictor.metrics[part]["targets"].items():
        again = found[name]
        for measure in _MEASURES:
            before, after = said.get(measure), getattr(again, measure, None)
            if before is not None and after is not None:
                unit = again.unit if isinstance(again, RegressionMetrics) else ""
                figures.append(
                    Repeated(
                        target=name,
                        unit=unit if measure == "mae" else "",
                        measure=FIGURES[measure][0],
                        said=float(before),
                        found=float(after),
                    )
                )
    n = int(prediction.ok.sum())
    return Verification(part=part, n=n, figures=tuple(figures), remarks=remarks)


def _read(predictor: Predictor, model: str, data: str | Path | None) -> Dataset:
    """Return the data of a model, from where they are said to be."""
    record = predictor.record
    source = record.data if data is None else data
    if data is None and source not in DATASETS:
        about = record.about
        digest = f" (SHA-256 {record.file_sha256[:12]}...)" if record.file_sha256 else ""
        needs = f"the file {record.file}{digest}" if record.file else f"the data {record.data!r}"
        needs = needs if about is None else about.needs
        raise SettingsError(
            f"{model}: to repeat its test, verify needs {needs}. Name them with --data (in "
            "Python data=)."
        )
    tasks = tasks_of(record.data)
    if tasks and isinstance(source, str | Path) and Path(source).is_dir():
        return load_matbench(source, tasks)
    targets = [t.name for t in predictor.targets]
    reading = reading_for(predictor, source, {})
    try:
        return load_dataset(source, targets, **reading.options)
    except MissingDependencyError as problem:
        if data is not None:
            raise
        reason = str(problem).rstrip(".")
        raise MissingDependencyError(
            f"{model}: verify repeats its test, and {reason[:1].lower()}{reason[1:]}; or name a "
            "file that holds the same samples with --data (in Python data=)."
        ) from problem
