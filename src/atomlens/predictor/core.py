"""A trained model in use: load, save, predict, embed, explain, evaluate."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, NamedTuple, final

import numpy as np
import torch
from numpy.typing import NDArray

from atomlens.datasets.base import Dataset
from atomlens.errors import AtomlensError, Failure, first_of, warn
from atomlens.explain import Explanation, Method
from atomlens.files import place_of
from atomlens.graphs import GraphStore
from atomlens.machine import choose_device
from atomlens.predictor.columns import named_targets
from atomlens.predictor.embedding import Embeddings, embed
from atomlens.predictor.evaluation import (
    about_figures,
    about_neighbors,
    means_of,
    score,
    unseen,
    without_coverage,
)
from atomlens.predictor.explaining import explain_one
from atomlens.predictor.folder.loading import load_trained
from atomlens.predictor.folder.saving import save
from atomlens.predictor.inference import StepProgress, check_batch_size, run_models
from atomlens.predictor.inputs import Inputs, build_graphs, gather, stream_inputs
from atomlens.predictor.inputs.rows import stream_rows
from atomlens.predictor.judged_data import evaluated_data, known_targets, matching_values
from atomlens.predictor.metrics import Metrics
from atomlens.predictor.ordered import mean_of_forms, one_row_each
from atomlens.predictor.prediction import Prediction
from atomlens.predictor.trained import TrainedModel
from atomlens.predictor.trust.doubts import tell_cut_shells, tell_doubts
from atomlens.predictor.trust.estimates import Estimates, spread_out
from atomlens.progress import shown
from atomlens.settings import by_option, names_given
from atomlens.structures.arrays import StructureArrays
from atomlens.structures.doubts import NO_DOUBTS
from atomlens.structures.forms import N_MODELS, Disorder, DisorderChoice
from atomlens.structures.options import ReadingOptions, check_places

_MANY = 64
"""Structures that are worth a thread of their own."""
_SeenIn = tuple[str, ...]


class Compared(NamedTuple):
    """Predictions beside the values of a data set."""

    prediction: Prediction
    """One row a sample, of the targets that the data have values of"""
    true: NDArray[np.float64]
    """(n, n_values)"""
    metrics: Metrics


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Predictor(TrainedModel):
    """A trained model, ready for use.

    Several ``models`` are an ensemble: the mean is predicted, their spread is the error
    estimate.
    """

    @classmethod
    def load(cls, path: str | Path) -> "Predictor":
        """Load a model folder. No code in it is executed, nothing is unpickled.

        Raises:
            ModelError: there is no model, or it is damaged or of a newer version.
        """
        trained = load_trained(path)
        return cls(**{f.name: getattr(trained, f.name) for f in fields(trained)})

    def save(self, path: str | Path) -> Path:
        """Write a model folder, whole or not at all; a model that stands there is replaced.

        Raises:
            ModelError: the folder holds something else.
        """
        return save(self, place_of(path))

    @by_option(workers="n_workers", ordered_models="n_models")
    def predict(
        self,
        structures: Any,
        *,
        target: str | Sequence[str] | None = None,
        disorder: Disorder | None = None,
        n_models: int = N_MODELS,
        conformers: int = 1,
        structure_column: str | None = None,
        name_column: str | None = None,
        structure_folder: str | Path | None = None,
        strict: bool = False,
        batch_size: int | None = None,
        n_workers: int = 0,
        device: str = "auto",
        progress: StepProgress | bool | None = None,
    ) -> Prediction:
        """Predict the properties of one or many structures.

        Args:
            structures: Atoms, pymatgen or rdkit objects, SMILES, formulas, paths, globs, tables
                (CSV, TSV, JSONL, Parquet, Excel, ``.smi``; one input a row), a DataFrame (of any of
                them in its columns), a `Dataset`, or any list, column or iterator of them.
            target: Only these targets; all by default.
            disorder: What to do with a disordered crystal: ``refuse`` it, take the ``majority``
                of each place or group, or ``enumerate`` ordered models, of which the row is
                the mean, with their spread. By default as the training data were read, or refuse.
            n_models: How many models ``enumerate`` makes at most.
            conformers: If more than 1: the row of a SMILES is the mean over so many shapes of the
                molecule at most, that of an mmCIF the mean over its models and that of an rdkit
                molecule the mean over its conformers, with their spread.
            structure_column: Column of a table with the structures.
            name_column: Column of a table with the names.
            structure_folder: Folder of the files that a table names.
            strict: A structure that is read with a warning is a failure.
            batch_size: At most so many structures at a time; by default as many as suits
                their sizes.
            n_workers: Processes that read files and SMILES, and threads that build graphs; 0: one
                a core, where that is worth it.
            device: ``auto``, ``cpu``, ``cuda`` ...
            progress: True for a progress bar, or what is called with the number of structures
                done and in all, first while neighbours are searched, then while the model runs.

        Returns:
            One row per input, in order; an input that failed keeps its place and its reason, and
            a warning counts them. Another counts answers to mistrust (``doubts``). The index of a
            Series or DataFrame is kept (see `Prediction.to_frame`).
        """
        heard: StepProgress | None = shown(progress, "predicting")
        check_batch_size(batch_size)
        wanted = self._named(target)
        forms = DisorderChoice.asked(disorder, n_models, conformers)
        reading = ReadingOptions(
            forms=forms,
            structure_column=structure_column,
            name_column=name_column,
            structure_folder=structure_folder,
            strict=strict,
            n_workers=n_workers,
        )
        inputs = gather(structures, self.suited(reading))
        inputs = self.usable(inputs)
        inputs, store = build_graphs(inputs, self.builder, n_workers=n_workers, progress=heard)
        found = None
        with self._seen_meanwhile(inputs.structures) as seen:
            if store is not None:
                inputs = self.with_surroundings(inputs, store)
                raw = run_models(
                    self.models_on(device),
                    store,
                    device=choose_device(device),
                    batch_size=batch_size,
                    progress=heard,
                    features=self.familiarity is not None,
                )
                found = self.estimate(raw, inputs.structures, inputs.beyond, seen())
        prediction = self._prediction(inputs, found, seen())
        if not isinstance(structures, Inputs):  # else the caller has read them, and tells
            tell_failed(prediction.failures, len(prediction))
            tell_doubts(prediction)
        return prediction.of_targets(wanted) if wanted else prediction

    def _named(self, target: str | Sequence[str] | None) -> tuple[str, ...]:
        """Return the targets that were named, in the order of the model; empty if none was."""
        known = [t.name for t in self.targets]
        wanted = named_targets(names_given(target, "target"), known, "this model")
        return tuple(name for name in known if name in wanted)

    @by_option(workers="n_workers", ordered_models="n_models")
    def predict_stream(
        self,
        structures: Any,
        reading: Mapping[str, Any] | None = None,
        *,
        disorder: Disorder | None = None,
        n_models: int = N_MODELS,
        conformers: int = 1,
        batch_size: int | None = None,
        n_workers: int = 0,
        device: str = "auto",
    ) -> Iterator[Prediction]:
        """Predict any number of structures, some hundred at a time, in constant memory.

        While the model runs on some, others are being read. What fails keeps its place; nobody
        is warned of it here.

        Args:
            structures: As in `predict`.
            reading: How tables are read: ``structure_column``, ``name_column``,
                ``structure_folder``.
            disorder: As in `predict`, as the arguments that follow.
            n_models: As in `predict`.
            conformers: As in `predict`.
            batch_size: As in `predict`.
            n_workers: As in `predict`.
            device: As in `predict`.

        Returns:
            The predictions part by part, in the order of the inputs. Which structures share a
            part depends on the inputs alone, so the numbers do not depend on ``n_workers``.
        """
        forms = DisorderChoice.asked(disorder, n_models, conformers)
        options = ReadingOptions(forms=forms, n_workers=n_workers, **check_places(reading or {}))
        for inputs in stream_inputs(structures, self.suited(options)):
            yield self.predict(inputs, batch_size=batch_size, n_workers=n_workers, device=device)

    def was_in(self, structures: StructureArrays, *parts: str) -> NDArray[np.bool_]:
        """(n,) whether each structure was in one of some parts of the model's training.

        By content, whatever it is called; by name for folders that hold no digests (0.1).
        """
        if self.record.samples is not None:
            return np.isin(self.seen_in(structures), parts)
        names = {name for part in parts for name in self.record.split.get(part, ())}
        return np.array([name in names for name in structures.names], dtype=np.bool_)

    def predict_rows(
        self,
        store: GraphStore,
        structures: StructureArrays,
        rows: NDArray[np.int64],
        *,
        device: torch.device | None = None,
    ) -> Prediction:
        """Predict some rows of structures whose graphs are at hand, in the same order.

        The models run on the device of the store, or on another ``device``.
        """
        device = store.node_offsets.device if device is None else device
        models = self.models_on(str(device))
        chosen = structures.subset(rows)
        raw = run_models(
            models, store, rows=rows, device=device, features=self.familiarity is not None
        )
        known = self.seen_in(chosen)
        found = self.estimate(raw, chosen, seen=known)
        return self._prediction(gather(chosen), found, known)

    @by_option()
    def embed(
        self, structures: Any, *, device: str = "auto", progress: StepProgress | bool | None = None
    ) -> Embeddings:
        """Return the vector that the model makes of each structure before it predicts.

        Of an ensemble the first member is taken: the vectors of others have other directions.

        Args:
            structures: As in `predict`.
            device: As in `predict`.
            progress: True for a progress bar, or what is called with the number of structures
                done and in all.

        Raises:
            ModelError: the model makes no such vector (``mean``, ``ridge``, ``rf-magpie``).
        """
        found = embed(self, structures, device=device, progress=shown(progress, "embedding"))
        if not isinstance(structures, Inputs):
            pairs = zip(found.names, found.errors, strict=True)
            tell_failed([Failure(name=n, message=e) for n, e in pairs if e], len(found.names))
        return found

    @by_option()
    def explain(
        self,
        structure: Any,
        *,
        method: Method | None = None,
        target: str | None = None,
        at: float | None = None,
        device: str = "auto",
    ) -> Explanation:
        """Score the atoms of one structure by their part in its prediction.

        Args:
            structure: Anything that `predict` takes and that is one structure.
            method: A key of ``EXPLAINERS``, or an `Explainer` of your own, its class or an
                instance; by default contribution, attention or occlusion, the first that the
                model has.
            target: Which property; the first by default.
            at: For a spectrum, the energy (or other point of the grid) whose value is explained;
                by default its mean over the grid.
            device: As in `predict`.

        Returns:
            Scores averaged over the members of an ensemble, with their spread.

        Raises:
            StructureError, GraphError: the structure cannot be used.
            ExplanationError: the input is not one structure.
            SettingsError: no such method, target or point of its grid.
        """
        one = explain_one(self, structure, method=method, target=target, at=at, device=device)
        tell_cut_shells(len(one.doubts.about("cut shell")))
        return one

    @by_option(workers="n_workers", ordered_models="n_models")
    def explain_many(
        self,
        structures: Any,
        *,
        method: Method | None = None,
        target: str | None = None,
        at: float | None = None,
        disorder: Disorder | None = None,
        n_models: int = N_MODELS,
        conformers: int = 1,
        structure_column: str | None = None,
        name_column: str | None = None,
        structure_folder: str | Path | None = None,
        strict: bool = False,
        device: str = "auto",
        n_workers: int = 0,
    ) -> Iterator[Explanation | Failure]:
        """Explain one input after the other; one that fails gives its `Failure` in its place.

        Others are read meanwhile, in ``n_workers`` processes (0: one a core, where that is worth
        it); any number of them fits into memory. The other arguments are those of `explain`, and of
        `predict` about reading.
        """
        rows: Iterator[tuple[Any, str]]
        if isinstance(structures, StructureArrays):
            rows = ((structures.subset([i]), "") for i in range(len(structures)))
        else:
            options = ReadingOptions(
                forms=DisorderChoice.asked(disorder, n_models, conformers),
                structure_column=structure_column,
                name_column=name_column,
                structure_folder=structure_folder,
                strict=strict,
                n_workers=n_workers,
            )
            found = stream_rows(structures, self.suited(options))
            rows = ((row.item, row.source) for together in found for row in together)
        n_cut = 0
        for item, source in rows:
            if isinstance(item, Failure):
                yield item
                continue
            try:
                one = explain_one(self, item, method=method, target=target, at=at, device=device)
                n_cut += len(one.doubts.about("cut shell"))
                yield replace(one, source=source)
            except AtomlensError as problem:
                name = gather(item).names[0]
                yield Failure(name=name, message=str(problem), source=source)
        tell_cut_shells(n_cut)

    @by_option(workers="n_workers")
    def evaluate(
        self,
        data: Any,
        *,
        target: str | Sequence[str] | None = None,
        part: str = "all",
        limit: int | None = None,
        batch_size: int | None = None,
        n_workers: int = 0,
        device: str = "auto",
        progress: StepProgress | bool | None = None,
        **options: Any,
    ) -> Metrics:
        """Compare predictions with the values of a data set.

        Errors are of all structures, error estimates are judged on those alone that the model has
        not learned from.

        Args:
            data: Anything that `load_dataset` takes: a path, a name, a DataFrame, a `Dataset`, a
                list of structures that hold their values ... It is read as the training data were.
            target: Which of the model's; by default those that the data have values of.
            part: ``train``, ``validation`` or ``test``: the samples that were in this part of the
                model's own training; by default ``all``.
            limit: At most so many samples.
            batch_size: As in `predict`.
            n_workers: As in `predict`.
            device: As in `predict`.
            progress: As in `predict`.
            **options: As for `load_dataset`; they go before those of the training.

        Returns:
            The errors of each target. What must be known to read them is warned of: samples that
            the model has learned from, targets without values, values in another unit ...

        Raises:
            DatasetError: the data have none of the targets, or one in another unit or with other
                classes.
            SettingsError: no such target or part.
        """
        targets = self._named(target)
        found = evaluated_data(self, data, targets=targets, part=part, limit=limit, options=options)
        for sentence in found.warnings:
            warn(sentence)
        prediction, true, metrics = self.compare(
            found.data,
            batch_size=batch_size,
            n_workers=n_workers,
            device=device,
            progress=progress,
        )
        tell_failed(prediction.failures, len(prediction))
        if len(prediction.failures) < len(prediction):
            for sentence in (
                *about_figures(self, metrics),
                *without_coverage(prediction, true),
                *about_neighbors(prediction),
            ):
                warn(sentence)
        return metrics

    def compare(
        self,
        data: Dataset,
        *,
        batch_size: int | None = None,
        n_workers: int = 0,
        device: str = "auto",
        progress: StepProgress | bool | None = None,
    ) -> Compared:
        """Predict a data set: the answers beside its values, and the errors; see `evaluate`.

        Raises:
            DatasetError: it has none of the targets, or one in another unit or with other classes.
        """
        targets = known_targets(self, data) or self.targets
        true = matching_values(data, targets)
        inputs = replace(gather(data.structures), index=data.index)
        inputs = replace(inputs, sources=data.sources) if data.sources else inputs
        prediction = self.predict(
            inputs, batch_size=batch_size, n_workers=n_workers, device=device, progress=progress
        )
        prediction = prediction.of_targets([t.name for t in targets])
        prediction, true = mean_of_forms(prediction, true, data)
        means, counts = means_of(self, targets), self.record.class_counts
        return Compared(prediction, true, score(unseen(prediction), true, means, counts))

    @contextmanager
    def _seen_meanwhile(self, structures: StructureArrays) -> Iterator[Callable[[], _SeenIn]]:
        """Give what returns `seen_in` of structures; of many a thread asks it beside the models."""
        if len(structures) < _MANY:
            known = self.seen_in(structures)
            yield lambda: known
            return
        with ThreadPoolExecutor(1, thread_name_prefix="atomlens-seen") as thread:
            yield thread.submit(self.seen_in, structures).result

    def _prediction(
        self, inputs: Inputs, found: Estimates | None, known: _SeenIn | None
    ) -> Prediction:
        """Put the estimates of the usable inputs in their places among all inputs.

        ``known`` is what `seen_in` says of them, if somebody has asked.
        """
        if found is not None:
            inputs, found = _only_numbers(inputs, found)
        n, places = len(inputs.names), inputs.places
        full = spread_out(found, places, n, self.targets)
        said, formulas = [NO_DOUBTS] * n, [""] * n
        n_atoms = np.zeros(n, dtype=np.int64)
        n_atoms[places] = inputs.structures.n_atoms
        if known is None or len(known) != len(inputs.structures):  # some had no answer
            known = self.seen_in(inputs.structures)
        doubts = self.doubts(inputs, found, known)
        shares = None
        if self.familiarity is not None:
            shares = np.full(n, np.nan) if full.unlike is None else full.unlike
        seen = [""] * n
        for index, place in enumerate(places.tolist()):
            formulas[place] = inputs.structures.formula(index)
            said[place] = doubts[index]
            seen[place] = known[index]
        rows = Prediction(
            names=inputs.names,
            formulas=tuple(formulas),
            n_atoms=n_atoms,
            targets=self.targets,
            values=full.values,
            std=full.std,
            std_source=self.std_source,
            interval_low=full.low,
            interval_high=full.high,
            probabilities=full.probabilities,
            errors=inputs.errors,
            doubts=tuple(said),
            unlike=shares,
            seen=tuple(seen),
            carried=inputs.carried,
            sources=inputs.sources,
            index=inputs.index,
            intervals=self.intervals,
            about_geometries=self.about_geometries(inputs.structures, known, found),
        )
        if not inputs.forms:
            return rows
        return one_row_each(rows, inputs.forms, inputs.is_conformer, inputs.whole_formulas)


def _only_numbers(inputs: Inputs, found: Estimates) -> tuple[Inputs, Estimates]:
    """Return the inputs whose answers are numbers; the others fail, with the reason."""
    sound = np.isfinite(found.values).all(axis=1) & ~np.isinf(found.std).any(axis=1)
    if sound.all():
        return inputs, found
    bad = np.flatnonzero(~sound).tolist()
    messages = [
        f"{inputs.structures.names[i]}: the model's answer is no number (NaN or infinite); the "
        "structure is too unlike its training data, or the model is damaged."
        for i in bad
    ]
    kept = replace(
        found,
        values=found.values[sound],
        std=found.std[sound],
        low=found.low[sound],
        high=found.high[sound],
        probabilities=tuple(None if p is None else p[sound] for p in found.probabilities),
        unlike=None if found.unlike is None else found.unlike[sound],
    )
    return inputs.without(bad, messages), kept


def tell_failed(failures: Sequence[Failure], n: int) -> None:
    """Warn of inputs without an answer, whether reading, graph or model failed."""
    if failures:
        warn(f"{len(failures)} of {n} inputs could not be used: {first_of(failures)}")


def load(path: str | Path) -> Predictor:
    """Load a model: one of the box by its name (``qm9``, ``mp``), or a folder.

    ``atomlens models list`` shows the box. No code in a folder is executed, nothing is unpickled.

    Args:
        path: The name, or the folder of a trained model.

    Raises:
        ModelError: there is no model, or it is damaged or of a newer version; the message
            names the file and says what to do.
    """
    return Predictor.load(path)
