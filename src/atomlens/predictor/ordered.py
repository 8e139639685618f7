"""One answer for a structure of several forms: ordered models of a crystal, conformers."""

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from atomlens.datasets.base import Dataset
from atomlens.datasets.splits import first_forms
from atomlens.predictor.prediction import Prediction
from atomlens.structures.arrays import NO_DOUBTS, Doubts
from atomlens.structures.disorder import name_of_forms
from atomlens.targets import Target, value_slices


def one_row_each(
    prediction: Prediction, models: Sequence[int], is_conformer: Sequence[bool] = ()
) -> Prediction:
    """Return a prediction with one row for the forms of each structure.

    The value is the mean over the models, the probabilities of classes too; the standard
    deviation holds the spread between the models, which is a column of its own as well.

    Args:
        prediction: One row a model.
        models: By row: which form of its structure it is, counted from 0; -1 for others.
        is_conformer: By row: whether that is a conformer; by default none is.
    """
    groups: list[list[int]] = []
    for row, number in enumerate(models):
        if number > 0 and groups and models[groups[-1][-1]] == number - 1:
            groups[-1].append(row)
        else:
            groups.append([row])
    if not any(models[g[0]] >= 0 for g in groups):
        return prediction
    rows = [_usable(prediction, group) for group in groups]
    first = [group[0] for group in rows]
    p = prediction
    values, std = np.array(p.values[first]), np.array(p.std[first])
    low, high = np.array(p.interval_low[first]), np.array(p.interval_high[first])
    spread = np.full_like(values, np.nan)
    shares = [None if given is None else np.array(given[first]) for given in p.probabilities]
    counts = np.zeros(len(groups), dtype=np.int64)
    shapes = np.zeros(len(groups), dtype=np.int64)
    names = [p.names[i] for i in first]
    doubts = [p.doubts[i] for i in first]
    places = list(zip(p.targets, value_slices(p.targets), strict=True))
    for k, (group, own) in enumerate(zip(groups, rows, strict=True)):
        if models[group[0]] < 0:
            continue
        names[k] = name_of_forms([p.names[i] for i in group])
        conformers = bool(is_conformer and is_conformer[group[0]])
        (shapes if conformers else counts)[k] = len(own)
        if p.errors[own[0]]:
            continue
        values[k] = p.values[own].mean(axis=0)
        spread[k] = p.values[own].std(axis=0)
        std[k] = np.sqrt((p.std[own] ** 2).mean(axis=0) + spread[k] ** 2)
        low[k] = p.interval_low[own].mean(axis=0) - spread[k]
        high[k] = p.interval_high[own].mean(axis=0) + spread[k]
        for index, (_, place) in enumerate(places):
            given, mean = p.probabilities[index], shares[index]
            if given is not None and mean is not None:
                mean[k] = given[own].mean(axis=0)
                values[k, place] = int(mean[k].argmax())
                spread[k, place] = np.nan
        if not conformers:
            doubts[k] = _words(p, own, spread[k], places)
    return replace(
        p,
        names=tuple(names),
        formulas=tuple(p.formulas[i] for i in first),
        n_atoms=p.n_atoms[first],
        values=values,
        std=std,
        interval_low=low,
        interval_high=high,
        probabilities=tuple(shares),
        errors=tuple(p.errors[i] for i in first),
        doubts=tuple(doubts),
        unlike=None if p.unlike is None else p.unlike[first],
        seen=tuple(p.seen[i] for i in first) if p.seen else (),
        carried=tuple(p.carried[i] for i in first) if p.carried else (),
        sources=tuple(p.sources[i] for i in first) if p.sources else (),
        spread=spread,
        ordered_models=counts if counts.any() else None,
        conformers=shapes if shapes.any() else None,
    )


def mean_of_forms(
    prediction: Prediction, true: NDArray[np.float64], dataset: Dataset
) -> tuple[Prediction, NDArray[np.float64]]:
    """Return predictions and true values with one row for the samples of each row of the source.

    Args:
        prediction: One row a sample.
        true: (n, n_values)
        dataset: The samples; forms of one structure stand one after the other.
    """
    firsts = first_forms(dataset.row_numbers)
    if firsts is None:
        return prediction, true
    runs = np.diff([*firsts.tolist(), len(dataset)]).tolist()
    forms = [i if n > 1 else -1 for n in runs for i in range(n)]
    conformers = [dataset.reading.get("disorder") != "enumerate"] * len(forms)
    return one_row_each(prediction, forms, conformers), true[firsts]


def _usable(prediction: Prediction, group: list[int]) -> list[int]:
    """Return the models with numbers, or the first if none has."""
    return [i for i in group if not prediction.errors[i]] or group[:1]


def _words(
    p: Prediction, rows: list[int], spread: NDArray[np.float64], places: list[tuple[Target, slice]]
) -> Doubts:
    parts = [
        f"{target.name} {float(spread[place.start]):.3g} {target.unit}".strip()
        for target, place in places
        if not target.is_spectrum and np.isfinite(spread[place.start])
    ]
    between = f"; they spread by {', '.join(parts)}" if parts else ""
    mean = f"the mean of {len(rows)} ordered models{between}"
    own = next((p.doubts[i] for i in rows if p.doubts[i]), NO_DOUBTS)
    read = [re.sub(r"ordered model \d+ of \d+", "ordered models", text) for text in own.of_reader]
    return Doubts(of_reader=tuple(read), of_model=(mean, *own.of_model))
