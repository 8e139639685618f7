"""The one function that trains."""

import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from atomlens.datasets.base import Dataset
from atomlens.datasets.splits import Split, divide
from atomlens.errors import SettingsError, TrainingError, TrainingStopped
from atomlens.files import make_folder, place_of
from atomlens.machine import compiler, compiling
from atomlens.models import MODELS, PropertyModel, named_model
from atomlens.neighbors.base import GraphBuilder
from atomlens.predictor import Predictor, load
from atomlens.predictor.evaluation import about_skill
from atomlens.predictor.folder import TRAINING
from atomlens.printing import few
from atomlens.settings import by_option
from atomlens.training.checks import check_builder, check_values
from atomlens.training.data import prepare
from atomlens.training.finishing import draw, finish
from atomlens.training.idle import ignored_model_settings, ignored_settings
from atomlens.training.job import Job, MemberResult, fit_in_closed_form, read_result
from atomlens.training.launch import check_launch, is_first_process, train_member
from atomlens.training.part_remarks import tell_about_parts
from atomlens.training.plan import (
    as_dataset,
    check_asked,
    check_learns,
    choose_builder,
    choose_config,
    choose_element_table,
    taken_apart,
)
from atomlens.training.progress import TrainingProgress, listener
from atomlens.training.remarks import tell_about_data
from atomlens.training.run_folder import (
    check_finished,
    check_out,
    claimed,
    close_run,
    describe_run,
    digest_of_file,
    is_finished,
    kept_with_model,
    open_run,
)
from atomlens.training.settings import TrainSettings
from atomlens.training.teaching import TaughtAttention, read_taught
from atomlens.training.transfer import (
    Pretrained,
    Transfer,
    about_kinds,
    about_sizes,
    find_pretrained,
    keep_pretrained,
    name_of,
)

DEFAULT_MODEL = "scann-plus"
WITHOUT_NUMBA = (
    "numba is not installed, so neighbours are searched in plain Python, some hundred times "
    "slower; pip install numba."
)
_ALONE = threading.RLock()
"""Held by the thread that trains: torch has one random state, one number of threads and one
precision of matrix products for the whole process, so two trainings at once would disturb each
other's dropout and first weights. Processes can train side by side."""
_FOR_FORMULAS = ("rf-magpie", "finder")
"""Default models for formulas: for numbers, and where there are classes, too."""


def default_model(dataset: Dataset) -> str:
    """Return the model that is trained if none is named: one that can read what is there."""
    if not len(dataset) or not dataset.structures.is_formula.all():
        return DEFAULT_MODEL
    return _FOR_FORMULAS[any(t.kind == "classification" for t in dataset.targets)]


@by_option(
    freeze="frozen_layers",
    workers="n_workers",
    threads="n_threads",
    device="accelerator",
)
def train(
    data: Any,
    *,
    model: str | type[PropertyModel] | Any | None = None,
    target: str | Sequence[str] | None = None,
    out: str | Path | None = None,
    settings: TrainSettings | None = None,
    start_from: "Predictor | str | Path | None" = None,
    resume: bool = False,
    progress: TrainingProgress | Callable[[int, int], None] | bool | None = None,
    **overrides: Any,
) -> Predictor:
    """Train a model and return it, calibrated on the validation part.

    Args:
        data: Anything that `load_dataset` takes: a data set, its name or path, a DataFrame, a list
            of structures that hold their values, of pairs, records or samples.
        model: Name of a model, a class, or the configuration of one; by default the one that
            suits the data.
        target: What to learn, one name or several; may be left out if there is only one.
        out: Folder for model, metrics, history and pictures; also what makes a training
            resumable. Without it nothing is kept.
        settings: How to train; defaults if left out.
        start_from: Fine-tuning: a trained model, or its folder, whose architecture, neighbours
            and weights are taken. ``frozen_layers`` and ``fresh_output`` in the settings say
            what of it shall stay, and what shall not be taken.
        resume: Go on with the training that was interrupted in ``out``. It ends with the same
            model as without the interruption, on a CPU bit for bit.
        progress: True for a progress bar, a function that is called with the number of steps done
            and in all, or a `TrainingProgress`, which hears all of how it goes.
        **overrides: Fields of `TrainSettings` to change, such as ``epochs=50``, and options of
            `load_dataset` (``extensive=True``, ``structure_column="cif"``).

    Raises:
        SettingsError: a setting does not exist or is impossible.
        DatasetError: the data cannot be used.
        TrainingError: ``out`` is taken, or the loss became not a number (the best model until then
            is saved in ``out``).
        TrainingStopped: Ctrl-C was pressed, a KeyboardInterrupt; the state is kept in ``out``.
    """
    about_data, overrides = taken_apart(overrides)
    settings = TrainSettings.given(settings, overrides)
    start_from = settings.start_from if start_from is None else start_from
    if start_from is not None:
        settings = replace(settings, start_from=name_of(start_from))
    if model is not None:
        model, different = named_model(model)
        chosen = {**different, **settings.model_settings}
        settings = replace(settings, model_settings=chosen)
    heard = listener(progress)
    folder = None if out is None else place_of(out)
    if folder is None and resume:
        raise TrainingError("resume needs the folder `out` in which the training began.")
    check_asked(model, about_data)
    check_launch(settings, has_folder=folder is not None)
    if folder is not None and is_first_process():
        check_out(folder, resume=resume)
    pretrained = find_pretrained(start_from, settings, folder)
    try:
        with _ALONE:
            return _train(data, about_data, model, target, folder, settings, pretrained, heard)
    except KeyboardInterrupt:
        if folder is None or not (folder / TRAINING).is_dir():
            raise
        raise TrainingStopped(
            f"The training was stopped; its state is kept in {folder}. Go on with the same "
            "command and --resume (in Python: resume=True)."
        ) from None


def _train(
    data: Any,
    about_data: Mapping[str, Any],
    model: str | None,
    target: str | Sequence[str] | None,
    out: Path | None,
    settings: TrainSettings,
    pretrained: Pretrained | None,
    progress: TrainingProgress,
) -> Predictor:
    said = _Said(progress)
    dataset = as_dataset(data, target, settings, about_data)
    check_values(dataset)
    asked = settings.model_settings
    if pretrained is not None:
        model, settings = pretrained.adopt(model, settings, dataset)
    if model is None:
        model = default_model(dataset)
        if model != DEFAULT_MODEL:
            said.message(f"There are formulas only, so the model is {model}.")
    kind = MODELS[model]
    check_learns(model, kind, dataset.targets, dataset.structures)
    for remark in ignored_settings(kind, model, settings, dataset.targets):
        said.warning(remark)
    if not kind.learns_in_steps:
        settings = replace(settings, ensemble=1, calibration_share=0.0)
    builder = choose_builder(kind, settings, dataset.structures)
    config = choose_config(model, dataset.targets, dataset.structures, builder, settings)
    check_builder(model, config, builder)
    for remark in ignored_model_settings(model, config, asked):
        said.warning(remark)
    split = divide(settings.split, dataset, settings.seed)
    taught = _taught(settings, kind, builder, dataset, split, said)
    transfer = None
    if pretrained is not None:
        transfer = Transfer.plan(pretrained, config, dataset, settings)
    described = {"name": builder.name, "settings": builder.settings()}
    checksum = "" if pretrained is None else pretrained.checksum
    file_sha256 = digest_of_file(dataset.file)
    run = describe_run(model, config, described, dataset, settings, split, checksum)
    if out is not None and is_finished(out):
        predictor = load(out)
        progress.message(check_finished(out, predictor, run))
        return predictor
    if pretrained is not None and transfer is not None:
        said.message(" ".join([f"Fine-tuning {pretrained.name}.", *transfer.as_asked]))
        doubts = (*transfer.doubts, *about_kinds(pretrained, dataset))
        for sentence in (*doubts, *about_sizes(pretrained, dataset)):
            said.warning(sentence)
    with ExitStack() as stack:
        stack.enter_context(compiling())
        if out is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="atomlens-")))
        else:
            if is_first_process():
                stack.enter_context(claimed(out))
                if pretrained is not None:
                    keep_pretrained(pretrained, out)
            folder = open_run(out, run, write=is_first_process())
        tell_about_data(dataset, split, kind, settings, config, said)
        table = choose_element_table(kind, config, pretrained)
        if compiler() is None:
            progress.warning(WITHOUT_NUMBA)
        prepared = prepare(dataset, builder, settings, progress.graphs, table, split)
        tell_about_parts(prepared, kind, len(dataset.failures), settings, pretrained, said)
        job = Job(
            model_name=model,
            config=config,
            data=prepared,
            settings=settings,
            folder=folder,
            progress=progress,
            transfer=transfer,
            element_table=table,
            taught=taught,
            run=kept_with_model(run),
            file_sha256=file_sha256,
            remarks=(*dataset.remarks, *said.remarks),
        )
        results = _fit(job) if kind.learns_in_steps else [fit_in_closed_form(job)]
        predictor = finish(job, results)
        if out is not None and is_first_process():
            _write(predictor, job, out, complete=all(r.complete for r in results))
    for sentence in about_skill(predictor) if is_first_process() else ():
        progress.verdict(sentence)
    problems = [r.problem for r in results if r.problem]
    if problems:
        kept = f" The best model until then is saved in {out}." if out is not None else ""
        raise TrainingError(problems[0] + kept)
    return predictor


def _taught(
    settings: TrainSettings,
    kind: type[PropertyModel],
    builder: GraphBuilder,
    dataset: Dataset,
    split: Split,
    said: "_Said",
) -> TaughtAttention | None:
    """Read where the attention should stand, and say of how many training samples it is known.

    Raises:
        TrainingError: the file cannot be used, or nothing in it is about the training part.
        SettingsError: the model's nodes are no atoms, or it is fitted by a formula.
    """
    if settings.attention_labels is None:
        return None
    if not kind.learns_in_steps or builder.name == "formula":
        raise SettingsError(
            "attention_labels: only models of structures that are trained in steps can be taught "
            "where to attend; choose lens or scann-plus."
        )
    taught = read_taught(settings.attention_labels, dataset)
    names = dataset.structures.names
    n = sum(names[row] in taught.weights for row in split.train.tolist())
    if not n:
        raise TrainingError(
            f"{settings.attention_labels}: none of its samples is in the training part; give "
            "weights of samples that are trained on."
        )
    said.message(
        f"The attention of {n:,} of {len(split.train):,} training samples is taught "
        f"({few(taught.targets)})."
    )
    return taught


class _Said:
    """Passes sentences on and remembers them for the model card."""

    def __init__(self, progress: TrainingProgress) -> None:
        self.progress = progress
        self.remarks: list[str] = []

    def message(self, text: str) -> None:
        self.progress.message(text)
        self.remarks.append(text)

    def warning(self, text: str) -> None:
        self.progress.warning(text)
        self.remarks.append(text)


def _fit(job: Job) -> list[MemberResult]:
    """Train all members that are not done, each with its share of the time that is left."""
    start = time.perf_counter()
    settings, results = job.settings, []
    for member in range(settings.ensemble):
        budget = None
        if settings.max_seconds is not None:
            left = max(0.0, settings.max_seconds - (time.perf_counter() - start))
            budget = left / (settings.ensemble - member)
        result = read_result(job, member)
        if result is None or not result.complete:
            train_member(job, member, budget)
            result = read_result(job, member)
        if result is None:
            raise TrainingError(f"Member {member} of the ensemble has left no weights.")
        results.append(result)
    return results


def _write(predictor: Predictor, job: Job, out: Path, *, complete: bool) -> None:
    """Write model and pictures; the states go once everything else is there."""
    make_folder(out)
    predictor.save(out)
    if not draw(predictor, job.data, out, job.settings.accelerator):
        job.progress.message("There are no pictures, as matplotlib is not installed.")
    if complete:
        close_run(job.folder)
