"""Claim F10: the candidates that the paper lists among the compounds of the Materials Project."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from atomlens.predictor import Predictor
from atomlens.screening.enz.candidates import keys_of_names
from atomlens.screening.enz.members import Judge
from atomlens.screening.enz.numbers import Criteria, Pair, mean_and_std, spectral_range
from atomlens.screening.enz.ranking import Candidate
from atomlens.studies.base import Claim
from atomlens.studies.verdicts import make_claim, of_training, trainings_part

NAMED = ("Mg2V2O7", "Ca2V2O7", "CaV2P2O9", "NaCr2FeO8")
"""Candidates that the paper names."""
_NEAR_INFRARED = ("CaV2P2O9", "NaCr2FeO8")
_LEAST_SHARE, _LARGEST_SHARE = 0.10, 0.18
"""Of the candidates with V and O; the paper's is 49 of 353, 14 %."""
_DATA = "jarvis"
_LEAST_FOUND = 0.75
"""Of the named compounds in a member; all four are more, three are not."""
_NEEDED = ("shuffled labels",)
"""Untrained networks predict no spectrum with a zero that could be counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Screened:
    """What a screening found, as far as the claim is about it."""

    data: tuple[str, ...]
    """Names of the data that the models were trained on."""
    lowest: float
    """eV; where the models' spectra begin"""
    highest: float
    """eV; where they end"""
    n_judged: int
    n_candidates: int
    n_elements: int
    """Different elements in the candidates."""
    n_with_v_and_o: int
    ranges: Mapping[str, str]
    """Of the compounds that the paper names: spectral range of each that is a candidate, empty for
    one that was judged and is none."""
    of_members: tuple[float, ...] = ()
    """Share of the named compounds that pass, in each member that judges all of them."""

    @classmethod
    def of(
        cls,
        judged: Sequence[Candidate],
        passing: Sequence[Candidate],
        keys: Mapping[int, str],
        pairs: Mapping[Pair, int],
        judges: Sequence[Judge],
        models: Sequence[Predictor],
    ) -> "Screened":
        """Take what the claim is about from a screening; ``keys`` by row of the formulas."""
        named = {next(iter(keys_of_names([name])[0])): name for name in NAMED}
        candidates = {c.row for c in passing}
        return cls(
            data=tuple(sorted({m.record.data for m in models})),
            lowest=float(judges[0].energies[0]),
            highest=float(judges[0].energies[-1]),
            n_judged=len(judged),
            n_candidates=len(passing),
            n_elements=len({e for c in passing for e in c.elements}),
            n_with_v_and_o=pairs.get(("O", "V"), 0),
            ranges={
                named[keys[c.row]]: (
                    spectral_range(mean_and_std(c.energies)[0]) if c.row in candidates else ""
                )
                for c in judged
                if keys[c.row] in named
            },
            of_members=_of_members([c for c in judged if keys[c.row] in named]),
        )

    @property
    def untested(self) -> list[str]:
        """Why the claim cannot be tested with what was given; empty if it can."""
        limits, reasons = Criteria(), []
        if not all(_DATA in name.lower() for name in self.data):
            names = ", ".join(name or "unknown data" for name in self.data)
            reasons.append(f"the models were trained on {names}, not on JARVIS spectra")
        if self.lowest > limits.lowest or self.highest < limits.highest:
            reasons.append(
                f"their spectra run from {self.lowest:g} to {self.highest:g} eV, not over "
                f"{limits.lowest:g} to {limits.highest:g} eV"
            )
        missing = [name for name in NAMED if name not in self.ranges]
        if missing:
            reasons.append(f"not among the judged formulas: {', '.join(missing)}")
        return reasons

    @property
    def holds(self) -> bool:
        """Whether the named compounds are candidates, and V with O as frequent as in the paper."""
        share = self.n_with_v_and_o / self.n_candidates if self.n_candidates else 0.0
        return (
            all(self.ranges.get(name) for name in NAMED)
            and all(self.ranges[name] == "near infrared" for name in _NEAR_INFRARED)
            and _LEAST_SHARE <= share <= _LARGEST_SHARE
        )


def _of_members(named: Sequence[Candidate]) -> tuple[float, ...]:
    passed = [[c.criteria.passes(r.crossing, c.hull_energy) for r in c.readings] for c in named]
    return tuple(float(sum(member)) / len(NAMED) for member in zip(*passed, strict=False))


def papers_list(found: Screened, controls: Sequence[Screened] = ()) -> Claim:
    """Return claim F10 with what was found.

    It counts compounds of one list, so the members of the ensemble are what is drawn: the share of
    them in which all four named compounds pass.

    Args:
        found: By the trained models.
        controls: By models that were trained on shuffled labels, if given.
    """
    part = trainings_part(
        "share of the named compounds that a member finds",
        found.of_members,
        {"shuffled labels": [v for c in controls for v in c.of_members]} if controls else {},
        limit=_LEAST_FOUND,
    )
    judged = of_training("all members", [part], _NEEDED)
    if not found.holds:
        judged = replace(judged, verdict="fails")
    ranges = "".join(f"; {name}: {where or 'no'}" for name, where in found.ranges.items())
    reason = "not tested, since " + "; ".join(found.untested) if found.untested else ""
    share = found.n_candidates / found.n_judged if found.n_judged else 0.0
    return make_claim(
        "F10",
        "353 compounds of the Materials Project, with 80 elements, have a low-loss zero of the "
        "permittivity; V and O are together in 49, among them Mg2V2O7 and Ca2V2O7; CaV2P2O9 and "
        "NaCr2FeO8 have theirs in the near infrared.",
        "models of JARVIS spectra find all four, the last two in the near infrared, and V with O "
        f"in {_LEAST_SHARE:.0%} to {_LARGEST_SHARE:.0%} of the candidates",
        [judged],
        chance=f"{share:.2%} of what was judged is a candidate; all four by chance: {share**4:.0e}",
        reason=reason,
        words=[
            f"{found.n_candidates} candidates of {found.n_judged} formulas, {found.n_elements} "
            f"elements, {found.n_with_v_and_o} with V and O{ranges}"
        ],
        needed=_NEEDED,
    )
