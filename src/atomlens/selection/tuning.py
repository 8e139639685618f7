"""The search for settings with optuna: by the validation part, resumable, hopeless trials cut."""

import json
import time
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from atomlens.datasets.base import Dataset
from atomlens.errors import AtomlensError, SettingsError, TrainingError, missing_package
from atomlens.files import place_of, write_text
from atomlens.models import MODELS, PropertyModel, model_config, named_model
from atomlens.predictor import Predictor, load
from atomlens.reports.tables import write_table
from atomlens.selection.cross_validation import claimed, digest
from atomlens.selection.space import Dimension, search_space
from atomlens.settings import by_option
from atomlens.training import TrainingProgress, TrainingState, TrainSettings, train
from atomlens.training.pipeline import default_model
from atomlens.training.plan import (
    as_dataset,
    check_asked,
    check_learns,
    choose_builder,
    taken_apart,
)
from atomlens.training.progress import listener

MARK, JOURNAL, TABLE, BEST, FIGURE = (
    "tune.json",
    "journal.log",
    "trials.csv",
    "best.yaml",
    "trials.png",
)
_GROUPS = {"model": "model_settings", "builder": "builder_settings"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One set of settings, and how well it did."""

    number: int
    state: str
    """complete, pruned (stopped as hopeless) or failed (impossible together)"""
    value: float | None
    """Objective on the validation part; of pruned trials the last one that was heard of."""
    settings: dict[str, Any]
    seconds: float
    problem: str = ""
    """Why it failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """What a search found."""

    model: str
    objective: str
    """What was minimised."""
    trials: tuple[Trial, ...]
    space: tuple[Dimension, ...]
    shared: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What all trials had in common and is no default, in the blocks of a config file."""

    def __repr__(self) -> str:
        done = [t.value for t in self.trials if t.state == "complete" and t.value is not None]
        best = f"{min(done):.4g}" if done else "none was completed"
        return f"<Tuning: {self.model}, {len(self.trials)} trials, best {self.objective}: {best}>"

    def _repr_html_(self) -> str:
        from atomlens.reports.notebook import table_html

        return table_html(self.to_rows(), title=repr(self).strip("<>"))

    @property
    def best(self) -> Trial:
        """The trial with the smallest objective.

        Raises:
            TrainingError: no trial was completed.
        """
        done = [t for t in self.trials if t.state == "complete" and t.value is not None]
        if not done:
            why = next((f" ({t.problem.rstrip('.')})" for t in self.trials if t.problem), "")
            raise TrainingError(f"No trial was completed{why}; run more, or give other settings.")
        return min(done, key=lambda t: t.value if t.value is not None else np.inf)

    def best_settings(self) -> dict[str, dict[str, Any]]:
        """Return what was given, and searched (as in the best trial), in blocks of a config."""
        blocks = {group: dict(block) for group, block in self.shared.items()}
        for key, value in self.best.settings.items():
            group, _, name = key.partition(".")
            blocks.setdefault(group, {})[name] = value
        training = blocks.get("training", {})
        if "learning_rate" in training:
            given = training.get("min_learning_rate", TrainSettings().min_learning_rate)
            training["min_learning_rate"] = min(given, training["learning_rate"])
        return blocks

    def to_rows(self) -> list[dict[str, Any]]:
        """Return one row a trial."""
        return [
            {"trial": t.number + 1, "state": t.state, self.objective: t.value}
            | t.settings
            | {"seconds": round(t.seconds, 1)}
            | ({"problem": t.problem} if any(other.problem for other in self.trials) else {})
            for t in self.trials
        ]

    def save(self, folder: str | Path) -> list[Path]:
        """Write trials.csv, best.yaml (for ``atomlens train --config``) and a figure."""
        import yaml

        out = place_of(folder)
        write_table(self.to_rows(), out / TABLE)
        text = yaml.safe_dump(self.best_settings(), sort_keys=False, allow_unicode=True)
        best = self.best
        head = f"# trial {best.number} of {len(self.trials)}: {self.objective} {best.value:.6g}\n"
        write_text(head + text, out / BEST)
        _draw(self, out / FIGURE)
        return [out / TABLE, out / BEST, out / FIGURE]


@by_option(
    freeze="frozen_layers",
    workers="n_workers",
    threads="n_threads",
    device="accelerator",
    trials="n_trials",
    search="space",
    max_minutes=("max_seconds", lambda minutes: 60 * minutes),
    no_pruning=("prune", lambda no: not no),
)
def tune(
    data: Any,
    *,
    model: str | type[PropertyModel] | Any | None = None,
    target: str | Sequence[str] | None = None,
    space: Mapping[str, Any] | Iterable[str] | None = None,
    n_trials: int = 20,
    max_seconds: float | None = None,
    out: str | Path | None = None,
    settings: TrainSettings | None = None,
    prune: bool = True,
    resume: bool = False,
    told: Callable[[Trial, int], None] | None = None,
    progress: TrainingProgress | None = None,
    **overrides: Any,
) -> Tuning:
    """Search for the settings with the smallest error on the validation part.

    The test part decides nothing and stays out of the table: judge the best settings once, by
    ``train`` with the same split, or by `cross_validate`.

    Args:
        data: As for `train`.
        model: As for `train`.
        target: What to learn; may be left out if there is only one.
        space: What to search, see `search_space`.
        n_trials: Trials in all, those of an earlier run included.
        max_seconds: Begin no trial after so many seconds.
        out: Folder of the journal and the results; what makes the search resumable.
        settings: What all trials share.
        prune: Stop trials whose validation is worse than the median at the same epoch.
        resume: Go on with the search in ``out``.
        told: Called with each trial that has ended, and the number in all.
        progress: Hears what makes the errors look smaller, once; a ``UserWarning`` if left out.
        **overrides: Fields of `TrainSettings`, and options of `load_dataset`.

    Raises:
        MissingDependencyError: optuna is not installed.
        SettingsError: there is no such setting, or its range is impossible.
        TrainingError: ``out`` holds something else, or no trial was completed.
    """
    optuna = _optuna()
    if n_trials < 1:
        raise SettingsError(f"n_trials={n_trials} must be at least 1.")
    about_data, overrides = taken_apart(overrides)
    settings = TrainSettings.given(settings, overrides)
    check_asked(model, about_data)
    dataset = as_dataset(data, target, settings, about_data)
    if model is not None:
        model, different = named_model(model)
        settings = replace(settings, model_settings={**different, **settings.model_settings})
    start_from = None
    if settings.start_from is not None:
        start_from = load(settings.start_from)
        model = start_from.model_name if model is None else model
    model = default_model(dataset) if model is None else model
    check_learns(model, MODELS[model], dataset.targets, dataset.structures)
    builder = choose_builder(MODELS[model], settings, dataset.structures).name
    dimensions = search_space(model, builder, space, settings)
    objective = _objective_name(dataset)
    folder = None if out is None else place_of(out)
    common = json.loads(json.dumps(_blocks(settings)))
    holding: AbstractContextManager[None] = nullcontext()
    if folder is not None:
        ranges = [dimension.to_dict() for dimension in dimensions]
        described = {
            "data": digest(dataset),
            "targets": [t.name for t in dataset.targets],
            "model": model,
            "space": json.loads(json.dumps(ranges)),
            "seed": settings.seed,
            "epochs": settings.epochs,
            "shared": common,
        }
        holding = claimed(folder, MARK, described, resume=resume, what="search")
    shared = replace(settings, limit=None)
    with holding, warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        storage = None
        if folder is not None:
            backend = optuna.storages.journal.JournalFileBackend(str(folder / JOURNAL))
            storage = optuna.storages.JournalStorage(backend)
        study = optuna.create_study(
            study_name="atomlens", storage=storage, direction="minimize", load_if_exists=True
        )
        _close_abandoned(study, optuna)
        done = len(study.trials)
        study.sampler = optuna.samplers.TPESampler(seed=settings.seed + done)
        study.pruner = (
            optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=settings.epochs // 5)
            if prune and len(dataset.targets) == 1
            else optuna.pruners.NopPruner()
        )
        start, warned = time.monotonic(), _Warned(listener(progress))
        while len(study.trials) < n_trials:
            if max_seconds is not None and time.monotonic() - start > max_seconds:
                break
            trial = study.ask()
            _run(study, trial, optuna, dimensions, dataset, model, shared, start_from, warned)
            if told is not None:
                told(_of(study.trials[-1]), n_trials)
        found = Tuning(
            model=model,
            objective=objective,
            trials=tuple(_of(t) for t in study.trials),
            space=dimensions,
            shared=common,
        )
        if folder is not None:
            found.save(folder)
    return found


def _run(
    study: Any,
    trial: Any,
    optuna: Any,
    dimensions: Sequence[Dimension],
    dataset: Dataset,
    model: str,
    shared: TrainSettings,
    start_from: Predictor | None,
    warned: "_Warned",
) -> None:
    """Train with one set of settings and tell the study how well it did."""
    states = optuna.trial.TrialState
    chosen: dict[str, dict[str, Any]] = {"training": {}, "model": {}, "builder": {}}
    for dimension in dimensions:
        chosen[dimension.group][dimension.name] = dimension.suggest(trial)
    try:
        given = dict(chosen["training"])
        for group, field in _GROUPS.items():
            if chosen[group]:
                given[field] = {**getattr(shared, field), **chosen[group]}
        if "learning_rate" in given:
            given["min_learning_rate"] = min(shared.min_learning_rate, given["learning_rate"])
        settings = shared.changed(given)
        if MODELS[model].learns_in_steps:
            model_config(model, **settings.model_settings)
    except SettingsError as problem:
        trial.set_user_attr("problem", str(problem))
        study.tell(trial, state=states.FAIL)
        return
    heard = _Pruning(trial, warned)
    try:
        predictor = train(
            dataset,
            model=model,
            target=[t.name for t in dataset.targets],
            settings=settings,
            start_from=start_from,
            progress=heard,
        )
    except _Hopeless:
        study.tell(trial, state=states.PRUNED)
    except AtomlensError as problem:
        if not isinstance(problem, SettingsError | TrainingError):
            raise
        trial.set_user_attr("problem", str(problem))
        study.tell(trial, state=states.FAIL)
    except KeyboardInterrupt:
        study.tell(trial, state=states.FAIL)
        raise
    else:
        study.tell(trial, _objective(predictor.metrics.get("validation", {}), dataset))


def _blocks(settings: TrainSettings) -> dict[str, dict[str, Any]]:
    """Return the settings that are no defaults in the blocks of a config file."""
    usual = TrainSettings()
    blocks: dict[str, dict[str, Any]] = {"training": {}}
    for name in (f.name for f in fields(settings)):
        value = getattr(settings, name)
        if value == getattr(usual, name):
            continue
        group = next((group for group, other in _GROUPS.items() if other == name), None)
        if group is None:
            blocks["training"][name] = value
        else:
            blocks[group] = dict(value)
    return {group: block for group, block in blocks.items() if block}


class _Hopeless(Exception):  # noqa: N818  no error, an early end
    pass


class _Warned:
    """Hands on what trainings warn of, each sentence once: all trials have the same data."""

    def __init__(self, listener: TrainingProgress) -> None:
        self.listener = listener
        self.texts: set[str] = set()

    def __call__(self, text: str) -> None:
        if text not in self.texts:
            self.texts.add(text)
            self.listener.warning(text)


class _Pruning(TrainingProgress):
    """Tells a trial how its validation falls, and ends it when there is no hope."""

    def __init__(self, trial: Any, warned: _Warned) -> None:
        self.trial, self.warned = trial, warned
        self.best = np.inf

    def warning(self, text: str) -> None:
        """Hand a warning on unless another trial had it."""
        self.warned(text)

    def verdict(self, text: str) -> None:
        """Say nothing: what a trial is worth is in the table."""

    def epoch(self, state: TrainingState) -> None:
        """Report the best validation so far."""
        if not state.validation or state.member:
            return
        self.best = min(self.best, next(iter(state.validation.values())))
        if np.isfinite(self.best):
            self.trial.report(float(self.best), state.epoch)
            if self.trial.should_prune():
                raise _Hopeless


def _objective_name(dataset: Dataset) -> str:
    if len(dataset.targets) > 1:
        return "error over that of the mean"
    target = dataset.targets[0]
    if target.kind == "classification":
        return "share of errors"
    return f"MAE {target.unit}".rstrip()


def _objective(metrics: Mapping[str, Any], dataset: Dataset) -> float:
    """Return what is minimised: MAE, share of errors, or their mean in parts of the mean's."""
    found = metrics.get("targets", {})
    if not found:
        raise TrainingError(
            "There is no validation part to judge the settings by; give a split with one "
            '(--split random:.8/.1/.1, in Python split="random:.8/.1/.1").'
        )
    several = len(dataset.targets) > 1
    errors = []
    for target in dataset.targets:
        figures = found[target.name]
        if target.kind == "classification":
            errors.append(1 - figures["accuracy"])
        else:
            errors.append(figures["mae"] / (figures["mad"] or 1.0) if several else figures["mae"])
    return float(np.mean(errors))


def _close_abandoned(study: Any, optuna: Any) -> None:
    """Mark trials that a kill left running as failed."""
    states = optuna.trial.TrialState
    for trial in study.get_trials(deepcopy=False, states=(states.RUNNING,)):
        study.tell(trial.number, state=states.FAIL)


def _of(trial: Any) -> Trial:
    names = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed"}
    value = trial.value
    if value is None and trial.intermediate_values:
        value = trial.intermediate_values[max(trial.intermediate_values)]
    return Trial(
        number=trial.number,
        state=names.get(trial.state.name, "running"),
        value=None if value is None else float(value),
        settings=dict(trial.params),
        seconds=trial.duration.total_seconds() if trial.duration else 0.0,
        problem=str(trial.user_attrs.get("problem", "")),
    )


def _optuna() -> Any:
    try:
        import optuna
    except ImportError:
        raise missing_package("A search for settings", "optuna", "tune") from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def _draw(found: Tuning, path: Path) -> None:
    """Draw the objective of every trial, and the best so far."""
    from atomlens.reports.canvas import ACCENT, INK, QUIET, WARM, new_figure, plain_axes

    with new_figure(path, (6.0, 3.9)) as figure:
        axes = figure.add_axes((0.15, 0.24, 0.82, 0.72))
        plain_axes(axes)
        known = {state: _values(found, state) for state in ("complete", "pruned")}
        numbers, values = known["complete"]
        top = highest_shown(values, known["pruned"][1])
        axes.step(
            numbers, np.minimum.accumulate(values), where="post", color=INK, label="best", zorder=2
        )
        looks = {"complete": (ACCENT, "o"), "pruned": (QUIET, "x")}
        beyond: str | None = "above the axis"
        for state, (colour, marker) in looks.items():
            places, own = known[state]
            inside = own <= top
            for chosen, shape, label in ((inside, marker, state), (~inside, "^", beyond)):
                if chosen.any():
                    axes.plot(
                        places[chosen],
                        np.minimum(own[chosen], top),
                        shape,
                        color=colour,
                        label=label,
                        markersize=5,
                        clip_on=False,
                        zorder=3,
                    )
            beyond = beyond if inside.all() else None
        failed = [t.number + 1 for t in found.trials if t.state == "failed"]
        for number in failed:
            label = "failed" if number == failed[0] else None
            axes.axvline(number, color=WARM, linewidth=1, linestyle=":", label=label, zorder=1)
        axes.set_xlim(0.5, len(found.trials) + 0.5)
        if np.isfinite(top):
            axes.set_ylim(top=top)
        axes.locator_params(axis="x", integer=True)
        axes.ticklabel_format(axis="y", useOffset=False)
        axes.set_xlabel("trial")
        axes.set_ylabel(found.objective)
        figure.legend(loc="lower center", ncols=5, frameon=False, fontsize=8.5)


def _values(found: Tuning, state: str) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return numbers and values of the trials in a state, those whose value is known."""
    own = [
        (t.number + 1, t.value) for t in found.trials if t.state == state and t.value is not None
    ]
    numbers = np.array([number for number, _ in own], dtype=np.int64)
    return numbers, np.array([value for _, value in own], dtype=np.float64)


_FAR = 4
"""Times as far above the best as the median is: what a figure has no room for."""


def highest_shown(complete: NDArray[np.float64], pruned: NDArray[np.float64]) -> float:
    """Return where a figure of trials ends, so that one that went astray leaves the others room.

    Infinite where all of them have it.

    Args:
        complete: (n,) their values
        pruned: (m,) the last ones that were heard of
    """
    if not len(complete):
        return np.inf
    best = float(complete.min())
    top = best + _FAR * (float(np.median(complete)) - best)
    largest = float(np.concatenate([complete, pruned]).max())
    return top if best < top < largest else np.inf
