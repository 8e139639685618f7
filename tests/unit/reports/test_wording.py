"""Numbers and sentences for readers."""

import numpy as np
import pytest
from ase import Atoms

from atomlens.predictor.folder import tested
from atomlens.reports.painting import paint_atoms
from atomlens.reports.payload import page_payload
from atomlens.reports.projection import project_scene
from atomlens.reports.scene import build_scene
from atomlens.reports.still import structure_svg
from atomlens.reports.wording import (
    beside_sentence,
    formula_parts,
    formula_text,
    meaning,
    number,
    prediction_text,
    shortened,
    spread_sentence,
    std_sentence,
    sum_sentence,
    top_atoms,
    value_with_error,
)
from explained_makers import explained, water


@pytest.mark.parametrize(
    ("value", "std", "text"),
    [
        (-6.4183, 0.124, "−6.42 ± 0.12"),
        (-3.5512, 0.0283, "−3.551 ± 0.028"),
        (1234.5, 67.0, "1234 ± 67"),
        (5.0, None, "5.000"),
        (5.0, 0.0, "5.000"),
        (5.0, float("nan"), "5.000"),
        (float("nan"), 0.1, "–"),
        (1e-9, 1e-10, "1.000e−9 ± 1.0e−10"),
    ],
)
def test_a_value_is_given_to_the_digits_that_its_error_leaves(
    value: float, std: float | None, text: str
) -> None:
    assert value_with_error(value, std) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0416667, "0.0417"), (0.0, "0.00"), (-12.345, "−12.3"), (1.5e-7, "1.50e−7")],
)
def test_numbers_have_three_digits_that_count(value: float, text: str) -> None:
    assert number(value) == text


def test_a_prediction_carries_its_unit() -> None:
    assert prediction_text(explained(water())) == "−6.42 ± 0.12 eV"
    assert prediction_text(explained(water(), unit="", std=None)) == "−6.418"


def test_formulas_are_split_and_lowered() -> None:
    numbers = np.array([6] * 5 + [1] * 6 + [7] * 2 + [8] * 2 + [17])
    assert formula_parts(numbers) == [("C", 5), ("H", 6), ("Cl", 1), ("N", 2), ("O", 2)]
    assert formula_text(np.array([1, 1, 8])) == "H₂O"


def test_long_names_are_cut_in_the_middle() -> None:
    text = shortened("x" * 100 + "\n" + "end", 20)
    assert len(text) == 20
    assert text.endswith("end")
    assert "\n" not in text


def test_ties_among_the_top_atoms_go_to_the_lower_index() -> None:
    assert top_atoms(np.array([0.2, 0.4, 0.2, 0.4]), 3) == [1, 3, 0]


def test_every_method_says_what_its_score_does_not_mean() -> None:
    texts = [
        meaning(m)
        for m in ("attention", "gradient", "integrated-gradients", "occlusion", "something new")
    ]
    assert len({t[1] for t in texts}) == 5
    assert all(len(part) > 40 for pair in texts for part in pair)


def test_the_source_of_the_error_is_said_in_words() -> None:
    assert "ensemble" in std_sentence("ensemble")
    assert "no error estimate" in std_sentence("none")
    assert "dropout" in std_sentence("dropout")


def test_a_doubtful_prediction_is_marked_wherever_it_is_shown() -> None:
    atoms = water()
    sure, doubtful = explained(atoms), explained(atoms, warning="unlike the training data")
    assert "⚠" not in prediction_text(sure)
    assert prediction_text(doubtful) == f"{prediction_text(sure)} ⚠"
    assert "⚠" in structure_svg(doubtful)
    (shown,) = page_payload([doubtful])["structures"]
    assert shown["prediction_text"].endswith("⚠")


@pytest.mark.parametrize(
    ("scores", "stability", "said"),
    [
        ([0.1, 0.4, 0.4], 1.0, "orders of the 2 distinct sites correlate by rank with 1.0"),
        ([0.1, 0.4, 0.4], 1.0, "which so few can do by chance."),
        ([0.1, 0.4, 0.4], 0.1, "so trust no order of the atoms."),
        ([0.1, 0.2, 0.3, 0.4, 0.5, 0.6], 0.9, "so the order holds."),
    ],
)
def test_the_order_of_few_sites_is_not_said_to_hold(
    scores: list[float], stability: float, said: str
) -> None:
    atoms = Atoms(numbers=[8, 1, 1, 1, 1, 1][: len(scores)], positions=np.eye(6, 3)[: len(scores)])
    structure = explained(
        atoms,
        scores=np.array(scores),
        scores_std_source="ensemble",
        rank_stability=stability,
    )
    sentence = spread_sentence(structure)
    assert said in sentence
    assert ("the order holds" in sentence) == (said == "so the order holds.")


def test_of_one_site_no_order_is_said() -> None:
    atoms = Atoms("C3", positions=np.eye(3))
    structure = explained(
        atoms, scores=np.full(3, 0.2), scores_std_source="ensemble", rank_stability=0.001
    )
    assert "order" not in spread_sentence(structure)


def test_which_atom_leads_is_said_with_the_share_of_the_networks_that_agree() -> None:
    atoms = Atoms("OH2", positions=np.eye(3))
    given = {"scores": np.array([0.1, -0.5, 0.2]), "scores_std_source": "ensemble"}
    all_agree = explained(atoms, **given, rank_stability=0.9, leading_share=1.0)
    assert spread_sentence(all_agree).endswith("All of them agree which atom leads (H1).")
    some = explained(atoms, **given, rank_stability=0.9, leading_share=2 / 3)
    assert "score, H1, leads in 67 % of them only: do not call it" in spread_sentence(some)
    alone = explained(atoms, scores=given["scores"])
    assert "with another training is not known" in spread_sentence(alone)


def test_what_scores_are_the_difference_to_is_said_with_its_value() -> None:
    given = {"scores": np.array([0.5, -0.2, 0.1]), "score_unit": "eV", "prediction": -6.1}
    own = explained(water(), **given, method="integrated-gradients", reference=-6.5)
    said = "−6.500 (the average atom at every site) + 0.400 (sum of the atoms) = −6.100 eV."
    assert sum_sentence(own) == said
    hidden = explained(water(), **given, method="shapley", reference=-6.5)
    assert "−6.500 (every element hidden)" in sum_sentence(hidden)
    short = explained(water(), **given, method="integrated-gradients", reference=-6.4)
    assert "The prediction is −6.100 eV: what is between them is not" in sum_sentence(short)
    assert sum_sentence(explained(water(), **given, method="occlusion")) == ""


def test_an_interval_is_said_not_to_be_made_of_the_error_beside_it() -> None:
    structure = explained(water(), low=-1.0, high=1.0, interval=0.9)
    assert "it is not 1.64 of ±, which is one standard deviation" in beside_sentence(structure)


def test_the_figures_of_a_test_are_said_in_one_sentence() -> None:
    row = {"deletion": 2.34, "deletion_low": 2.1, "deletion_high": 2.6, "table": 2.17}
    figures = {"passes": True, "n": 60, "meanings": {"mask": row}}
    said = tested.tested_sentence({"faithful": {"y": {"occlusion": figures}}}, "y", "occlusion")
    assert said == (
        "Tested on 60 structures, the occlusion of this model passes: atoms in the order of their "
        "scores change the prediction 2.34 times (elements hidden) what a random order does (a "
        "table of mean scores 2.17). `atomlens models info` has the figures."
    )
    figures["meanings"]["graph"] = {"deletion": 1.95, "table": 1.8, "untrained": 1.05}
    said = tested.tested_sentence({"faithful": {"y": {"occlusion": figures}}}, "y", "occlusion")
    assert "2.34 times (elements hidden) and 1.95 times (atoms taken out) what" in said
    assert "(a table of mean scores 2.17 and 1.80; untrained networks unknown and 1.05)" in said


@pytest.mark.parametrize("method", ["attention", "contribution", "occlusion", "shapley"])
def test_what_a_score_does_not_mean_is_read_at_a_glance(method: str) -> None:
    row = {"deletion": 2.34, "table": 2.17, "untrained": 1.05}
    figures = {"passes": True, "n": 300, "meanings": {"mask": row, "graph": row}}
    said = tested.tested_sentence({"faithful": {"y": {method: figures}}}, "y", method)
    structure = explained(water(), method=method, tested=said)
    (payload,) = page_payload([structure])["structures"]
    assert len(payload["meaning"][1].split()) <= 90


@pytest.mark.parametrize(
    ("deletion", "beside", "verdict", "words"),
    [
        (1.81, {"table": 1.80, "untrained": 1.5}, "passes", "passes by a hair"),
        (1.81, {"table": 1.50, "untrained": 1.79}, "passes", "passes by a hair"),
        (2.37, {"table": 2.21, "untrained": 1.08}, "passes", "passes"),
        (2.37, {}, "passes", "passes"),
        (1.81, {"table": 1.80}, "undecided", "undecided"),
    ],
)
def test_a_lead_without_size_passes_by_a_hair(
    deletion: float, beside: dict[str, float], verdict: str, words: str
) -> None:
    far = {"deletion": 3.0, "table": 1.0}
    meanings = {"mask": far, "graph": {"deletion": deletion, **beside}}
    figures = {"passes": verdict == "passes", "verdict": verdict, "meanings": meanings}
    assert tested.verdict_words(figures) == words
    said = tested.tested_sentence({"faithful": {"y": {"occlusion": figures}}}, "y", "occlusion")
    assert ("by a hair" in said) == ("hair" in words)


def test_atoms_of_one_score_have_one_colour_at_any_depth() -> None:
    deep = np.array([[0.0, 0.0, z] for z in (0.0, 4.0, 9.0)])
    scene = build_scene(Atoms("Cu3", positions=deep))
    painted = paint_atoms(project_scene(scene), scene.positions, np.ones(3), ["#aa3355"] * 3)
    colours = [layer.colour for layer in painted]
    n = len(colours) // 3
    assert colours[:n] == colours[n : 2 * n] == colours[2 * n :]


def test_an_error_estimate_that_grows_is_not_said_to_be_the_same_everywhere() -> None:
    said = std_sentence("validation", grows=True)
    assert "the same for every input near the training data and larger far from it." in said
    assert std_sentence("validation").endswith("the same for every input.")


@pytest.mark.parametrize("method", ["occlusion", "occlusion-mask", "occlusion-rebuilt"])
def test_what_the_cell_does_to_scores_of_absence_is_said(method: str) -> None:
    crystal = Atoms("NaCl", positions=2.82 * np.eye(2, 3), cell=[5.64] * 3, pbc=True)
    said = "another cell of the same crystal gives others"
    for atoms, is_said in ((crystal, True), (water(), False)):
        structure = explained(atoms, method=method)
        (shown,) = page_payload([structure])["structures"]
        assert (said in shown["meaning"][1]) == is_said
    (shown,) = page_payload([explained(crystal, method="contribution")])["structures"]
    assert said not in shown["meaning"][1]


def test_an_interval_that_is_cut_at_zero_is_not_said_to_be_twice_the_error() -> None:
    cut = explained(water(), std=0.0647, low=0.0, high=0.0994, interval=0.9)
    assert "half of the interval" not in beside_sentence(cut)
    assert "ends at 0, the bound of the property" in beside_sentence(cut)
    whole = explained(water(), std=0.06, low=0.1, high=0.3, interval=0.9)
    assert "at most half of the interval." in beside_sentence(whole)
