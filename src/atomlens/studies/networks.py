"""One question to many networks: trained models and their controls, on the same graphs."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from atomlens.errors import Failure, StudyError
from atomlens.graphs import GraphStore
from atomlens.predictor import Predictor
from atomlens.predictor.inference import RawOutputs, model_outputs
from atomlens.predictor.inputs import Inputs, build_graphs, gather
from atomlens.structures.arrays import StructureArrays
from atomlens.studies.base import Progress, StudyInput, no_progress
from atomlens.studies.controls import named_controls

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attention:
    """Readout attention of the atoms of many structures, averaged over an ensemble."""

    scores: tuple[Values, ...]
    """(n_atoms,) for each structure that could be used; adds up to one."""
    values: Values
    """(n_kept, n_targets) predictions, in the targets' units."""
    kept: NDArray[np.int64]
    """(n_kept,) rows of the structures that could be used."""
    failures: tuple[Failure, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """Graphs of structures, for all networks that have the same graph builder."""

    inputs: Inputs
    store: GraphStore
    failures: tuple[Failure, ...]


Answer = TypeVar("Answer")
"""What a study asks a network for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkAnswers(Generic[Answer]):
    """What one trained model and its controls answered, on the same structures."""

    label: str
    """The model's targets; with a number if several models have the same."""
    predictor: Predictor
    trained: Answer
    controls: Mapping[str, tuple[Answer, ...]] = field(default_factory=dict)
    """Networks of each control, such as several untrained ones."""


Measured = NetworkAnswers[Attention]
"""The attention of one trained model and of its controls."""


def prepare(predictor: Predictor, structures: StructureArrays) -> Prepared:
    """Build the graphs of all structures that have one.

    Raises:
        StudyError: not one structure can be used.
    """
    inputs = predictor.usable(gather(structures))
    inputs, store = build_graphs(inputs, predictor.builder)
    if store is None:
        reason = f" The first reason: {inputs.failures[0].message}" if inputs.failures else ""
        raise StudyError(f"None of the {len(structures)} structures can be used.{reason}")
    return Prepared(inputs=inputs, store=store, failures=inputs.failures)


def attention_of(
    predictor: Predictor,
    structures: StructureArrays | Prepared,
    progress: Progress = no_progress,
) -> Attention:
    """Return attention and predictions of all structures that have a graph.

    Raises:
        StudyError: not one structure can be used.
    """
    if isinstance(structures, StructureArrays):
        structures = prepare(predictor, structures)
    inputs, store = structures.inputs, structures.store
    device = next(predictor.models[0].parameters()).device
    counts = store.node_counts.tolist()
    scores: list[Values] = []
    values: list[Values] = []
    for outputs in model_outputs(predictor.models, store, device=device, progress=progress):
        start = len(scores)
        stop = start + len(outputs[0].values)
        mean = torch.stack([o.node_attention for o in outputs]).double().mean(dim=0)
        scores += [part.cpu().numpy() for part in torch.split(mean, counts[start:stop])]
        chosen = inputs.structures.subset(np.arange(start, stop))
        values.append(predictor.estimate(RawOutputs.of(outputs), chosen).values)
    return Attention(
        scores=tuple(scores),
        values=np.concatenate(values),
        kept=inputs.places,
        failures=structures.failures,
    )


def graphs_of(structures: StructureArrays) -> Callable[[Predictor], Prepared]:
    """Return what gives a network the graphs of the structures, built once for each builder.

    The function raises a StudyError if not one structure can be used.
    """
    graphs: dict[tuple[object, ...], Prepared] = {}

    def of(predictor: Predictor) -> Prepared:
        key = (predictor.builder, predictor.config.n_elements)
        if key not in graphs:
            graphs[key] = prepare(predictor, structures)
        return graphs[key]

    return of


def measure(
    given: StudyInput,
    ask: Callable[[Predictor, Prepared, Progress], Answer],
    graphs: Callable[[Predictor], Prepared],
    names: Sequence[str] | None = None,
) -> tuple[NetworkAnswers[Answer], ...]:
    """Ask every model of a study, and its controls, the same question.

    Args:
        given: The models, and those trained on shuffled labels.
        ask: The question to one network, which tells its progress in structures.
        graphs: As `graphs_of` returns.
        names: What the models are called; by default after their targets.

    Raises:
        StudyError: not one structure can be used, or a control is none.
    """
    controls = [named_controls(model, given.shuffled) for model in given.models]
    n_networks = sum(1 + sum(map(len, networks.values())) for networks in controls)
    n_done = 0

    def answer(predictor: Predictor) -> Answer:
        nonlocal n_done
        prepared = graphs(predictor)
        n, before = len(prepared.store), n_done
        found = ask(
            predictor,
            prepared,
            lambda done, total: given.progress(before * n + done, n_networks * n),
        )
        n_done += 1
        given.progress(n_done * n, n_networks * n)
        return found

    return tuple(
        NetworkAnswers(
            label=label,
            predictor=model,
            trained=answer(model),
            controls={name: tuple(map(answer, networks)) for name, networks in of_model.items()},
        )
        for label, model, of_model in zip(
            names or labels(given.models), given.models, controls, strict=True
        )
    )


def measure_attention(given: StudyInput, structures: StructureArrays) -> tuple[Measured, ...]:
    """Return the attention of every model of a study and of its controls.

    Raises:
        StudyError: not one structure can be used, or a control is none.
    """
    return measure(given, attention_of, graphs_of(structures))


def labels(models: Sequence[Predictor]) -> tuple[str, ...]:
    """Return a name for each model: its targets, with a number where several share them."""
    return numbered([" + ".join(t.name for t in model.targets) for model in models])


def numbered(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names; those that stand several times with a number: ``homo (1)``."""
    return tuple(
        f"{name} ({names[:i].count(name) + 1})" if names.count(name) > 1 else name
        for i, name in enumerate(names)
    )


def by_target(predictors: Mapping[str, Predictor]) -> dict[str, list[str]]:
    """Return the labels of the models of each target, trainings of one kind of claim, in order.

    Args:
        predictors: By label.
    """
    found: dict[str, list[str]] = {}
    for label in sorted(predictors):
        name = " + ".join(t.name for t in predictors[label].targets)
        found.setdefault(name, []).append(label)
    return dict(sorted(found.items()))


def predicts(predictor: Predictor, word: str) -> bool:
    """Say whether a model has a single target whose name has this word, such as ``homo``.

    The gap between two orbitals is neither of them.
    """
    words = [re.split(r"[^a-z0-9]+", t.name.lower()) for t in predictor.targets]
    return len(words) == 1 and word in words[0] and "gap" not in words[0]
