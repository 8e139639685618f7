"""Many candidates through several models: filtered, ranked, in shards that a kill leaves whole."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, final

from atomlens.errors import SettingsError, unknown_name, warn
from atomlens.files import only_writer, place_of
from atomlens.predictor import Predictor
from atomlens.predictor.columns import named_targets
from atomlens.predictor.folder import SETTINGS, checksum_of
from atomlens.predictor.folder.box import model_place
from atomlens.predictor.inputs.pieces import carried_headers, pieces_of
from atomlens.predictor.inputs.rows import check_places_used
from atomlens.predictor.trained import suited_forms
from atomlens.printing import few, kind_of_object
from atomlens.progress import ProgressBar, shown
from atomlens.reports.tables import check_table, read_rows
from atomlens.screening.columns import ScreenColumns, model_labels
from atomlens.screening.expressions import parse
from atomlens.screening.jobs import ScreenJob
from atomlens.screening.measures import make_measure
from atomlens.screening.merging import DUPLICATES, FAILURES, RESULTS, Wish, write_results
from atomlens.screening.running import Done, run_here
from atomlens.screening.shards import (
    MANIFEST,
    SHARDS,
    Format,
    Shard,
    ShardStore,
    cut_shards,
    read_manifest,
    refuse_another,
    write_manifest,
)
from atomlens.settings import argument_given, by_option, check_settings, make_plain
from atomlens.structures.forms import N_MODELS, Disorder, DisorderChoice
from atomlens.structures.options import PLACES
from atomlens.version import __version__

SHARD_SIZE = 512
"""Structures of a shard."""

Progress = Callable[[int], None]
"""Called with the number of inputs done."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ScreenResult:
    """What came of a screening: tables in a folder, and how many rows they have."""

    folder: Path
    table: Path
    """Parquet or CSV: the structures that passed, the best first if an order was asked for"""
    counts: Mapping[str, int]
    """``inputs``, ``answered``, ``failed``, ``answered by some models only``, ``left out``,
    ``duplicates``, ``passed``, ``not the first`` (results that are not the first of their
    duplicates, since that one does not pass or comes later in the order) and ``results``"""
    n_reused: int
    """Shards that an earlier run had finished"""
    n_shards: int

    def rows(self) -> list[dict[str, Any]]:
        """Return the rows of the table; for long ones read it with a package for tables."""
        return read_rows(self.table)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScreenSettings:
    """A screening as it was asked for: what must be the same where it goes on."""

    models: tuple[str, ...]
    inputs: tuple[str, ...]
    where: str | None = None
    by: str | None = None
    top: int | None = None
    lowest: bool = False
    merge_duplicates: bool = True
    format: Format = "parquet"
    disorder: Disorder | None = None
    """None: as in the training data of the models, if these agree, else refused"""
    n_models: int = N_MODELS
    conformers: int = 1
    strict: bool = False
    reading: dict[str, Any] = field(default_factory=dict)
    batch_size: int | None = None
    device: str = "auto"
    shard_size: int = SHARD_SIZE
    measure: str | None = None
    """What is read off predicted spectra: ``enz``, the zero of the permittivity"""
    measure_settings: dict[str, Any] = field(default_factory=dict)
    targets: tuple[str, ...] = ()
    """Of models of several targets only these; all by default"""

    def check(self) -> None:
        """Raise a SettingsError for what cannot be."""
        if not self.models:
            raise SettingsError("A screening needs a model: name one or several first.")
        make_plain(self)
        check_settings(self, "screen: ")
        if not self.inputs:
            raise SettingsError(
                "There is nothing to screen: name files, folders, tables, SMILES or formulas "
                "behind the models."
            )
        if self.format not in ("parquet", "csv"):
            raise SettingsError(f"format {self.format!r}: results are written as parquet or csv.")
        for name in ("top", "shard_size", "batch_size"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise SettingsError(f"{name} must be 1 or more, got {value}.")
        if self.lowest and self.by is None:
            raise SettingsError(
                "`lowest` says which end comes first: name a column with --by (in Python by=...)."
            )
        if self.top is not None and self.by is None:
            raise SettingsError("`top` needs an order: name a column with `by`.")

    def to_dict(self) -> dict[str, Any]:
        """Return the settings for JSON."""
        names = [name for name in self.__slots__ if name != "models"]
        plain = {name: getattr(self, name) for name in names}
        lists = {"inputs": list(self.inputs), "targets": list(self.targets)}
        return {"models": list(self.models)} | plain | lists

    @classmethod
    def of_manifest(cls, folder: Path) -> "ScreenSettings":
        """Return the settings of a screening that was begun in a folder.

        Raises:
            SettingsError: there is none, or its manifest is damaged.
        """
        content = read_manifest(folder)
        if content is None:
            raise SettingsError(
                f"{folder}: there is no screening here that could go on; give the whole command, "
                "with models and inputs."
            )
        said = dict(content["settings"])
        try:
            given = {name: said[name] for name in cls.__slots__}
            given["models"] = tuple(one["model"] for one in said["models"])
            given["inputs"] = tuple(said["inputs"])
            given["targets"] = tuple(said["targets"])
            return cls(**given)
        except (KeyError, TypeError) as problem:
            raise SettingsError(
                f"{folder / MANIFEST}: this manifest is damaged; begin in another folder."
            ) from problem


@by_option(
    workers="n_workers",
    target="targets",
    ordered_models="n_models",
    keep_duplicates=(
        "merge_duplicates",
        lambda keep: not argument_given(keep, (bool,), "keep_duplicates"),
    ),
)
def screen(
    models: str | Path | Sequence[str | Path],
    inputs: str | Path | Sequence[str | Path],
    out: str | Path,
    *,
    n_workers: int = 0,
    ray: str | None = None,
    resume: bool = False,
    progress: Progress | bool | None = None,
    **settings: Any,
) -> ScreenResult:
    """Predict any number of candidates with several models, and keep those that pass.

    The folder holds ``results`` (Parquet or CSV), ``failures.csv``, ``duplicates.csv``, a manifest
    and ``shards/`` with every input. A screening that was killed goes on with the same arguments
    where it stopped, with the same result as if nothing had happened; memory does not grow with
    the number of candidates beyond their names and some bytes of each.

    Args:
        models: Folders of trained models, or names of models of the box.
        inputs: Files, folders, patterns, tables, SMILES or formulas.
        out: Folder for the results.
        n_workers: Processes that read and predict; 0: one a core, where that is worth it. The
            result does not depend on it.
        ray: Address of a Ray cluster (``auto``, ``local`` ...) that shares the file system; None
            for this machine alone.
        resume: Whether the folder may hold a screening with another ``where``, ``by``, ``lowest``
            or ``top``: what it predicted is kept, and the results are chosen anew among that.
        progress: True for a progress bar, or what is called with the number of inputs that are
            done.
        **settings: Fields of `ScreenSettings`: ``where="gap > 1"``, ``by``, ``top``, ``lowest``,
            ``merge_duplicates``, ``format``, ``disorder``, ``n_models``, ``conformers``,
            ``strict``, ``reading``, ``batch_size``, ``device``, ``shard_size``, ``measure``,
            ``targets``.

    Raises:
        SettingsError: an expression or setting is impossible, or the folder holds something else.
        ModelError: a model cannot be loaded.
        DatasetError: a column that an expression asks for as numbers can be read in two ways.
    """
    places = {name: settings.pop(name) for name in PLACES if name in settings}
    if places:
        said = {k: str(v) for k, v in places.items() if v is not None}
        settings["reading"] = {**settings.get("reading", {}), **said}
    known = [name for name in ScreenSettings.__slots__ if name not in ("models", "inputs")]
    for name in settings:
        if name not in known:
            raise SettingsError(f"screen: {unknown_name('argument', name, [*known, *PLACES])}")
    if isinstance(settings.get("targets"), str):
        settings["targets"] = (settings["targets"],)
    heard = shown(progress, "screening", "the number of inputs that are done")
    asked = ScreenSettings(models=_texts(models), inputs=_texts(inputs), **settings)
    try:
        return run_screening(
            asked, place_of(out), n_workers=n_workers, ray=ray, resume=resume, progress=heard
        )
    finally:
        if isinstance(heard, ProgressBar):  # it does not know the end by itself
            heard.close()


def _texts(given: Any) -> tuple[str, ...]:
    listed = given if isinstance(given, list | tuple) else [given]
    for one in listed:
        if not isinstance(one, str | Path):
            raise SettingsError(
                f"screen takes paths, SMILES and formulas, and got {kind_of_object(one)}; write "
                "structures to a file first, such as ase.io.write('candidates.extxyz', structures)."
            )
    return tuple(map(str, listed))


def run_screening(
    asked: ScreenSettings,
    folder: Path,
    *,
    n_workers: int,
    ray: str | None,
    resume: bool,
    progress: Progress | None,
) -> ScreenResult:
    """Begin a screening or go on with it; see `screen`.

    Raises:
        SettingsError: see `screen`; the folder cannot be written to, or another process writes it.
        ModelError: a model cannot be loaded.
    """
    asked.check()
    check_places_used(asked.inputs, asked.reading)
    check_table(
        folder / f"{RESULTS}.{asked.format}",
        'take the format csv (--format csv, in Python format="csv")',
    )
    plan = _plan_of(asked)
    run = _runner(ray, n_workers)
    store = ShardStore(folder, asked.format, plan.job.columns.kinds)
    try:
        with only_writer(folder / MANIFEST):
            _begin(folder, plan.manifest, choose_again=resume)
            n_shards, n_reused = _work(store, plan, asked, run, progress)
            counts = write_results(store, n_shards, plan.job.columns, plan.wish)
            write_manifest(folder, {**plan.manifest, "shards": n_shards, "counts": counts})
    except OSError as problem:
        raise SettingsError(
            f"{folder}: this cannot be written ({problem.strerror or problem}). What is finished "
            "is kept: make room or change the permissions, and give the same command again."
        ) from problem
    return ScreenResult(
        folder=folder,
        table=folder / f"{RESULTS}.{asked.format}",
        counts=counts,
        n_reused=n_reused,
        n_shards=n_shards,
    )


class _Plan(NamedTuple):
    """What a screening is going to do."""

    job: ScreenJob
    wish: Wish
    as_numbers: Collection[str]
    """Columns of the inputs that expressions ask for as numbers"""
    manifest: Mapping[str, Any]


def _plan_of(asked: ScreenSettings) -> _Plan:
    """Return what is going to happen; models are loaded, of inputs no more than headers.

    Raises:
        SettingsError: settings contradict each other, the models or the columns of the inputs.
        ModelError: a model cannot be loaded.
    """
    labels = model_labels(asked.models)
    models = {label: Predictor.load(one) for label, one in zip(labels, asked.models, strict=True)}
    choice = DisorderChoice.asked(asked.disorder, asked.n_models, asked.conformers)
    forms = suited_forms(tuple(models.values()), choice)
    _tell_idle_speed(asked, models.values())
    measure = None if asked.measure is None else make_measure(asked.measure, asked.measure_settings)
    if measure is not None:
        measure.check(tuple(models.values()))
    elif asked.measure_settings:
        raise SettingsError(
            "Settings of a measure belong to one; name it with --measure (in Python measure=...)."
        )
    targets = _wanted_targets(models, asked.targets)
    has_forms = forms.how == "enumerate" or forms.conformers > 1
    columns = ScreenColumns.of(
        models,
        carried_headers(asked.inputs, asked.reading),
        has_forms=has_forms,
        has_choices=has_forms or forms.how != "refuse",
        has_fine=asked.merge_duplicates,
        targets=targets,
        measured=None if measure is None else measure.columns,
    )
    kinds = columns.kinds
    where = None if asked.where is None else parse(asked.where, kinds, kinds=kinds)
    by = None if asked.by is None else parse(asked.by, kinds, "--by")
    of_models = {name for own in columns.of_models for name in own.values()}
    wish = Wish(
        where=where,
        by=by,
        top=asked.top,
        lowest=asked.lowest,
        merge=asked.merge_duplicates,
        forms=forms,
        rounded=by is not None and by.names <= of_models,
    )
    as_numbers = {header for header, name in columns.carried.items() if name in wish.as_numbers}
    job = ScreenJob(
        models=tuple(
            (label, str(model_place(one).absolute()))
            for label, one in zip(labels, asked.models, strict=True)
        ),
        columns=columns,
        forms=forms,
        strict=asked.strict,
        batch_size=asked.batch_size,
        device=asked.device,
        measure=measure,
        targets=targets,
    )
    manifest = {
        "format": "atomlens-screening-1",
        "atomlens": __version__,
        "settings": {
            **asked.to_dict(),
            "models": [_identity(*one) for one in zip(asked.models, labels, strict=True)],
        },
        "columns": columns.described(),
    }
    return _Plan(job, wish, as_numbers, manifest)


def _tell_idle_speed(asked: ScreenSettings, models: Iterable[Predictor]) -> None:
    """Warn of options of speed that change nothing, as none of the models is a network."""
    if any(model.models[0].learns_in_steps for model in models):
        return
    given = {"batch_size": asked.batch_size, "device": asked.device}
    idle = [f"{name} {value}" for name, value in given.items() if value not in (None, "auto")]
    if idle:
        warn(f"{' and '.join(idle)}: no model is a network, so this makes nothing faster")


def _wanted_targets(
    models: Mapping[str, Predictor], given: Sequence[str]
) -> tuple[str, ...] | None:
    """Return the targets that were asked for; None: all.

    Raises:
        SettingsError: there is no such target, or a model has none of them.
    """
    if not given:
        return None
    known = tuple(dict.fromkeys(t.name for model in models.values() for t in model.targets))
    wanted = named_targets(given, known, "these models")
    for label, model in models.items():
        own = [t.name for t in model.targets]
        if not set(own) & set(wanted):
            raise SettingsError(
                f"target: the model {label} has none of {few(wanted)}; leave the model "
                f"out, or name one of its own as well ({few(own)})."
            )
    return wanted


def _identity(given: str, label: str) -> dict[str, str]:
    """Return what tells a model from another one: its settings name the digest of its weights."""
    content = (model_place(given) / SETTINGS).read_bytes()
    return {"model": given, "label": label, "sha256": checksum_of(content)}


def _begin(folder: Path, manifest: Mapping[str, Any], *, choose_again: bool) -> None:
    """Put the manifest into an empty folder, or see that the one there is the same.

    With ``choose_again`` it may ask for other ones among the same predictions, and is replaced.

    Raises:
        SettingsError: the folder holds something else.
    """
    before = read_manifest(folder)
    if before is None:
        ours = {MANIFEST, SHARDS, f"{RESULTS}.parquet", f"{RESULTS}.csv", FAILURES, DUPLICATES}
        others = [p.name for p in folder.iterdir() if not p.name.startswith(".")]
        if others and not set(others) <= ours:
            raise SettingsError(
                f"{folder}: something else is in this folder ({sorted(others)[0]}); give an empty "
                "or new one."
            )
        write_manifest(folder, manifest)
        return
    same = {"atomlens": manifest["atomlens"], **manifest["settings"]}
    old = {"atomlens": before.get("atomlens"), **before["settings"]}
    refuse_another(folder, old, same, choose_again=choose_again)
    if old != same:
        write_manifest(folder, manifest)


def _work(
    store: ShardStore,
    plan: _Plan,
    asked: ScreenSettings,
    run: Callable[[ScreenJob, Iterator[Shard]], Iterator[Done]],
    progress: Progress | None,
) -> tuple[int, int]:
    """Work off the shards that are not there yet; return how many there are, and how many were."""
    n_shards = n_reused = n_done = 0

    def missing() -> Iterator[Shard]:
        nonlocal n_shards, n_reused, n_done
        pieces = pieces_of(asked.inputs, asked.reading, [store.folder], plan.as_numbers)
        for shard in cut_shards(pieces, asked.shard_size):
            n_shards = shard.number + 1
            if store.mark(shard.number) != shard.mark:
                yield shard
                continue
            n_reused += 1
            n_done += shard.n
            if progress is not None:
                progress(n_done)

    for shard, rows in run(plan.job, missing()):
        store.write(shard, rows)
        n_done += shard.n
        if progress is not None:
            progress(n_done)
    store.forget_from(n_shards)
    return n_shards, n_reused


def _runner(
    ray: str | None, n_workers: int
) -> Callable[[ScreenJob, Iterator[Shard]], Iterator[Done]]:
    if ray is None:
        return partial(run_here, n_workers=n_workers)
    from atomlens.screening.on_ray import run_on_ray

    return partial(run_on_ray, address=ray, n_workers=n_workers)
