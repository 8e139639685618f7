"""Relative attention: the ruler, the counting, the verdicts, the figure."""

import json

import numpy as np
import pytest
from ase.build import molecule

from atomlens.errors import StudyError
from atomlens.studies import STUDIES, StudyInput
from atomlens.studies.networks import attention_of
from atomlens.studies.relative_attention.claims import homo_order, lumo_spread
from atomlens.studies.relative_attention.numbers import NetworkNumbers, densities, pair_rows
from atomlens.studies.relative_attention.study import classify, relative
from study_makers import dataset, make_predictor, trained_on_noise

NAMES = ("CH3CH2OH", "CH3CHO", "CH3CN", "CH3CONH2", "C2H6", "CH3OH", "C6H6", "H2O")
DATA = dataset(*(molecule(name) for name in NAMES))


@pytest.fixture(scope="module")
def result():
    homo, lumo = make_predictor("homo"), make_predictor("lumo", seed=9)
    given = StudyInput(models=(homo, lumo), data=DATA, shuffled=(trained_on_noise(homo),))
    return STUDIES["relative-attention"]().run(given)


def numbers(
    medians: dict[str, float], n: int = 60, noise: float = 0.1, seed: int = 0
) -> NetworkNumbers:
    """Atoms of each class about a median, one in each molecule."""
    random = np.random.default_rng(seed)
    kinds = np.repeat(list(medians), n)
    ratios = np.concatenate([m + noise * random.normal(size=n) for m in medians.values()])
    return NetworkNumbers.of(ratios, kinds, np.tile(np.arange(n), len(medians)), tuple(medians))


def test_the_ruler_is_the_mean_of_the_molecules_sp3_carbons():
    ethanol = dataset(molecule("CH3CH2OH")).structures
    attention = attention_of(make_predictor(), ethanol)
    scores = attention.scores[0]
    found = relative(attention, classify(ethanol, "rdkit"), np.array([0]))
    assert found == pytest.approx(scores / scores[:2].mean())


def test_atoms_are_sorted_by_element_and_carbons_by_hybridisation():
    (kinds,) = classify(dataset(molecule("CH3CHO")).structures, "rdkit").of_atoms
    assert sorted(kinds) == ["C(sp2)", "C(sp3)", "H", "H", "H", "H", "O"]


def test_molecules_without_sp3_carbon_are_counted_and_named_but_are_no_failures(result):
    assert result.counts["left out, without sp3 carbon"] == 2
    assert result.n_structures == result.counts["used"] == 6
    assert [row["name"] for row in result.tables["without_sp3_carbon"]] == ["C6H6", "H2O"]
    assert result.failures == ()


def test_not_one_sp3_carbon_is_an_error():
    given = StudyInput(models=(make_predictor(),), data=dataset(molecule("C6H6")))
    with pytest.raises(StudyError, match="Not one of the 1 structures has an sp3 carbon"):
        STUDIES["relative-attention"]().run(given)


def test_effects_have_intervals_and_both_controls_where_there_are_both(result):
    effect = result.effect("homo: median of H")
    assert effect.low <= effect.value <= effect.high
    assert effect.n == 6
    assert list(effect.controls) == ["untrained", "shuffled labels"]
    assert list(result.effect("lumo: median of H").controls) == ["untrained"]


def test_the_median_is_that_of_all_atoms_of_the_class(result):
    rows = [r for r in result.tables["medians"] if r["model"] == "homo" and r["class"] == "O"]
    trained = next(r for r in rows if r["network"] == "trained")
    assert trained["n_atoms"] == 4
    assert trained["median"] == pytest.approx(result.effect("homo: median of O").value)


def test_claims_are_tested_with_both_models(result):
    verdicts = {claim.identifier: claim.verdict for claim in result.claims}
    assert verdicts["S1"] == "holds"
    assert verdicts["S6"] != "holds"
    assert verdicts["S7"] != "holds"


def test_s6_needs_carbons_of_all_kinds():
    given = StudyInput(models=(make_predictor(),), data=dataset(molecule("CH3CH2OH")))
    claim = STUDIES["relative-attention"]().run(given).claims[1]
    assert claim.verdict == "not tested"
    assert "C(sp2), C(sp), N" in claim.evidence


def test_another_target_tests_neither_s6_nor_s7():
    given = StudyInput(models=(make_predictor("gap"),), data=DATA)
    verdicts = [claim.verdict for claim in STUDIES["relative-attention"]().run(given).claims]
    assert verdicts == ["holds", "not tested", "not tested"]


IN_ORDER = {"C(sp3)": 1.0, "C(sp2)": 1.3, "C(sp)": 1.4, "N": 1.8, "O": 2.2}
EVEN = dict.fromkeys(IN_ORDER, 1.0)


def nothing_learned(seed: int = 0, n: int = 60) -> dict[str, list[NetworkNumbers]]:
    return {
        "untrained": [numbers(EVEN, n, seed=seed + i) for i in range(1, 4)],
        "shuffled labels": [numbers(EVEN, n, seed=seed + 4)],
    }


def order(trained: NetworkNumbers, controls: dict[str, list[NetworkNumbers]]) -> str:
    return homo_order(["homo"], {"homo": trained}, {"homo": controls}).verdict


def test_the_order_of_s6_is_seen():
    assert order(numbers(IN_ORDER), nothing_learned()) == "holds"


def test_an_order_that_untrained_networks_have_too_was_not_learned():
    controls = nothing_learned() | {"untrained": [numbers(IN_ORDER, seed=i) for i in (1, 2, 3)]}
    assert order(numbers(IN_ORDER), controls) == "as much in controls"


@pytest.mark.parametrize(("kind", "median"), [("O", 1.7), ("N", 1.1), ("C(sp)", 0.9)])
def test_one_class_out_of_order_fails_s6(kind, median):
    assert order(numbers(IN_ORDER | {kind: median}), nothing_learned()) == "fails"


def test_an_order_within_the_noise_fails_s6():
    medians = {"C(sp3)": 1.0, "C(sp2)": 1.01, "C(sp)": 1.01, "N": 1.02, "O": 1.03}
    assert order(numbers(medians, n=10, noise=0.5), nothing_learned(n=10)) == "fails"


def test_s6_says_effect_and_corrected_p_inside_molecules():
    trained = {"homo": numbers(IN_ORDER)}
    claim = homo_order(["homo"], trained, {"homo": nothing_learned()})
    assert "O and N in 60 molecules: median difference +0.3" in claim.evidence
    assert claim.chance.startswith("0 is the level of chance")
    assert claim.n_trainings == 1


def test_classes_that_share_no_molecule_cannot_be_compared_inside_one():
    kinds = np.array(["C(sp3)", "N", "C(sp3)", "O"])
    found = NetworkNumbers.of(np.ones(4), kinds, np.array([0, 0, 1, 1]), ("C(sp3)", "N", "O"))
    assert found.n_together("O", "N") == 0
    assert all("O above N" not in name for name, _ in found.names)
    (row,) = (r for r in pair_rows([found]) if (r["first"], r["second"]) == ("N", "O"))
    assert row["n_with_both"] == 0
    assert np.isnan(row["wilcoxon_p_holm"])


def test_p_values_of_all_pairs_are_corrected_for_their_number():
    rows = pair_rows([numbers(IN_ORDER)])
    for name in ("mann_whitney_p", "wilcoxon_p"):
        assert all(row[f"{name}_holm"] >= row[name] for row in rows)
        smallest = min(row[name] for row in rows)
        assert min(row[f"{name}_holm"] for row in rows) == pytest.approx(len(rows) * smallest)


def spreads(homo: float, lumo: float, controls: dict[str, list[NetworkNumbers]] | None = None):
    trained = {
        name: numbers({"C(sp3)": 1.0, "N": 1.0 + width, "O": 1.0 + width}, seed=seed)
        for name, width, seed in (("homo", homo, 0), ("lumo", lumo, 1))
    }
    beside = {"homo": controls or nothing_learned(), "lumo": nothing_learned(20)}
    return lumo_spread(["homo"], ["lumo"], trained, beside)


def test_s7_holds_for_a_smaller_spread_that_no_control_has():
    claim = spreads(0.8, 0.05)
    assert (claim.verdict, claim.n_held) == ("holds", 1)
    assert "1 in 2" in claim.chance


def test_s7_fails_for_a_larger_spread():
    assert spreads(0.1, 0.8).verdict == "fails"


def test_s7_shows_nothing_where_shuffled_networks_have_the_same_spreads():
    wide = [numbers({"C(sp3)": 1.0, "N": 1.9, "O": 1.9}, seed=8)]
    assert spreads(0.8, 0.05, nothing_learned() | {"shuffled labels": wide}).verdict == (
        "as much in controls"
    )


def test_every_pair_of_models_is_a_training_of_s7_in_whatever_order():
    trained = {f"homo ({i})": numbers(IN_ORDER, seed=i) for i in (1, 2)}
    trained["lumo"] = numbers(EVEN, seed=3)
    beside = {label: nothing_learned(10 * i) for i, label in enumerate(trained)}
    found = [
        lumo_spread(labels, ["lumo"], trained, beside)
        for labels in (["homo (1)", "homo (2)"], ["homo (2)", "homo (1)"])
    ]
    assert found[0].n_trainings == 2
    assert found[0] == found[1]


def test_the_spread_is_between_the_medians_of_carbon_nitrogen_and_oxygen():
    found = numbers({"C(sp3)": 1.0, "N": 1.5, "O": 3.0, "H": 9.0}, noise=0.0)
    names = [name for name, _ in found.names]
    values = dict(zip(names, found(np.ones(found.n_units)), strict=True))
    assert values["spread of medians, C N O"] == pytest.approx(2.0)


def test_a_density_has_an_area_of_one():
    rows = densities([numbers({"C(sp3)": 1.0, "O": 2.0})])
    for kind in ("C(sp3)", "O"):
        height, at = np.array([(r["density"], r["ratio"]) for r in rows if r["class"] == kind]).T
        area = (np.diff(at) * (height[1:] + height[:-1]) / 2).sum()
        assert area == pytest.approx(1.0, abs=0.01)


def test_the_result_is_written_and_drawn(result, tmp_path):
    result.save(tmp_path)
    content = json.loads((tmp_path / "study.json").read_text())
    assert content["counts"]["left out, without sp3 carbon"] == 2
    (picture,) = STUDIES["relative-attention"]().draw(result, tmp_path)
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_a_few_molecules_have_a_figure_as_well(tmp_path):
    given = StudyInput(models=(make_predictor(),), data=dataset(molecule("CH4")))
    study = STUDIES["relative-attention"]()
    assert study.draw(study.run(given), tmp_path)[0].is_file()
