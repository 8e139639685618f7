"""Claims about errors of trained models, on made-up errors."""

import numpy as np
import pytest

from atomlens.studies.accuracy import (
    LADDER,
    SIZES,
    Training,
    better_everywhere,
    ladder_claims,
    lowered,
    power_law_claim,
    slope_of,
)

LEARNED = tuple(np.concatenate([np.linspace(1.0, 0.2, 60), np.full(40, 0.21)]))
STILL_FALLING = tuple(np.linspace(1.0, 0.2, 100))


def ladder(falls: float, n: int = 5) -> dict[str, list[float]]:
    random = np.random.default_rng(0)
    return {
        rung: [1.0 - falls * i + 0.01 * random.normal() for _ in range(n)]
        for i, rung in enumerate(LADDER)
    }


def test_a_ladder_that_falls_with_every_rung_holds() -> None:
    first, second = ladder_claims(ladder(0.1), ladder(0.1))
    assert [(c.identifier, c.verdict) for c in (first, second)] == [
        ("A1", "holds"),
        ("A2", "holds"),
    ]
    assert len(first.judged[0].parts) == 5


@pytest.mark.parametrize(("falls", "verdicts"), [(0.0, ["fails"] * 2), (0.03, ["holds", "fails"])])
def test_a_ladder_within_the_noise_or_too_flat_fails(falls: float, verdicts: list[str]) -> None:
    assert [c.verdict for c in ladder_claims(ladder(falls), ladder(falls))] == verdicts


def test_one_split_and_a_missing_rung_decide_nothing() -> None:
    assert ladder_claims(ladder(0.1, 1), ladder(0.1, 1))[0].verdict == "not tested"
    without = {k: v for k, v in ladder(0.1).items() if k != "cgcnn-edge"}
    claim = ladder_claims(without, without)[0]
    assert claim.verdict == "not tested"
    assert "cgcnn-edge" in claim.evidence


def tasks(*differences: float) -> dict[str, dict[str, list[float]]]:
    random = np.random.default_rng(1)
    found = {}
    for i, difference in enumerate(differences):
        base = 1.0 + 0.3 * random.normal(size=4)  # splits differ more than the models
        own = base + difference + 0.01 * random.normal(size=4)
        found[f"task {i}"] = {"finder": own.tolist(), "roost": base.tolist()}
    return found


def test_a_model_is_better_everywhere_or_the_claim_fails() -> None:
    def verdict(*differences: float) -> str:
        return better_everywhere("F1", "x", tasks(*differences), "finder", ["roost"]).verdict

    assert verdict(-0.1, -0.2) == "holds"
    assert verdict(-0.1, 0.1) == "fails"
    assert verdict(-0.1, 0.0) == "fails"


def test_a_rival_that_was_not_trained_leaves_the_claim_untested() -> None:
    claim = better_everywhere("F1", "x", tasks(-0.1), "finder", ["roost", "rescnn"])
    assert claim.verdict == "not tested"
    assert "rescnn on task 0" in claim.evidence
    worse = better_everywhere("F1", "x", tasks(0.1), "finder", ["roost", "rescnn"])
    assert worse.verdict == "fails"


def test_a_saving_is_that_of_the_same_split() -> None:
    assert lowered("F3", "x", [0.3, 0.35, 0.32], [1.0, 1.1, 0.98], 0.6).verdict == "holds"
    assert lowered("F3", "x", [0.5, 0.55, 0.52], [1.0, 1.1, 0.98], 0.6).verdict == "fails"


def curve(slope: float, n_seeds: int = 3, validation: tuple[float, ...] = LEARNED, noise=0.01):
    random = np.random.default_rng(2)
    return [
        Training(
            n_train=n,
            error=float(0.9 * n**slope * np.exp(noise * random.normal())),
            validation=validation,
        )
        for n in (1_000, 2_000, 5_000, 10_000, 20_000)
        for _ in range(n_seeds)
    ]


@pytest.mark.parametrize(
    ("slope", "verdict"), [(-0.21, "holds"), (-0.18, "fails"), (-0.30, "fails")]
)
def test_the_published_slope_is_told_from_others(slope: float, verdict: str) -> None:
    assert power_law_claim(curve(slope)).verdict == verdict


def test_an_interval_that_reaches_the_rivals_slope_fails() -> None:
    assert power_law_claim(curve(-0.194, noise=0.15)).verdict == "fails"


def test_unequal_convergence_or_single_seeds_are_not_tested() -> None:
    few = power_law_claim(curve(-0.21, n_seeds=1))
    assert few.verdict == "not tested"
    assert "1 of 1,000" in few.evidence
    early = power_law_claim(curve(-0.21)[:-1] + curve(-0.21, validation=STILL_FALLING)[-1:])
    assert early.verdict == "not tested"
    assert "not converged: trainings with 20,000 formulas" in early.evidence


def test_the_range_is_stated_beforehand() -> None:
    outside = [Training(n_train=100, error=5.0, validation=LEARNED)] * 3
    with_outside, without = (
        power_law_claim([*curve(-0.21), *outside]),
        power_law_claim(curve(-0.21)),
    )
    assert with_outside == without
    assert f"{SIZES[0]:,} to {SIZES[1]:,}" in without.criterion


def test_the_slope_of_a_power_law_is_its_exponent() -> None:
    slope, low, high = slope_of([(n, 2.0 * n**-0.3) for n in (100, 1_000, 10_000)])
    assert slope == pytest.approx(-0.3)
    assert low == pytest.approx(high)


def test_splits_that_overlap_widen_the_interval() -> None:
    apart, shared = (
        lowered("F3", "x", [0.33, 0.35, 0.36], [1.0, 1.0, 1.0], 0.6, overlap=overlap)
        for overlap in (0.0, 1.0)
    )
    widths = [c.judged[0].parts[0].high - c.judged[0].parts[0].low for c in (apart, shared)]
    assert widths[1] / widths[0] == pytest.approx(2.0)  # √((1/3 + 1) / (1/3))
    assert (apart.verdict, shared.verdict) == ("holds", "fails")
