"""Agreement of scores with orbitals, and the chemistry baseline."""

import numpy as np
import pytest
from ase.build import molecule

from atomlens.studies.orbitals.claims import (
    PaperCase,
    chance_of_correlation,
    orbital_claim,
    order_margin,
    published_order,
)
from atomlens.studies.orbitals.numbers import (
    ELEMENT,
    ENVIRONMENT,
    ChemistryBaseline,
    agreement,
    n_leading,
)
from atomlens.studies.orbitals.sample import PAPER_MOLECULES
from atomlens.studies.orbitals.solution import FrontierOrbitals

CARBONS = np.array([6, 6, 6, 6, 1, 1])
SHARES = np.array([0.4, 0.3, 0.2, 0.1, 0.0, 0.0])


def test_a_score_that_is_the_share_agrees_fully() -> None:
    found = agreement(SHARES, SHARES, CARBONS, 2)
    assert tuple(found) == pytest.approx((1.0, 1.0, 1.0))


def test_a_reversed_score_disagrees_fully() -> None:
    found = agreement(-SHARES, SHARES, CARBONS, 2)
    assert found.heavy == pytest.approx(-1.0)
    assert found.overlap == 0.0


def test_hydrogens_do_not_enter_the_correlation_of_heavy_atoms() -> None:
    scores = np.array([0.4, 0.3, 0.2, 0.1, 0.9, 0.8])
    assert agreement(scores, SHARES, CARBONS, 2).heavy == pytest.approx(1.0)
    assert agreement(scores, SHARES, CARBONS, 2).all_atoms < 0.5


def test_a_score_equal_on_all_atoms_counts_as_no_correlation_and_overlaps_by_chance() -> None:
    found = agreement(np.full(6, 1 / 6), SHARES, CARBONS, 2)
    assert found.heavy == 0.0
    assert found.overlap == pytest.approx(2 / 6)


def test_two_heavy_atoms_give_no_correlation() -> None:
    assert np.isnan(agreement(SHARES[:3], SHARES[:3], np.array([6, 6, 1]), 1).heavy)


def test_differences_below_the_precision_of_the_shares_are_ties() -> None:
    noisy = SHARES + np.array([0, 0, 0, 0, 1e-5, -1e-5])
    assert agreement(SHARES, noisy, CARBONS, 2).all_atoms == pytest.approx(1.0)


def test_equal_leaders_share_the_last_place() -> None:
    pair = np.array([0.5, 0.5, 0.0, 0.0])
    assert agreement(pair, pair, CARBONS[:4], 1).overlap == pytest.approx(1.0)


def test_the_leading_atoms_are_the_fewest_that_hold_half() -> None:
    assert n_leading(np.array([0.5, 0.3, 0.2])) == 1
    assert n_leading(SHARES) == 2
    assert n_leading(np.full(60, 1 / 60)) == 30
    assert n_leading(SHARES, fixed=3) == 3
    assert n_leading(SHARES[:2], fixed=3) == 2


def test_the_baseline_leaves_the_molecule_itself_out() -> None:
    first, second = _orbitals("a", "CH3OH", 0.2), _orbitals("b", "CH3OH", 0.6)
    baseline = ChemistryBaseline([first, second], "homo", ELEMENT)
    oxygen = first.atomic_numbers == 8
    assert baseline.scores(first)[oxygen] == pytest.approx(0.6)
    assert baseline.scores(second)[oxygen] == pytest.approx(0.2)


def test_the_baseline_of_environments_tells_carbons_apart() -> None:
    propene = _orbitals("a", "C3H6_Cs", 0.2)
    carbons = propene.atomic_numbers == 6
    known = [propene, _orbitals("b", "C3H6_Cs", 0.4, carbon=0)]
    by_element = ChemistryBaseline(known, "homo", ELEMENT).scores(propene)
    by_neighbours = ChemistryBaseline(known, "homo", ENVIRONMENT).scores(propene)
    assert np.ptp(by_element[carbons]) == 0
    assert np.ptp(by_neighbours[carbons]) > 0


def test_an_element_that_no_other_molecule_has_gets_the_overall_mean() -> None:
    known = _orbitals("a", "C2H4", 0.5)
    scores = ChemistryBaseline([known], "homo", ELEMENT).scores(_orbitals("b", "SO2", 0.5))
    assert np.ptp(scores[:1]) == 0
    assert scores[0] == pytest.approx(known.homo.mean())


def test_the_published_order_has_vinyl_and_carbonyl_above_methyl_and_ester() -> None:
    acid = _orbitals("x", "HCOOCH3", 0.0)  # a carbonyl oxygen, an ester oxygen, a methyl group
    numbers = acid.atomic_numbers
    distances = np.linalg.norm(acid.positions[:, None] - acid.positions, axis=2)
    n_carbons = ((distances < 1.6) & (distances > 0) & (numbers == 6)).sum(axis=1)
    carbonyl = (numbers == 8) & (n_carbons == 1)
    assert published_order(acid, np.where(carbonyl, 0.2, 0.1))
    assert not published_order(acid, np.where(carbonyl, 0.1, 0.2))


def _case(
    trained: float, untrained: float, table: float, label: str = "homo", shuffled: float = 0.0
) -> PaperCase:
    """A model whose attention on thymine agrees by so much, beside controls."""
    molecule_ = _orbitals("thymine", "C5H5N", 0.2)
    even = np.full(len(molecule_.atomic_numbers), 1 / len(molecule_.atomic_numbers))
    return PaperCase(
        label=label,
        molecule=molecule_,
        scores=even,
        agreement=trained,
        controls={
            "untrained": [untrained - 0.02, untrained, untrained + 0.02],
            "shuffled labels": [shuffled],
            ENVIRONMENT: [table],
        },
        control_scores={"untrained": [even] * 3, "shuffled labels": [even]},
    )


@pytest.mark.parametrize(
    ("untrained", "table", "n", "verdict"),
    [
        (0.0, 0.3, 3, "holds"),
        (0.0, 0.3, 1, "not tested"),
        (0.95, 0.3, 3, "as much in controls"),
        (0.0, 0.95, 3, "as much in controls"),
    ],
)
def test_a_map_that_a_table_or_an_untrained_network_matches_as_well_shows_nothing(
    untrained: float, table: float, n: int, verdict: str
) -> None:
    cases = [_case(0.9 + 0.01 * i, untrained, table, f"homo ({i})") for i in range(n)]
    claim = orbital_claim(PAPER_MOLECULES[1], cases)
    assert claim.verdict == verdict, claim.evidence
    assert repr(claim) == repr(orbital_claim(PAPER_MOLECULES[1], cases[::-1]))
    assert claim.chance.endswith("of all orders of 6 atoms")


@pytest.mark.parametrize(("in_order", "verdict"), [(False, "holds"), (True, "as much in controls")])
def test_an_order_of_atoms_that_a_table_of_elements_and_neighbours_gives_was_not_learned(
    in_order: bool, verdict: str
) -> None:
    ester = _orbitals("x", "HCOOCH3", 0.0)
    even = np.ones(len(ester.atomic_numbers))
    carbonyl = np.array([order_margin(ester, even + one) > 0 for one in np.eye(len(even))])
    assert carbonyl.sum() == 1
    cases = [
        PaperCase(
            label=f"lumo ({i})",
            molecule=ester,
            scores=even / len(even) + (0.2 + 0.001 * i) * carbonyl,
            agreement=0.2 + 0.01 * i,
            controls={"untrained": [0.0, 0.01], "shuffled labels": [0.0], ENVIRONMENT: [0.1]},
            control_scores={
                "untrained": [even, even],
                "shuffled labels": [even],
                ENVIRONMENT: [even + 9 * carbonyl * in_order],
            },
        )
        for i in range(3)
    ]
    claim = orbital_claim(next(p for p in PAPER_MOLECULES if p.orbital == "lumo"), cases)
    assert claim.verdict == verdict, claim.evidence


def test_a_map_that_does_not_match_fails() -> None:
    cases = [_case(0.2, 0.0, 0.0, f"homo ({i})") for i in range(3)]
    assert orbital_claim(PAPER_MOLECULES[1], cases).verdict == "fails"


def test_chance_of_a_rank_correlation_falls_with_the_number_of_atoms() -> None:
    random = np.random.default_rng(0)
    found = [np.corrcoef(np.arange(8), random.permutation(8))[0, 1] > 0.6 for _ in range(4000)]
    assert chance_of_correlation(8, 0.6) == pytest.approx(np.mean(found), abs=0.02)
    assert chance_of_correlation(20, 0.6) < chance_of_correlation(6, 0.6)


def _orbitals(name: str, formula: str, share: float, carbon: int | None = None) -> FrontierOrbitals:
    """A molecule with a share on its heteroatoms, or on one of its carbons."""
    atoms = molecule(formula)
    shares = np.where(atoms.numbers > 6, share, 0.1)
    if carbon is not None:
        shares[np.flatnonzero(atoms.numbers == 6)[carbon]] = share
    return FrontierOrbitals(
        name=name,
        atomic_numbers=atoms.numbers.astype(np.int64),
        positions=atoms.positions,
        homo=shares,
        lumo=shares,
        homo_energy=-6.0,
        lumo_energy=0.0,
        n_homo=1,
        n_lumo=1,
    )
