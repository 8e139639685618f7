"""Attention against deformation: numbers of one network, and what they say together."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from atomlens.predictor.measuring import spearman
from atomlens.reports.colours import all_equal
from atomlens.studies.base import Claim, Effect, Part, Row
from atomlens.studies.deformation.carbon_geometry import CarbonGeometry
from atomlens.studies.networks import Attention, Measured
from atomlens.studies.statistics import Values, bootstrap, mean_of_known, weighted_mean
from atomlens.studies.verdicts import drawn_part, make_claim, of_training

MEASURES = {"elongation": "Å", "pyramidalisation": "", "nearness": "Å"}
"""What attention is held against; the unit of pyramidalisation is Å or degrees."""
CORRELATION = "Spearman of attention and {}"
TOP = "{} of the top atoms above the mean"
_CLAIMS = {
    "S8": ("elongation", "Attention is high on carbons with elongated bonds."),
    "S9": ("pyramidalisation", "Attention is high on convex carbons."),
}


class Numbers(NamedTuple):
    """One network on all structures; NaN where all carbons have the same attention (within 1 %) or
    the same measure, as symmetry may have it."""

    correlations: Mapping[str, Values]
    """(n_structures,) by measure."""
    tops: Mapping[str, Values]
    """(n_structures,) by measure: mean of the atoms of highest attention minus mean of all."""


Trained = tuple[Numbers, Mapping[str, Sequence[Numbers]]]
"""A trained network and its controls."""


def measures_of(carbons: CarbonGeometry, kind: str) -> dict[str, Values]:
    """Return the measures of a structure, (n_carbons,) each; larger is more."""
    found = {
        "elongation": carbons.elongation,
        "pyramidalisation": carbons.angle if kind == "angle" else carbons.height,
    }
    if np.isfinite(carbons.distance).all():
        found["nearness"] = -carbons.distance
    return found


def numbers_of(
    attention: Attention,
    carbons: Mapping[int, CarbonGeometry],
    rows: Sequence[int],
    kind: str,
    share: float,
) -> Numbers:
    """Return correlations and tops of one network.

    Args:
        attention: Of all structures that the network can take.
        carbons: Geometry by row of the structures.
        rows: Structures that are used.
        kind: ``height`` or ``angle``.
        share: Of the carbons of a structure that count as the top.
    """
    place = {int(row): i for i, row in enumerate(attention.kept)}
    correlations = {name: np.full(len(rows), np.nan) for name in MEASURES}
    tops = {name: np.full(len(rows), np.nan) for name in MEASURES}
    for i, row in enumerate(rows):
        scores = attention.scores[place[row]][carbons[row].atoms]
        if all_equal(scores):
            continue
        n_top = max(round(share * len(scores)), 1)
        highest = np.argsort(-scores, kind="stable")[:n_top]
        for name, values in measures_of(carbons[row], kind).items():
            if np.ptp(values) > 1e-6:
                correlations[name][i] = spearman(scores, values)
                tops[name][i] = values[highest].mean() - values.mean()
    return Numbers(correlations, tops)


def effects_of(
    one: Measured,
    trained: Numbers,
    controls: Mapping[str, Sequence[Numbers]],
    units: Mapping[str, str],
    seed: int,
) -> list[Effect]:
    """Return mean correlations and tops of one model, with intervals over structures."""
    effects = []
    for name, unit in units.items():
        for title, own, others, scale in (
            (CORRELATION, trained.correlations, "correlations", ""),
            (TOP, trained.tops, "tops", unit),
        ):
            values = own[name][np.isfinite(own[name])]
            if not len(values):
                continue
            found = bootstrap(values, seed=seed)
            effects.append(
                Effect.within(
                    f"{one.label}: {title.format(name)}",
                    found,
                    n=len(values),
                    unit=scale,
                    meaning="mean over structures, which were resampled",
                    controls={
                        control: float(
                            np.mean([mean_of_known(getattr(n, others)[name]) for n in networks])
                        )
                        for control, networks in controls.items()
                    },
                )
            )
    return effects


def claims_of(trainings: Mapping[str, Mapping[str, Trained]], seed: int = 0) -> tuple[Claim, ...]:
    """Return claims S8 and S9 for each target.

    Args:
        trainings: Trained network and controls by target and label.
        seed: Decides the draws.
    """
    claims = []
    for target, models in trainings.items():
        suffix = f" ({target})" if len(trainings) > 1 else ""
        for identifier, (measure, statement) in _CLAIMS.items():
            judged = [
                of_training(label, _parts(measure, *found, seed)) for label, found in models.items()
            ]
            none = all(not np.isfinite(p.value) for one in judged for p in one.parts)
            claims.append(
                make_claim(
                    f"{identifier}{suffix}",
                    statement,
                    "mean Spearman above 0, and atoms of highest attention above the mean of all",
                    [] if none else judged,
                    chance="0 is the level of chance; so is that of a table by element and "
                    "neighbours, which gives all of these carbons the same attention",
                    reason=f"no structure has a spread of attention and of {measure}"
                    if none
                    else "",
                )
            )
    return tuple(claims)


def _parts(
    measure: str, trained: Numbers, controls: Mapping[str, Sequence[Numbers]], seed: int
) -> list[Part]:
    """Return both numbers of a measure over the structures where attention has a spread.

    A control that gives all carbons of a structure the same attention ranks nothing: 0.
    """
    parts = []
    for field, name in (("correlations", CORRELATION), ("tops", TOP)):
        own = getattr(trained, field)[measure]
        known = np.isfinite(own)
        parts.append(
            drawn_part(
                name.format(measure),
                weighted_mean(own[known]),
                {
                    control: [
                        weighted_mean(np.nan_to_num(getattr(n, field)[measure][known]))
                        for n in networks
                    ]
                    for control, networks in controls.items()
                },
                int(known.sum()),
                seed=seed,
            )
        )
    return parts


def structure_rows(label: str, names: Sequence[str], sizes: Sequence[int], n: Numbers) -> list[Row]:
    """Return a row for each structure of one model."""
    return [
        {
            "model": label,
            "structure": name,
            "n_carbons": size,
            **{f"spearman_{m}": n.correlations[m][i] for m in MEASURES},
            **{f"top_{m}": n.tops[m][i] for m in MEASURES},
        }
        for i, (name, size) in enumerate(zip(names, sizes, strict=True))
    ]
