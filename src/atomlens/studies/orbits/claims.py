"""Claims S2, S3, S4 and S10 about attention on symmetric structures.

A claim appears if its structure is among those given: it is known by formula and symmetry.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from atomlens.elements import SYMBOLS
from atomlens.elements.naming import chemical_formula
from atomlens.predictor import Predictor
from atomlens.studies.base import Claim, Part
from atomlens.studies.networks import by_target, predicts
from atomlens.studies.orbits.numbers import OrbitNumbers, Symmetric, spread
from atomlens.studies.verdicts import make_claim, of_training, trainings_beyond, trainings_part

_SIZES = {
    "C60": (60,),
    "C70": (10, 10, 10, 20, 20),
    "C72": (12, 12, 24, 24),
}
_SMALLEST_F = 10.0
_LARGEST_SPREAD = 0.05
_LARGEST_SPREAD_C60 = 0.02


_MOST_F = 1e12
"""A structure whose atoms of one orbit agree to the last bit has no larger F ratio than this."""
Number = Callable[[Sequence[OrbitNumbers]], float]
"""A number of one network from what it says about all structures of a kind."""


class _Models(NamedTuple):
    """Labels of the models that a claim speaks of; every one is a training."""

    homo: tuple[str, ...]
    lumo: tuple[str, ...]
    targets: Mapping[str, Sequence[str]]
    """All, by target."""

    @property
    def frontier(self) -> dict[str, tuple[str, ...]]:
        """HOMO and LUMO, as far as they are there."""
        found = {"HOMO": self.homo, "LUMO": self.lumo}
        return {name: labels for name, labels in found.items() if labels}


def all_claims(
    everything: Sequence[Symmetric], predictors: Mapping[str, Predictor]
) -> tuple[Claim, ...]:
    """Return the claims about the structures that are there.

    There is one structure of a kind, so the trainings are what is drawn.
    """
    models = _Models(
        tuple(label for label in sorted(predictors) if predicts(predictors[label], "homo")),
        tuple(label for label in sorted(predictors) if predicts(predictors[label], "lumo")),
        by_target(predictors),
    )
    found: dict[str, list[Symmetric]] = {}
    for one in everything:
        found.setdefault(recognised(one), []).append(one)
    claims = []
    for name, claim in (("C60", _c60), ("C70", _c70), ("C72", _c72), ("SmFe12", _smfe12)):
        if name in found:
            claims.append(claim(found[name], models))
    return tuple(claims)


def recognised(one: Symmetric) -> str:
    """Return C60, C70, C72 or SmFe12 for such a structure of the right symmetry, else nothing."""
    formula = chemical_formula(one.structure.atomic_numbers)
    if not one.structure.pbc.any() and _SIZES.get(formula) == tuple(sorted(one.sizes)):
        return formula
    numbers = one.structure.atomic_numbers.tolist()
    n_iron, n_samarium = numbers.count(26), numbers.count(62)
    is_smfe12 = n_iron == 12 * n_samarium and n_iron + n_samarium == len(numbers)
    return "SmFe12" if is_smfe12 and one.orbits.group == "I4/mmm" else ""


def _c60(structures: Sequence[Symmetric], models: _Models) -> Claim:
    parts = [
        _part(f"{name} spread", structures, labels, _worst, limit=_LARGEST_SPREAD_C60, above=False)
        for name, labels in models.frontier.items()
    ]
    return _claim(
        "S2",
        "C60: all atoms have the same attention for HOMO and LUMO.",
        "(highest - lowest) / mean < 2 %",
        parts,
        models,
        chance="certain: symmetry gives all 60 atoms one attention in every network",
    )


def _c70(structures: Sequence[Symmetric], models: _Models) -> Claim:
    parts = _symmetry_parts(structures, models)
    if models.homo:
        parts.append(
            _part(
                "HOMO, 10-ring below the next orbit",
                structures,
                models.homo,
                lambda found: min(
                    _next_above_ring(n, equator(s)) for n, s in zip(found, structures, strict=True)
                ),
            )
        )
    return _claim(
        "S3",
        "C70: attention follows D5h; for the HOMO it is lowest on the 10-ring.",
        "spread inside orbits < 5 %, F ratio between orbits > 10; the 10-ring lowest for the HOMO",
        parts,
        models,
        needs_lumo=False,
        chance="spread and F are met by every network, as symmetry wants it; one of five orbits is "
        "the lowest: 1 in 5",
        words=[f"{label}: {_orbit_means(structures[0], label)}" for label in models.homo],
    )


def _c72(structures: Sequence[Symmetric], models: _Models) -> Claim:
    parts = _symmetry_parts(structures, models)
    for name, above in (("HOMO", False), ("LUMO", True)):
        if name in models.frontier:
            ring = _ring_number(structures, min if above else max)
            labels = models.frontier[name]
            parts.append(_part(f"{name}, ring minus caps", structures, labels, ring, above=above))
    return _claim(
        "S4",
        "C72: attention follows six-fold symmetry; for the LUMO it is high on the ring of 24 "
        "atoms, for the HOMO on the two caps.",
        "spread inside orbits < 5 %, F ratio between orbits > 10; ring minus caps has opposite "
        "signs, positive for the LUMO",
        parts,
        models,
        chance="spread and F are met by every network, as symmetry wants it; both signs: 1 in 4",
    )


def _smfe12(structures: Sequence[Symmetric], models: _Models) -> Claim:
    def iron(found: Sequence[OrbitNumbers]) -> float:
        return max(
            spread(n.scores[s.structure.atomic_numbers == 26])
            for n, s in zip(found, structures, strict=True)
        )

    parts = [
        _part(
            f"{target}, spread of iron",
            structures,
            tuple(labels),
            iron,
            limit=_LARGEST_SPREAD,
            above=False,
        )
        for target, labels in models.targets.items()
    ]
    words = [
        f"{label}: inside a site {worst:.1e}, means "
        + ", ".join(_site_means(structures[0], structures[0].networks[label]["trained"][0]))
        for labels in models.targets.values()
        for label in labels
        for worst in [max(s.mean(label, "trained", "within") for s in structures)]
    ]
    return make_claim(
        "S10",
        "SmFe12: all iron sites have the same attention.",
        "(highest - lowest) / mean over the iron atoms of all three sites < 5 %",
        [of_training(_trainings(models.targets), parts)],
        chance="a network that tells no sites apart meets it; the controls say how often",
        words=words,
        counts=trainings_beyond(parts),
    )


def _claim(
    identifier: str,
    statement: str,
    criterion: str,
    parts: Sequence[Part],
    models: _Models,
    *,
    chance: str,
    needs_lumo: bool = True,
    words: Sequence[str] = (),
) -> Claim:
    """Return a claim about HOMO and LUMO; what is missing is said."""
    missing = [name for name in ("HOMO", "LUMO") if name not in models.frontier]
    reason = ""
    if missing and (len(missing) == 2 or "HOMO" in missing or needs_lumo):
        reason = f"no model of the {' and '.join(missing)} energy was given"
    return make_claim(
        identifier,
        statement,
        criterion,
        [of_training(_trainings(models.frontier), parts)] if parts else [],
        chance=chance,
        reason=reason,
        words=words,
        counts=trainings_beyond(parts) if parts else None,
    )


def _trainings(labels: Mapping[str, Sequence[str]]) -> str:
    return ", ".join(label for of_target in labels.values() for label in of_target)


def _part(
    name: str,
    structures: Sequence[Symmetric],
    labels: Sequence[str],
    number: Number,
    *,
    limit: float = 0.0,
    above: bool = True,
    learned: bool = True,
) -> Part:
    """Return a number in every training, and in every network of the controls, each once.

    Untrained networks of one shape and seed are one network, whatever they are a control of.
    """
    trained = [number([s.networks[label]["trained"][0] for s in structures]) for label in labels]
    controls: dict[str, set[float]] = {}
    for label in labels:
        for control, networks in structures[0].networks[label].items():
            if control != "trained":
                controls.setdefault(control, set()).update(
                    number([s.networks[label][control][i] for s in structures])
                    for i in range(len(networks))
                )
    return trainings_part(
        name,
        trained,
        {control: sorted(values) for control, values in controls.items()},
        limit=limit,
        above=above,
        learned=learned,
    )


def _symmetry_parts(structures: Sequence[Symmetric], models: _Models) -> list[Part]:
    """Return what symmetry forces: small spreads inside orbits, a large F ratio between them."""
    parts = []
    for name, labels in models.frontier.items():
        parts += [
            _part(
                f"{name} spread",
                structures,
                labels,
                _worst,
                limit=_LARGEST_SPREAD,
                above=False,
                learned=False,
            ),
            _part(
                f"{name} log10 F",
                structures,
                labels,
                _smallest_log_f,
                limit=math.log10(_SMALLEST_F),
                learned=False,
            ),
        ]
    return parts


def _smallest_log_f(found: Sequence[OrbitNumbers]) -> float:
    """Return log10 of the smallest F ratio.

    F ratios of trainings differ by powers of ten: Student's interval of the ratios themselves
    would reach below 0, and no claim with one could hold.
    """
    return min(math.log10(min(max(n.f_ratio, 1 / _MOST_F), _MOST_F)) for n in found)


def _worst(found: Sequence[OrbitNumbers]) -> float:
    return max(n.within for n in found)


def _ring_number(structures: Sequence[Symmetric], worst: Callable[[list[float]], float]) -> Number:
    def number(found: Sequence[OrbitNumbers]) -> float:
        return worst([_ring_above(n, s) for n, s in zip(found, structures, strict=True)])

    return number


def _next_above_ring(numbers: OrbitNumbers, ring: int) -> float:
    """Return the lowest mean of the other orbits minus that of the ring."""
    return float(np.delete(numbers.means, ring).min() - numbers.means[ring])


def _ring_above(numbers: OrbitNumbers, one: Symmetric) -> float:
    ring = one.orbits.labels == equator(one)
    return float(numbers.scores[ring].mean() - numbers.scores[~ring].mean())


def equator(one: Symmetric) -> int:
    """Return the orbit nearest to the plane through the centre, perpendicular to the main axis."""
    heights = one.heights()
    return 0 if heights is None else int(heights.argmin())


def _orbit_means(one: Symmetric, label: str) -> str:
    means = one.networks[label]["trained"][0].means
    return ", ".join(f"{one.orbit_label(o)} {means[o]:.3f}" for o in one.order())


def _site_means(one: Symmetric, numbers: OrbitNumbers) -> list[str]:
    return [
        f"{SYMBOLS[one.structure.atomic_numbers[atoms[0]]]} {one.orbits.wyckoff[atoms[0]]} "
        f"{numbers.scores[atoms].mean():.3f}"
        for atoms in one.orbits
    ]
