"""One answer for a structure of several forms: ordered models of a crystal, conformers."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from atomlens.datasets.base import Dataset
from atomlens.datasets.splits import first_forms
from atomlens.elements.naming import amounts_in, formula_of
from atomlens.predictor.prediction import Prediction
from atomlens.structures.arrays import StructureArrays
from atomlens.structures.doubts import Doubts, as_doubt
from atomlens.structures.forms import name_of_forms, said_of_models
from atomlens.targets import value_slices


def one_row_each(
    prediction: Prediction,
    models: Sequence[int],
    is_conformer: Sequence[bool] = (),
    whole_formulas: Sequence[str] = (),
) -> Prediction:
    """Return a prediction with one row for the forms of each structure.

    The value is the mean over the models, the probabilities of classes too; the standard
    deviation holds the spread between the models, which is a column of its own as well. The
    formula is that of the crystal, the number of atoms the mean in whole atoms, and a row is as
    unlike the training data as the model that is most.

    Args:
        prediction: One row a model.
        models: By row: which form of its structure it is, counted from 0; -1 for others.
        is_conformer: By row: whether that is a conformer; by default none is.
        whole_formulas: By row: formula of the crystal that an ordered model is of. By default the
            row has that of the first of them.
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
    formulas = [p.formulas[i] for i in first]
    doubts = [p.doubts[i] for i in first]
    n_atoms = np.array(p.n_atoms[first])
    unlike = None if p.unlike is None else np.array(p.unlike[first])
    seen = [p.seen[i] for i in first] if p.seen else []
    places = list(zip(p.targets, value_slices(p.targets), strict=True))
    for k, (group, own) in enumerate(zip(groups, rows, strict=True)):
        if models[group[0]] < 0:
            continue
        names[k] = name_of_forms([p.names[i] for i in group])
        conformers = bool(is_conformer and is_conformer[group[0]])
        (shapes if conformers else counts)[k] = len(own)
        if p.errors[own[0]]:
            continue
        if whole_formulas and whole_formulas[own[0]]:
            formulas[k] = whole_formulas[own[0]]
        n_atoms[k] = round(float(p.n_atoms[own].mean()))
        if unlike is not None and p.unlike is not None:
            unlike[k] = _most(p.unlike[own])
        if seen:
            seen[k] = next((p.seen[i] for i in own if p.seen[i]), "")
        values[k] = p.values[own].mean(axis=0)
        spread[k] = p.values[own].std(axis=0)
        std[k] = np.sqrt((p.std[own] ** 2).mean(axis=0) + spread[k] ** 2)
        low[k] = p.interval_low[own].mean(axis=0) - spread[k]
        high[k] = p.interval_high[own].mean(axis=0) + spread[k]
        for index, (target, place) in enumerate(places):
            if target.nonnegative:
                low[k, place] = np.maximum(low[k, place], 0.0)
            given, mean = p.probabilities[index], shares[index]
            if given is not None and mean is not None:
                mean[k] = given[own].mean(axis=0)
                values[k, place] = int(mean[k].argmax())
                spread[k, place] = np.nan
        doubts[k] = _words(p, own, conformers)
    return replace(
        p,
        names=tuple(names),
        formulas=tuple(formulas),
        n_atoms=n_atoms,
        values=values,
        std=std,
        interval_low=low,
        interval_high=high,
        probabilities=tuple(shares),
        errors=tuple(p.errors[i] for i in first),
        doubts=tuple(doubts),
        unlike=unlike,
        seen=tuple(seen),
        carried=tuple(p.carried[i] for i in first) if p.carried else (),
        sources=tuple(p.sources[i] for i in first) if p.sources else (),
        index=None if p.index is None else p.index.take(first),
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
    formulas = [
        formula
        for start, n in zip(firsts.tolist(), runs, strict=True)
        for formula in [_mean_formula(dataset.structures, start, n)] * n
    ]
    return one_row_each(prediction, forms, conformers, formulas), true[firsts]


def _mean_formula(structures: StructureArrays, start: int, n: int) -> str:
    """Return what n structures, one after the other, hold on average."""
    numbers = structures.atomic_numbers[structures.offsets[start] : structures.offsets[start + n]]
    return formula_of(amounts_in(numbers, np.full(len(numbers), 1 / n)))


def _usable(prediction: Prediction, group: list[int]) -> list[int]:
    """Return the models with numbers, or the first if none has."""
    return [i for i in group if not prediction.errors[i]] or group[:1]


def _most(shares: NDArray[np.float64]) -> float:
    known = shares[np.isfinite(shares)]
    return float(known.max()) if len(known) else float("nan")


def _words(p: Prediction, rows: list[int], conformers: bool) -> Doubts:
    """Return what is said of some of the forms, and of how many of them if not of all."""
    kind = "conformers" if conformers else "ordered models"
    n = len(rows)
    mean = [] if conformers else [f"the mean of {n} ordered model{'s' if n > 1 else ''}"]
    of_reader = [[said_of_models(text) for text in p.doubts[i].of_reader] for i in rows]
    return Doubts(
        of_reader=(*_counted(of_reader, kind), *mean),  # which was asked for
        of_model=tuple(_counted([p.doubts[i].of_model for i in rows], kind)),
    )


def _counted(said: Sequence[Sequence[str]], kind: str) -> list[str]:
    counts = Counter(text for one in said for text in dict.fromkeys(one))
    n = len(said)
    return [
        as_doubt(text).reworded(f"{text} (so for {c} of {n} {kind})") if c < n else text
        for text, c in counts.items()
    ]
