"""Attention and symmetry orbits: numbers by hand, what symmetry forces, verdicts."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from scipy.stats import f_oneway

from atomlens.chemistry.orbits import Orbits, find_orbits
from atomlens.errors import StudyError
from atomlens.structures.arrays import structure_of
from atomlens.studies import STUDIES, StudyInput
from atomlens.studies.orbits.claims import all_claims, equator, recognised
from atomlens.studies.orbits.numbers import OrbitNumbers, Symmetric
from atomlens.studies.orbits.study import OrbitsSettings
from structure_makers import smfe12
from study_makers import dataset, make_predictor, trained_on_noise


def run(*atoms, targets=("homo",), **settings):
    models = tuple(make_predictor(t, seed=i) for i, t in enumerate(targets))
    study = STUDIES["orbits"](OrbitsSettings(**settings))
    return study.run(StudyInput(models=models, data=dataset(*atoms)))


def barrel(n_ring: int, n_cap: int) -> Orbits:
    """A ring of carbons at the equator and two caps, as orbits."""
    return Orbits(
        labels=np.repeat([0, 1], [n_ring, n_cap]),
        group="D6d",
        deviation=0.0,
        heights=np.repeat([0.5, 3.0], [n_ring, n_cap]),
    )


LEARNED = {"untrained": [(1.0, 1.001), (1.002, 1.0), (1.001, 1.0)], "shuffled labels": [(1.0, 1.0)]}
"""Scores of ring and caps in the controls of a network that learned something."""


def c72(
    scores_by_model: dict[str, tuple[float, float]],
    controls: dict[str, list[tuple[float, float]]] | None = None,
) -> Symmetric:
    """A stand-in for C72: two orbits are shared out as four, with scores of ring and caps."""
    labels = np.repeat([0, 1, 2, 3], [24, 24, 12, 12])
    heights = np.array([0.5, 1.8, 2.4, 2.9])[labels]
    orbits = Orbits(labels=labels, group="D6d", deviation=0.0, heights=heights)
    structure = structure_of(Atoms("C72", positions=np.random.default_rng(0).normal(size=(72, 3))))
    networks = {}
    noise = 1 + 1e-6 * np.random.default_rng(1).normal(size=72)
    for label, trained in scores_by_model.items():
        of_label = {"trained": [trained], **(LEARNED if controls is None else controls)}
        networks[label] = {}
        for name, pairs in of_label.items():
            made = [np.where(labels == 0, ring, caps) * noise for ring, caps in pairs]
            networks[label][name] = [OrbitNumbers.of(s / s.sum(), orbits) for s in made]
    return Symmetric("C72", structure, orbits, networks)


def claims_of(one: Symmetric):
    targets = {label: label.partition(" ")[0] for label in one.networks}
    return all_claims([one], {label: make_predictor(name) for label, name in targets.items()})


def test_spreads_and_f_ratio_are_those_of_the_textbook():
    attention = np.array([0.1, 0.2, 0.3, 0.15, 0.25])
    orbits = barrel(3, 2)
    found = OrbitNumbers.of(attention, orbits)
    assert found.spreads == pytest.approx([0.2 / 0.2, 0.1 / 0.2])
    assert found.within == pytest.approx(1.0)
    expected = f_oneway(attention[:3], attention[3:]).statistic
    assert found.f_ratio == pytest.approx(expected, abs=1e-9)
    assert 0 <= found.share <= 1


def test_orbits_that_decide_everything_share_no_variance_inside():
    found = OrbitNumbers.of(np.array([0.3, 0.3, 0.2, 0.2]), barrel(2, 2))
    assert found.share == pytest.approx(1.0)
    assert found.f_ratio > 1e10


def test_a_single_orbit_has_no_f_ratio():
    one = Orbits(labels=np.zeros(3, dtype=int), group="D3h", deviation=0.0, heights=None)
    found = OrbitNumbers.of(np.full(3, 1 / 3), one)
    assert np.isnan([found.f_ratio, found.share, found.between]).all()


@pytest.mark.parametrize("name", ["CH4", "C2H6", "C6H6", "C60"])
def test_symmetry_alone_makes_attention_equal_inside_orbits(name):
    result = run(molecule(name))
    effect = result.effect("homo: spread inside orbits")
    assert effect.value < 0.02
    assert effect.controls["untrained"] < 0.02


def test_c60_is_tested_and_the_control_holds_too():
    (claim,) = run(molecule("C60"), targets=("homo", "lumo")).claims
    assert claim.identifier == "S2"
    assert claim.verdict != "holds"
    assert set(claim.judged[0].parts[0].controls) == {"untrained"}
    assert "symmetry" in claim.chance
    (claim,) = run(molecule("C60")).claims
    assert claim.verdict == "not tested"
    assert "no model of the LUMO energy was given" in claim.evidence


def test_claims_appear_for_their_structures_alone():
    assert run(molecule("CH4")).claims == ()


def test_c60_without_a_frontier_orbital_is_not_tested():
    (claim,) = run(molecule("C60"), targets=("energy",)).claims
    assert claim.verdict == "not tested"


def test_smfe12_is_known_and_its_iron_compared_over_all_sites():
    result = run(smfe12(), targets=("formation_energy",))
    (claim,) = result.claims
    assert claim.identifier == "S10"
    iron = [float(r["score"]) for r in result.tables["atoms"] if r["symbol"] == "Fe"]
    spread = np.ptp(iron) / np.mean(iron)
    assert claim.verdict in (("as much in controls", "not tested") if spread < 0.05 else ("fails",))
    assert all(site in claim.evidence for site in ("Fe f", "Fe i", "Fe j", "inside a site"))


def test_smfe12_with_broken_symmetry_is_not_mistaken_for_it():
    atoms = smfe12()
    atoms.positions[3] += [0.3, 0.0, 0.0]
    orbits = find_orbits(structure_of(atoms), 0.05)
    assert recognised(Symmetric("x", structure_of(atoms), orbits, {})) == ""


def trainings(n: int) -> dict[str, tuple[float, float]]:
    """Models that put HOMO attention on the caps and LUMO attention on the ring."""
    homo = {f"homo ({i + 1})": (0.9 + 0.01 * i, 1.1) for i in range(n)}
    return homo | {f"lumo ({i + 1})": (1.2 - 0.01 * i, 0.9) for i in range(n)}


def test_c72_holds_with_opposite_signs_in_several_trainings():
    (claim,) = claims_of(c72(trainings(3)))
    assert (claim.identifier, claim.verdict) == ("S4", "holds")
    assert "both signs: 1 in 4" in claim.chance


@pytest.mark.parametrize("n", [1, 2])
def test_one_structure_and_few_trainings_never_hold(n):
    (claim,) = claims_of(c72(trainings(n)))
    assert claim.verdict == "not tested"


def test_f_ratios_that_differ_by_powers_of_ten_are_all_large():
    one = c72(trainings(3))
    for i, networks in enumerate(one.networks.values()):
        networks["trained"] = [n._replace(f_ratio=10.0 ** (3 + i)) for n in networks["trained"]]
    (claim,) = claims_of(one)
    assert claim.verdict == "holds", claim.evidence
    for networks in one.networks.values():
        networks["trained"] = [n._replace(f_ratio=8.0) for n in networks["trained"]]
    assert claims_of(one)[0].verdict == "fails"


def test_signs_that_untrained_networks_have_as_well_show_nothing():
    within = LEARNED | {"untrained": [(1.3, 0.8), (1.2, 0.9), (1.25, 0.9)]}
    (claim,) = claims_of(c72(trainings(3), within))
    assert claim.verdict == "as much in controls"


def test_the_order_of_the_models_does_not_pick_the_verdict():
    models = trainings(2) | {"homo (3)": (1.2, 0.9)}  # one of three has the other sign
    backwards = dict(reversed(list(models.items())))
    (first,), (second,) = (claims_of(c72(order)) for order in (models, backwards))
    assert repr(first) == repr(second)
    assert first.judged[0].training.startswith("homo (1), homo (2), homo (3), lumo")


@pytest.mark.parametrize(
    ("homo", "lumo"), [((1.1, 0.9), (1.2, 0.9)), ((1.1, 0.9), (0.9, 1.1)), ((0.9, 1.1), (0.8, 1.1))]
)
def test_c72_fails_with_other_signs(homo, lumo):
    (claim,) = claims_of(c72({"homo": homo, "lumo": lumo}))
    assert claim.verdict == "fails"


def test_c72_with_one_model_is_not_tested():
    (claim,) = claims_of(c72({"homo": (0.9, 1.1)}))
    assert claim.verdict == "not tested"


def test_the_ring_is_the_orbit_at_the_equator():
    one = c72({"homo": (0.9, 1.1)})
    ring = one.orbits.labels == equator(one)
    scores = one.networks["homo"]["trained"][0].scores
    scale = 72 / (24 * 0.9 + 48 * 1.1)
    assert scores[ring].mean() - scores[~ring].mean() == pytest.approx(-0.2 * scale, abs=1e-4)


def test_structures_without_symmetry_are_counted_and_named():
    crooked = molecule("CH4")
    crooked.rattle(0.05, seed=1)
    crooked.info["name"] = "crooked"
    result = run(crooked, molecule("CH4"), tolerance=0.03)
    assert result.counts["left out, all atoms different"] == 1
    (row,) = result.tables["without_symmetry"]
    assert row["name"] == "crooked"
    assert row["symmetric_within"] == pytest.approx(0.09)


def test_noise_everywhere_is_an_error_that_offers_a_tolerance():
    atoms = molecule("C60")
    atoms.rattle(0.02, seed=1)
    with pytest.raises(StudyError, match=r"has the symmetry Ih within 0\.15 Å"):
        run(atoms, tolerance=0.015)


def test_a_molecule_of_different_atoms_is_an_error():
    with pytest.raises(StudyError, match="nor within a larger tolerance"):
        run(molecule("HCN"))


def test_a_slab_is_a_failure_and_the_rest_goes_on():
    slab = molecule("C6H6")
    slab.set_cell([10, 10, 10])
    slab.pbc = (True, True, False)
    result = run(slab, molecule("CH4"))
    assert len(result.failures) == 1
    assert result.n_structures == 1


def test_a_tolerance_of_zero_is_refused():
    with pytest.raises(StudyError, match="tolerance=0"):
        run(molecule("CH4"), tolerance=0.0)


def test_two_structures_of_one_name_stay_two(tmp_path):
    study = STUDIES["orbits"]()
    homo = make_predictor()
    given = StudyInput(
        models=(homo,),
        data=dataset(molecule("C2H6"), molecule("C2H6")),
        shuffled=(trained_on_noise(homo),),
    )
    result = study.run(given)
    assert {row["structure"] for row in result.tables["orbits"]} == {"C2H6", "C2H6 (2)"}
    pictures = study.draw(result, tmp_path)
    assert len(set(pictures)) == 2
    assert all(p.read_bytes().startswith(b"\x89PNG") for p in pictures)
    result.save(tmp_path)


def test_only_the_first_structures_are_drawn(tmp_path):
    result = run(molecule("CH4"), molecule("C2H6"), n_pictures=1)
    assert len(STUDIES["orbits"]().draw(result, tmp_path)) == 1
