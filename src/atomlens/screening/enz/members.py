"""The dielectric functions that the members of an ensemble predict, one by one."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from atomlens.errors import Failure, StudyError
from atomlens.graphs import GraphStore
from atomlens.machine import choose_device
from atomlens.predictor import Predictor
from atomlens.predictor.inference import run_models
from atomlens.predictor.inputs import build_graphs, gather, refuse_elements
from atomlens.predictor.trust.doubts import unseen_elements
from atomlens.printing import counted
from atomlens.screening.enz.candidates import keys_of_names
from atomlens.structures.arrays import StructureArrays
from atomlens.targets import Target, value_slices

Values = NDArray[np.float64]

_KNOWN_PARTS = ("train", "validation")
"""Parts of a model's split whose formulas it does not judge."""
_MOST_VALUES = 2**24
"""Predicted numbers that are held at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """One model of both parts of the dielectric function, or one model of each."""

    real: Predictor
    imaginary: Predictor
    """The same object as ``real`` if that model predicts both."""
    names: tuple[str, str]
    """Of their targets."""
    samples: frozenset[str]
    """Names of the samples that it was trained on, or chosen by."""
    known: frozenset[str]
    """Keys of those names that are formulas."""
    n_unknown: int
    """How many of those names are none."""

    @property
    def energies(self) -> Values:
        """(n_points,) grid of its spectra, eV."""
        return np.array(_target(self.real, self.names[0]).grid)

    @property
    def n_members(self) -> int:
        """Members of the ensemble."""
        return len(self.real.models)

    @property
    def chunk(self) -> int:
        """How many formulas to judge at a time."""
        return max(1, _MOST_VALUES // (2 * self.n_members * len(self.energies)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Spectra:
    """What the members of a judge say about some formulas."""

    rows: NDArray[np.int64]
    """(n_kept,) which of the given formulas could be used"""
    eps_re: Values
    """(n_members, n_kept, n_points)"""
    eps_im: Values
    """(n_members, n_kept, n_points)"""
    warnings: tuple[str, ...]
    """By kept formula: why it should be mistrusted; empty where nothing is known."""
    failures: tuple[Failure, ...]


def judges_of(models: Sequence[Predictor], real: str, imaginary: str) -> tuple[Judge, ...]:
    """Pair the models of the two parts, in the order given.

    Raises:
        StudyError: a part has no model, a model has neither, or two do not fit together.
    """
    pairs = [(m, m) for m in models if {real, imaginary} <= _spectra(m)]
    alone = [m for m in models if (m, m) not in pairs]
    parts = [[m for m in alone if name in _spectra(m)] for name in (real, imaginary)]
    for model in alone:
        if not {real, imaginary} & _spectra(model):
            raise StudyError(
                f"enz: a model of {', '.join(t.name for t in model.targets)} has neither {real!r} "
                f"nor {imaginary!r} as a spectrum; train one that has, or name its targets with "
                "--set real=NAME --set imaginary=NAME (in Python real= and imaginary=)."
            )
    if len(parts[0]) != len(parts[1]):
        raise StudyError(
            f"enz: {counted(len(parts[0]), 'model')} of {real!r} and {len(parts[1])} of "
            f"{imaginary!r} do not pair; give one of each, or models of both."
        )
    judges = tuple(
        _judge(first, second, (real, imaginary))
        for first, second in (*pairs, *zip(*parts, strict=True))
    )
    if any(not np.array_equal(j.energies, judges[0].energies) for j in judges):
        raise StudyError("enz: the models have different grids of energies; give models of one.")
    return judges


def _spectra(model: Predictor) -> set[str]:
    return {t.name for t in model.targets if t.is_spectrum}


def _target(model: Predictor, name: str) -> Target:
    return next(t for t in model.targets if t.name == name)


def _judge(first: Predictor, second: Predictor, names: tuple[str, str]) -> Judge:
    targets = [_target(m, name) for m, name in zip((first, second), names, strict=True)]
    for target in targets:
        if target.grid_unit != "eV":
            raise StudyError(
                f"enz: the grid of {target.name!r} is in {target.grid_unit!r}; the criteria need "
                "photon energies in eV."
            )
    if targets[0].grid != targets[1].grid:
        raise StudyError(f"enz: {names[0]!r} and {names[1]!r} have different grids of energies.")
    if len(first.models) != len(second.models):
        raise StudyError(
            f"enz: the ensemble of {names[0]!r} has {counted(len(first.models), 'member')} and "
            f"that of {names[1]!r} {len(second.models)}; train both with the same --ensemble "
            "(in Python ensemble)."
        )
    samples = frozenset(
        name for m in (first, second) for p in _KNOWN_PARTS for name in m.record.split.get(p, ())
    )
    known, n_unknown = keys_of_names(sorted(samples))
    return Judge(
        real=first,
        imaginary=second,
        names=names,
        samples=samples,
        known=known,
        n_unknown=n_unknown,
    )


def predict_members(judge: Judge, structures: StructureArrays) -> Spectra:
    """Return what every member says about formulas; those that cannot be used have a reason."""
    inputs = gather(structures)
    models = tuple(dict.fromkeys((judge.real, judge.imaginary)))
    for model in models:
        inputs = refuse_elements(inputs, model.models[0])
    found: dict[Predictor, tuple[NDArray[np.int64], Values]] = {}
    for model in models:
        inputs, store = build_graphs(inputs, model.builder)
        found[model] = inputs.places, _member_values(model, inputs.structures, store)
    real, imaginary = (  # what the second model's builder refused, the first has predicted
        found[model][1][:, np.isin(found[model][0], inputs.places), _columns(model, name)]
        for model, name in zip((judge.real, judge.imaginary), judge.names, strict=True)
    )
    return Spectra(
        rows=inputs.places,
        eps_re=real,
        eps_im=imaginary,
        warnings=unseen_elements(inputs.structures, judge.real.elements),
        failures=inputs.failures,
    )


def _member_values(
    model: Predictor, structures: StructureArrays, store: GraphStore | None
) -> Values:
    """(n_members, n_kept, n_values) in the targets' units."""
    if store is None:
        return np.zeros((len(model.models), 0, sum(t.n_values for t in model.targets)))
    raw = run_models(model.models_on("auto"), store, device=choose_device("auto"))
    members = (replace(raw, values=one[None], log_scale=None) for one in raw.values)
    return np.stack([model.estimate(one, structures).values for one in members])


def _columns(model: Predictor, name: str) -> slice:
    return value_slices(model.targets)[[t.name for t in model.targets].index(name)]
