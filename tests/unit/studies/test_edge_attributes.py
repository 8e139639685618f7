"""Edge attribute matrices: entries, similarity and asymmetry by hand, and the claim."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from atomlens.errors import StudyError
from atomlens.neighbors import make_builder
from atomlens.structures.formulas import from_formula
from atomlens.studies import STUDIES, StudyInput
from atomlens.studies.edge_attributes.effects import (
    ModelMatrices,
    Network,
    alike_matrices,
    same_formula,
    same_order,
)
from atomlens.studies.edge_attributes.numbers import (
    EdgeMatrix,
    all_similarities,
    asymmetry,
    edge_matrices,
    element_distances,
    similarity,
)
from atomlens.studies.edge_attributes.study import PEROVSKITES, EdgeAttributesSettings
from atomlens.studies.networks import prepare
from atomlens.studies.statistics import drawn_pairs, partial_spearman
from study_makers import dataset, finder_predictor, make_predictor, trained_on_noise


def matrix(values, counts=(1, 1, 3), name="ABX3", elements=(38, 22, 8)) -> EdgeMatrix:
    array = np.array(values, dtype=float)
    for place, count in enumerate(counts):
        if count == 1:
            array[place, place] = np.nan
    return EdgeMatrix(name=name, elements=elements, counts=counts, values=array)


MADE = matrix([[0, 1, 2], [3, 0, 4], [5, 6, 7]])


def run(*formulas: str, models=None, shuffled=(), **settings):
    study = STUDIES["edge-attributes"](EdgeAttributesSettings(**settings))
    given = StudyInput(
        models=models or (finder_predictor("formula"),),
        data=dataset(*map(from_formula, formulas)),
        shuffled=shuffled,
    )
    return study, study.run(given)


def test_the_expanded_matrix_has_a_row_for_each_atom_and_no_diagonal():
    expanded = MADE.expanded()
    nan = np.nan
    assert_allclose(
        expanded,
        [
            [nan, 1, 2, 2, 2],
            [3, nan, 4, 4, 4],
            [5, 6, nan, 7, 7],
            [5, 6, 7, nan, 7],
            [5, 6, 7, 7, nan],
        ],
    )


def test_rows_and_columns_stand_in_the_order_of_the_formula():
    model = finder_predictor("formula")
    found = edge_matrices(model, prepare(model, dataset(from_formula("SrTiO3")).structures))[0]
    again = edge_matrices(model, prepare(model, dataset(from_formula("O3TiSr")).structures))[0]
    assert found.elements == (38, 22, 8)
    assert found.counts == (1, 1, 3)
    assert_allclose(again.values, found.values[::-1, ::-1], rtol=1e-5)


def test_a_formula_that_is_not_reduced_has_all_its_atoms():
    model = finder_predictor("formula")
    structures = dataset(from_formula("Sr2Ti2O6")).structures
    reduced = edge_matrices(model, prepare(model, structures))[0]
    whole = replace(model, builder=make_builder("formula", reduce=False))
    assert reduced.counts == (1, 1, 3)
    assert edge_matrices(whole, prepare(whole, structures))[0].expanded().shape == (10, 10)


def test_similarity_is_the_correlation_of_the_entries_atom_by_atom():
    other = matrix([[0, 2, 1], [3, 0, 9], [4, 8, 5]], name="other")
    off = ~np.eye(5, dtype=bool)
    expected = np.corrcoef(MADE.expanded()[off], other.expanded()[off])[0, 1]
    assert similarity(MADE, other) == pytest.approx(expected)
    assert similarity(MADE, MADE) == pytest.approx(1.0)


def test_elements_are_matched_by_role_whatever_the_order_of_the_formula():
    order = np.ix_([2, 0, 1], [2, 0, 1])
    turned = matrix(MADE.values[order], counts=(3, 1, 1), elements=(8, 38, 22))
    assert similarity(MADE, turned) == pytest.approx(1.0)


def test_other_stoichiometries_compare_pairs_of_different_elements_once():
    other = matrix([[9, 1, 2], [3, 0, 4], [5, 6, 70]], counts=(2, 2, 7))
    assert similarity(MADE, other) == pytest.approx(1.0)


def test_formulas_of_other_numbers_of_elements_are_not_compared():
    binary = matrix([[0, 1], [2, 0]], counts=(1, 1), elements=(11, 17))
    assert np.isnan(similarity(MADE, binary))
    assert np.isnan(similarity(binary, binary))  # two entries make no correlation


def test_asymmetry_is_zero_for_a_symmetric_matrix_and_one_for_an_antisymmetric_one():
    values = MADE.values
    assert asymmetry(replace(MADE, values=values + values.T)) == pytest.approx(0.0)
    odd = np.nan_to_num(values - values.T)
    assert asymmetry(matrix(odd + 5.0)) == pytest.approx(1.0)
    assert 0 < asymmetry(MADE) < 1


def test_the_distance_of_element_vectors_counts_atoms():
    vectors = np.zeros((60, 2))
    vectors[16] = 3.0, 4.0
    sulfide = matrix(MADE.values, name="S", elements=(38, 22, 16))
    assert_allclose(element_distances([MADE, sulfide], vectors), [np.sqrt(25 * 3 / 5)])


def test_a_formula_drawn_twice_is_no_pair_with_itself():
    pairs = drawn_pairs(np.array([2.0, 1.0, 0.0]))
    assert pairs.tolist() == [0, 0]  # the pair (0, 1), twice


def test_the_partial_rank_correlation_removes_a_common_cause():
    random = np.random.default_rng(0)
    cause = random.normal(size=2000)
    first, second = cause + 0.3 * random.normal(size=(2, 2000))
    assert np.corrcoef(first, second)[0, 1] > 0.8
    assert abs(partial_spearman(first, second, cause)) < 0.1


def test_the_study_tests_the_claim_on_its_own_formulas():
    _, result = run()
    assert result.n_structures == len(PEROVSKITES)
    claim = result.claims[0]
    assert claim.identifier == "F8"
    assert claim.verdict != "holds"  # one training
    assert "untrained: the order of" in claim.evidence
    assert claim.chance.endswith("1 in 3")
    assert result.effect("energy: SrTiO3 and BaTiO3").controls["untrained"] <= 1


def test_the_verdict_follows_the_numbers():
    model = finder_predictor("formula")
    _, result = run("SrTiO3", "BaTiO3", "KNbO3", "CsPbI3", models=(model,))
    alike, other = (
        result.effect(f"energy: SrTiO3 and {name}").value for name in ("KNbO3", "CsPbI3")
    )
    barium = result.effect("energy: SrTiO3 and BaTiO3").value
    met = min(alike, barium) > other
    assert result.claims[0].n_held == met
    assert (result.claims[0].verdict == "fails") == (not met)


def network(barium: float, potassium: float, caesium: float) -> Network:
    """Matrices whose correlations with that of SrTiO3 are about these."""
    random = np.random.default_rng(0)
    entries = random.normal(size=(4, 9))
    entries -= entries.mean(axis=1, keepdims=True)
    axes = np.linalg.qr(entries.T)[0].T
    names = {"SrTiO3": 1.0, "BaTiO3": barium, "KNbO3": potassium, "CsPbI3": caesium}
    made = [
        EdgeMatrix(
            name=name,
            elements=(38, 22, 8),
            counts=(2, 2, 2),
            values=(r * axes[0] + np.sqrt(1 - r**2) * axes[place or 1]).reshape(3, 3),
        )
        for place, (name, r) in enumerate(names.items())
    ]
    return Network(made, all_similarities(made))


def model_of(trained: Network, controls: tuple[float, float, float], label: str) -> ModelMatrices:
    nothing = np.full(6, np.nan)
    shifts = (-0.02, 0.0, 0.02)
    return ModelMatrices(
        label=label,
        trained=trained,
        controls={
            "untrained": [
                network(*(r + shift * (-1) ** i for i, r in enumerate(controls)))
                for shift in shifts
            ],
            "shuffled labels": [network(*controls)],
        },
        distances=nothing,
        value_differences=nothing,
        same_class=nothing,
    )


@pytest.mark.parametrize(
    ("trained", "controls", "n", "verdict"),
    [
        ((0.9, 0.85, 0.1), (0.5, 0.5, 0.5), 3, "holds"),
        ((0.9, 0.85, 0.1), (0.5, 0.5, 0.5), 2, "not tested"),
        ((0.9, 0.1, 0.5), (0.5, 0.5, 0.5), 3, "fails"),
        ((0.9, 0.85, 0.1), (0.92, 0.92, 0.1), 3, "as much in controls"),
    ],
)
def test_alike_matrices_are_so_in_several_trainings_and_not_in_the_controls(
    trained, controls, n, verdict
):
    models = {
        f"energy ({i})": model_of(
            network(*(r - 0.01 * i for r in trained)), controls, f"energy ({i})"
        )
        for i in range(n)
    }
    claim = alike_matrices(models)
    assert (claim.identifier, claim.verdict) == ("F8", verdict), claim.evidence
    assert repr(claim) == repr(alike_matrices(dict(reversed(models.items()))))


def test_without_the_four_formulas_the_claim_is_not_tested():
    _, result = run("SrTiO3", "NaCl", "Cu2O")
    assert result.claims[0].verdict == "not tested"


def test_two_models_are_compared_formula_by_formula_and_pair_by_pair():
    models = (finder_predictor("formula"), finder_predictor("formula", target="gap", seed=1))
    _, result = run(models=models)
    for name in ("energy and gap: same formula", "energy and gap: same pairs"):
        effect = result.effect(name)
        assert -1 <= effect.low <= effect.value <= effect.high <= 1
        assert set(effect.controls) == {"untrained"}


def test_a_matrix_of_the_other_sign_finds_the_same_pairs_alike():
    random = np.random.default_rng(0)
    made = [matrix(random.normal(size=(3, 3)), name=str(i)) for i in range(6)]
    turned = [replace(m, values=-m.values) for m in made]
    first, second = (Network(m, all_similarities(m)) for m in (made, turned))
    assert_allclose(same_formula(first, second), -1.0)
    assert_allclose(same_order(first, second)(np.ones(6)), 1.0)


def test_a_model_of_shuffled_labels_is_a_control():
    model = finder_predictor("formula")
    shuffled = trained_on_noise(finder_predictor("formula", seed=3))
    _, result = run(models=(model,), shuffled=(shuffled,))
    assert "shuffled labels: the order of" in result.claims[0].evidence


def test_models_without_edge_attributes_are_refused():
    for model in (finder_predictor("structure"), make_predictor()):
        with pytest.raises(StudyError, match="--model finder --builder formula"):
            run(models=(model,))


def test_one_formula_cannot_be_compared():
    with pytest.raises(StudyError, match="give 2 to 300"):
        run("SrTiO3")


def test_the_figures_are_drawn(tmp_path):
    study, result = run("SrTiO3", "BaTiO3", "KNbO3", "Sr6Ti7O20")
    result.save(tmp_path)
    assert [path.name for path in study.draw(result, tmp_path)] == [
        "edge-attributes.png",
        "edge-attribute-pairs.png",
    ]
    assert (tmp_path / "edge-attributes.png").stat().st_size > 5000
