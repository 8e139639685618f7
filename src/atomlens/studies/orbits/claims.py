"""Claims S2, S3, S4 and S10 about attention on symmetric structures.

A claim appears if its structure is among those given: it is known by formula and symmetry.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from atomlens.elements import SYMBOLS
from atomlens.predictor import Predictor
from atomlens.structures.arrays import chemical_formula
from atomlens.studies.base import Claim, Verdict
from atomlens.studies.networks import predicts
from atomlens.studies.orbits.numbers import OrbitNumbers, Symmetric, spread

_SIZES = {
    "C60": (60,),
    "C70": (10, 10, 10, 20, 20),
    "C72": (12, 12, 24, 24),
}
_SMALLEST_F = 10.0
_LARGEST_SPREAD = 0.05
_LARGEST_SPREAD_C60 = 0.02


class _Models(NamedTuple):
    """Labels of the models that a claim speaks of."""

    homo: str | None
    lumo: str | None
    everything: tuple[str, ...]

    @property
    def frontier(self) -> tuple[str, ...]:
        """HOMO and LUMO, as far as they are there."""
        return tuple(label for label in (self.homo, self.lumo) if label is not None)

    @property
    def both(self) -> tuple[str, ...]:
        """HOMO and LUMO if both are there."""
        return self.frontier if len(self.frontier) == 2 else ()


def all_claims(
    everything: Sequence[Symmetric], predictors: Mapping[str, Predictor]
) -> tuple[Claim, ...]:
    """Return the claims about the structures that are there."""
    models = _Models(
        next((label for label, p in predictors.items() if predicts(p, "homo")), None),
        next((label for label, p in predictors.items() if predicts(p, "lumo")), None),
        tuple(predictors),
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
    worst = {label: _worst(structures, label, "trained") for label in models.frontier}
    return Claim(
        identifier="S2",
        statement="C60: all atoms have the same attention for HOMO and LUMO.",
        criterion="(highest - lowest) / mean < 2 %",
        verdict=_verdict(models.frontier, all(w < _LARGEST_SPREAD_C60 for w in worst.values())),
        evidence=_joined(
            *(f"{label} {w:.2e}" for label, w in worst.items()),
            *_control_spreads(structures, models.frontier),
            _needs(models),
        ),
    )


def _c70(structures: Sequence[Symmetric], models: _Models) -> Claim:
    follows, words = _follows_symmetry(structures, models.frontier)
    lowest, ring_words = True, ""
    if models.homo is not None:
        lowest = all(
            _ring_is_lowest(one, one.networks[models.homo]["trained"]) for one in structures
        )
        ring_words = "the 10-ring is " + ("lowest" if lowest else "not lowest") + " for the HOMO"
        one = structures[0]
        controls = [
            f"{sum(_ring_is_lowest(one, [n]) for n in networks)} of {len(networks)} {name}"
            for name, networks in one.networks[models.homo].items()
            if name != "trained"
        ]
        ring_words += f" ({_orbit_means(structures[0], models.homo)}"
        ring_words += "".join(f"; lowest in {words} networks" for words in controls) + ")"
    tested = models.frontier if models.homo is not None else ()
    return Claim(
        identifier="S3",
        statement="C70: attention follows D5h; for the HOMO it is lowest on the 10-ring.",
        criterion="spread inside orbits < 5 %, F ratio between orbits > 10; the 10-ring lowest "
        "for the HOMO",
        verdict=_verdict(tested, follows and lowest),
        evidence=_joined(words, ring_words, _needs(models)),
    )


def _c72(structures: Sequence[Symmetric], models: _Models) -> Claim:
    follows, words = _follows_symmetry(structures, models.frontier)
    opposite, ring_words = True, ""
    if models.homo is not None and models.lumo is not None:
        signs = []
        for one in structures:
            homo, lumo = (ring_minus_rest(one, label) for label in models.frontier)
            opposite &= bool(homo["trained"][0] * lumo["trained"][0] < 0 < lumo["trained"][0])
            signs.append(f"HOMO {_differences(homo)}; LUMO {_differences(lumo)}")
        ring_words = "ring minus caps, in mean attention: " + signs[0]
    return Claim(
        identifier="S4",
        statement="C72: attention follows six-fold symmetry; for the LUMO it is high on the ring "
        "of 24 atoms, for the HOMO on the two caps.",
        criterion="spread inside orbits < 5 %, F ratio between orbits > 10; ring minus caps has "
        "opposite signs, positive for the LUMO",
        verdict=_verdict(models.both, follows and opposite),
        evidence=_joined(words, ring_words, _needs(models)),
    )


def _smfe12(structures: Sequence[Symmetric], models: _Models) -> Claim:
    worst, words = 0.0, []
    for label in models.everything:
        for network, found in structures[0].networks[label].items():
            values = [
                spread(n.scores[s.structure.atomic_numbers == 26])
                for s in structures
                for n in (s.networks[label][network])
            ]
            value = max(values) if network == "trained" else float(np.mean(values))
            worst = max(worst, value) if network == "trained" else worst
            words.append(f"{label} {network} {value:.2%}")
            if network == "trained":
                sites = ", ".join(_site_means(structures[0], found[0]))
                inside = max(s.mean(label, network, "within") for s in structures)
                words[-1] += f" (inside a site {inside:.1e}; means: {sites})"
    return Claim(
        identifier="S10",
        statement="SmFe12: all iron sites have the same attention.",
        criterion="(highest - lowest) / mean over the iron atoms of all three sites < 5 %",
        verdict=_verdict(models.everything, worst < _LARGEST_SPREAD),
        evidence=_joined("spread of iron: " + "; ".join(words)),
    )


def ring_minus_rest(one: Symmetric, label: str) -> dict[str, list[float]]:
    """Return mean attention (times atoms) of the equatorial orbit minus that of the other atoms."""
    ring = one.orbits.labels == equator(one)
    return {
        name: [float(n.scores[ring].mean() - n.scores[~ring].mean()) for n in networks]
        for name, networks in one.networks[label].items()
    }


def equator(one: Symmetric) -> int:
    """Return the orbit nearest to the plane through the centre, perpendicular to the main axis."""
    heights = one.heights()
    return 0 if heights is None else int(heights.argmin())


def _ring_is_lowest(one: Symmetric, networks: Sequence[OrbitNumbers]) -> bool:
    means = np.mean([n.means for n in networks], axis=0)
    return int(means.argmin()) == equator(one)


def _follows_symmetry(structures: Sequence[Symmetric], labels: Sequence[str]) -> tuple[bool, str]:
    """Say whether spread and F ratio are as they must be, with the numbers."""
    follows, words = True, []
    for label in labels:
        for name in structures[0].networks[label]:
            inside = _worst(structures, label, name)
            f_ratio = min(s.mean(label, name, "f_ratio") for s in structures)
            words.append(f"{label} {name}: spread {inside:.1e}, F {f_ratio:.1e}")
            if name == "trained":
                follows &= inside < _LARGEST_SPREAD and f_ratio > _SMALLEST_F
    return follows, "; ".join(words)


def _worst(structures: Sequence[Symmetric], label: str, network: str) -> float:
    return max(s.mean(label, network, "within") for s in structures)


def _control_spreads(structures: Sequence[Symmetric], labels: Sequence[str]) -> list[str]:
    return [
        f"{label} {name} {_worst(structures, label, name):.2e}"
        + (" (also small: symmetry, not learning)" if name == "untrained" else "")
        for label in labels
        for name in structures[0].networks[label]
        if name != "trained"
    ]


def _orbit_means(one: Symmetric, label: str) -> str:
    means = one.networks[label]["trained"][0].means
    return ", ".join(f"{one.orbit_label(o)} {means[o]:.3f}" for o in one.order())


def _site_means(one: Symmetric, numbers: OrbitNumbers) -> list[str]:
    return [
        f"{SYMBOLS[one.structure.atomic_numbers[atoms[0]]]} {one.orbits.wyckoff[atoms[0]]} "
        f"{numbers.scores[atoms].mean():.3f}"
        for atoms in one.orbits
    ]


def _differences(by_network: Mapping[str, Sequence[float]]) -> str:
    return ", ".join(
        f"{name} {' '.join(f'{v:+.3f}' for v in values)}" for name, values in by_network.items()
    )


def _verdict(labels: Sequence[str], true: bool) -> Verdict:
    if not labels:
        return "not tested"
    return "holds" if true else "fails"


def _needs(models: _Models) -> str:
    missing = [n for n, label in (("HOMO", models.homo), ("LUMO", models.lumo)) if label is None]
    return f"no model of the {' and '.join(missing)} energy was given" if missing else ""


def _joined(*parts: str) -> str:
    return "; ".join(part for part in parts if part)
