"""Element attention of formulas and of structures: shares by hand, agreement, refusals."""

from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from numpy.testing import assert_allclose

from atomlens.errors import StudyError
from atomlens.studies import STUDIES, StudyInput
from atomlens.studies.element_attention.numbers import (
    ElementShares,
    agreement_beyond_elements,
    element_shares,
    pairs_in_order,
    rank_agreement,
)
from atomlens.studies.element_attention.study import ElementAttentionSettings
from atomlens.studies.networks import Attention
from study_makers import dataset, finder_predictor, make_predictor, trained_on_noise

FORMULA, STRUCTURE = finder_predictor("formula"), finder_predictor("structure")


def perovskite(metal: str = "Sr") -> Atoms:
    sites = [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]]
    name = f"{metal}TiO3"
    return Atoms(name, scaled_positions=sites, cell=[3.9] * 3, pbc=True, info={"name": name})


def crystals() -> list[Atoms]:
    salts = [bulk(name, "rocksalt", a=5.0) for name in ("NaCl", "MgO", "LiF", "CaS")]
    for salt in salts:
        salt.info["name"] = str(salt.symbols)
    return [*salts, perovskite(), perovskite("Ba")]


def run(*atoms: Atoms, models=(FORMULA, STRUCTURE), shuffled=(), **settings):
    study = STUDIES["element-attention"](ElementAttentionSettings(**settings))
    data = dataset(*(atoms or crystals()))
    return study, study.run(StudyInput(models=models, data=data, shuffled=shuffled))


def attention(*scores: list[float]) -> Attention:
    n = len(scores)
    arrays = tuple(np.array(s) for s in scores)
    return Attention(scores=arrays, values=np.zeros((n, 1)), kept=np.arange(n))


def shares(elements, formula, structure, materials=None) -> ElementShares:
    """Elements that all have half of the atoms, two to a material unless said."""
    n = len(elements)
    return ElementShares(
        materials=np.arange(n) // 2 if materials is None else np.array(materials),
        elements=np.array(elements),
        atoms=np.full(n, 0.5),
        formula=np.array(formula, dtype=float),
        structure=np.array(structure, dtype=float),
    )


def test_sites_are_added_up_by_element():
    structures = dataset(perovskite()).structures
    found = element_shares(
        structures, attention([0.5, 0.2, 0.3]), attention([0.4, 0.3, 0.1, 0.1, 0.1])
    )
    assert found.elements.tolist() == [8, 22, 38]
    assert_allclose(found.atoms, [0.6, 0.2, 0.2])
    assert_allclose(found.formula, [0.5, 0.2, 0.3])
    assert_allclose(found.structure, [0.3, 0.3, 0.4])


def test_enrichment_is_nothing_where_attention_is_even():
    even = shares([8, 22], [0.5, 0.5], [0.5, 0.5])
    assert_allclose(even.enrichments, np.zeros((2, 2)))


def test_networks_that_agree_have_all_pairs_in_order():
    found = shares([8, 12, 8, 20], [0.7, 0.3, 0.8, 0.2], [0.6, 0.4, 0.9, 0.1])
    assert pairs_in_order(found) == [(1.0, 1.0), (1.0, 1.0)]
    assert rank_agreement(found, np.ones(2)) == pytest.approx(1.0)


def test_ties_count_half():
    found = shares([8, 12], [0.5, 0.5], [0.6, 0.4])
    assert pairs_in_order(found) == [(0.5, 1.0)]


def test_a_constant_preference_for_an_element_is_taken_off():
    random = np.random.default_rng(0)
    elements = np.tile([8, 12], 300)
    liking = np.where(elements == 8, 2.0, 0.2)
    first, second = liking * np.exp(0.3 * random.normal(size=(2, 600)))
    found = shares(elements, first, second)
    assert rank_agreement(found, np.ones(300)) > 0.7
    assert abs(agreement_beyond_elements(found, np.ones(300))) < 0.1


def test_what_both_see_in_a_material_is_left():
    random = np.random.default_rng(0)
    common = np.exp(random.normal(size=600))
    found = shares(np.tile([8, 12], 300), common, 3.0 * common)
    assert agreement_beyond_elements(found, np.ones(300)) > 0.99


def test_the_study_compares_the_models_in_whatever_order_they_are_given():
    _, forth = run()
    _, back = run(models=(STRUCTURE, FORMULA))
    assert forth.models == back.models == ("energy, formulas", "energy, structures")
    assert forth.effect("rank correlation").value == back.effect("rank correlation").value
    assert set(forth.effect("rank correlation").controls) == {"untrained"}


def test_shuffled_controls_are_compared_with_each_other():
    noise = trained_on_noise(FORMULA), trained_on_noise(STRUCTURE)
    effect = run(shuffled=noise)[1].effect("rank correlation")
    assert effect.controls["shuffled labels"] == pytest.approx(effect.value)  # the same weights


def test_single_elements_are_counted_and_left_out():
    iron = bulk("Fe", cubic=True)
    _, result = run(iron, *crystals())
    assert result.counts["left out, a single element"] == 1
    assert result.n_structures == 6


def test_the_richest_small_material_is_drawn_unless_one_is_named(tmp_path):
    study, result = run()
    names = [path.name for path in study.draw(result, tmp_path)]
    assert names == ["element-attention.png", "element-attention-SrTiO3.png"]
    _, named = run(material="MgO")
    assert named.tables["pictures"][0]["structure"] == "MgO"
    assert sum(row["attention"] for row in named.tables["atoms"]) == pytest.approx(1.0)


def test_a_material_that_is_not_there_is_refused():
    with pytest.raises(StudyError, match="material=gold is not among the 6"):
        run(material="gold")


def test_materials_without_a_second_element_leave_nothing():
    with pytest.raises(StudyError, match="two elements or more"):
        run(bulk("Fe", cubic=True))


@pytest.mark.parametrize("models", [(FORMULA,), (FORMULA, FORMULA), (STRUCTURE, make_predictor())])
def test_other_models_are_refused(models):
    with pytest.raises(StudyError, match="one of formulas and one of structures"):
        run(models=models)


def test_a_model_without_attention_is_refused():
    from atomlens.models import make_model

    flat = make_model("finder", mode="structure", n_features=8, pooling_attention=False)
    with pytest.raises(StudyError, match="has no attention over atoms"):
        run(models=(FORMULA, replace(STRUCTURE, models=(flat.eval(),))))
