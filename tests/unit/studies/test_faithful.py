"""Deletion, tables and sanity checks on models whose answers are known."""

import json
from copy import deepcopy
from dataclasses import replace
from itertools import pairwise, permutations
from pathlib import Path

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import bulk, molecule
from ase.collections import g2
from ase.io import write

from atomlens.cli import main
from atomlens.datasets.base import Dataset
from atomlens.errors import SettingsError, StudyError
from atomlens.explain.absence import Meaning
from atomlens.neighbors import make_builder
from atomlens.predictor import Predictor, load
from atomlens.predictor.folder import tested
from atomlens.reports.payload import page_payload
from atomlens.structures.arrays import StructureArrays
from atomlens.studies.base import StudyInput, StudyResult
from atomlens.studies.faithful import checks
from atomlens.studies.faithful.asked import Asked
from atomlens.studies.faithful.curves import Curves, follow, over_both, over_chance, sets_of
from atomlens.studies.faithful.orders import (
    Order,
    by_size,
    one_sided,
    reversed_order,
    steps,
    table_scores,
)
from atomlens.studies.faithful.study import Faithful, FaithfulSettings, as_json
from atomlens.studies.faithful.words import CUT, FEW, SUM, judged, paragraph, verdict
from atomlens.studies.statistics import Interval, pearson
from atomlens.targets import Target
from atomlens.testing.questions import trained_around
from atomlens.version import __version__
from model_makers import small_model
from terms_makers import lens_predictor, terms_predictor

MOLECULES = ["CH3CH2OH", "CH3OCH3", "CH3CHO", "HCOOH", "CH3NO2", "C2H6CHOH", "CH3CN", "C6H6"]


def molecules() -> StructureArrays:
    return StructureArrays.from_atoms([molecule(m) for m in MOLECULES])


def data(structures: StructureArrays) -> Dataset:
    values = np.zeros((len(structures), 0))
    return Dataset(name="inputs", structures=structures, targets=(), values=values)


def studied(predictor: Predictor, structures: StructureArrays, **settings: object) -> StudyResult:
    study = Faithful(FaithfulSettings(n_random=2, n_steps=3, n_checked=4, **settings))
    return study.run(StudyInput(models=(predictor,), data=data(structures)))


@pytest.mark.parametrize("meaning", ["graph", "rebuilt"])
def test_the_order_of_the_true_terms_takes_away_most(meaning) -> None:
    asked = Asked.about(terms_predictor(), molecules(), None)
    scores, _ = asked.scores("contribution")
    best = by_size(asked.by_unit(scores))
    orders = {"best": best, "worst": reversed_order(best)}
    orders |= {f"random {i}": shuffled(asked, i) for i in range(3)}
    found = followed(asked, orders, meaning)
    areas = {name: np.nanmean(own, axis=1) for name, own in found.deletion.items()}
    left = {name: np.nanmean(own, axis=1) for name, own in found.insertion.items()}
    for name in orders:
        assert (areas["best"] >= areas[name] - 1e-9).all()
        assert (areas["worst"] <= areas[name] + 1e-9).all()
        assert (left["best"] <= left[name] + 1e-9).all()
    first = asked.by_unit(scores)[0][best[0]]
    expected = np.mean([first[:k].sum() for k in (1, 2, 3, 4)])
    assert areas["best"][0] == pytest.approx(expected, rel=1e-6)
    assert over_chance(found.deletion["best"], found.deleted_by_chance).low > 1


def followed(asked: Asked, orders: dict[str, Order], meaning: Meaning, n_random: int = 4) -> Curves:
    return follow(
        asked, orders, meaning, n_steps=4, n_random=n_random, seed=0, inserted=frozenset(orders)
    )


def shuffled(asked: Asked, seed: int) -> Order:
    draw = np.random.default_rng(seed)
    return [draw.permutation(n) for n in asked.n_units.tolist()]


@pytest.mark.parametrize("meaning", ["mask", "graph"])
def test_chance_is_the_mean_over_all_orders_where_units_are_few(meaning: Meaning) -> None:
    given = [molecule(m) for m in ("H2O", "NH3", "OH")]
    asked = Asked.about(lens_predictor(), StructureArrays.from_atoms(given), None)
    every = [[*permutations(range(n))] for n in asked.n_units.tolist()]
    orders = {
        str(i): [np.array(of[i % len(of)]) for of in every] for i in range(max(map(len, every)))
    }
    found = followed(asked, orders, meaning, n_random=1)
    assert found.drawn == 0
    deleted = np.mean([found.deletion[name] for name in orders], axis=0)
    inserted = np.mean([found.insertion[name] for name in orders], axis=0)
    np.testing.assert_allclose(found.deleted_by_chance, deleted, rtol=1e-6)
    np.testing.assert_allclose(found.inserted_by_chance, inserted, rtol=1e-6)


def test_what_chance_draws_has_every_unit_about_as_often_and_every_set_as_probable() -> None:
    draw = np.random.default_rng(0)
    assert sets_of(6, 3, 1, draw).shape == (20, 6)
    assert sets_of(50, 1, 2, draw).shape == (50, 50)
    found = sets_of(20, 6, 9, draw)
    assert found.shape == (9, 20)
    assert (found.sum(axis=1) == 6).all()
    assert found[:3].sum(axis=0).max() == 1
    many = np.concatenate([sets_of(8, 3, 25, draw) for _ in range(400)])
    _, times = np.unique(many, axis=0, return_counts=True)
    assert len(times) == 56
    assert times.std() < 2 * np.sqrt(times.mean())


def test_a_random_order_is_called_better_than_chance_or_another_one_in_few_cases() -> None:
    """2.5 % of 95 % intervals lie above; also for few structures of few units, of unequal size."""
    draw = np.random.default_rng(0)
    n_repeats, n = 300, 20
    for sizes, n_random in (((2, 3, 4), 1), ((9, 12), 2)):
        above, below, apart = 0, 0, 0
        for _ in range(n_repeats):
            rows = [_by_chance(int(draw.choice(sizes)), n_random, draw) for _ in range(n)]
            chance, first, second = (np.array(part) for part in zip(*rows, strict=True))
            ratio = over_chance(first, chance)
            above += ratio.low > 1
            below += ratio.high < 1
            apart += over_both(first, second, chance).low > 0
        assert max(above, below, apart) < 0.05 * n_repeats
        assert above + below + 2 * apart > 0.01 * n_repeats


def _by_chance(
    n_units: int, n_random: int, draw: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the curve of chance and of two random orders of a structure of its own size."""
    scale = draw.lognormal(0, 1)
    weights = draw.lognormal(0, 1, n_units)
    changes: dict[bytes, float] = {}

    def of(absent: np.ndarray) -> float:
        own = scale * weights[absent].sum() * draw.lognormal(0, 0.3)
        return changes.setdefault(absent.tobytes(), own)

    numbers = steps(n_units, 3)
    curves = np.full((3, 3), np.nan)
    for column, k in enumerate(numbers.tolist()):
        curves[0, column] = np.mean([of(s) for s in sets_of(n_units, k, n_random, draw)])
    for row in (1, 2):
        order = draw.permutation(n_units)
        for column, k in enumerate(numbers.tolist()):
            absent = np.isin(np.arange(n_units), order[:k])
            curves[row, column] = of(absent)
    return curves[0], curves[1], curves[2]


def test_what_is_lost_without_each_atom_is_its_term() -> None:
    asked = Asked.about(terms_predictor(), molecules(), None)
    for meaning in ("graph", "rebuilt"):
        found = followed(asked, {}, meaning)
        np.testing.assert_allclose(found.losses, asked.scores("contribution")[0], rtol=1e-5)


def test_a_table_never_looks_at_the_structure_that_it_is_asked_about() -> None:
    scores = np.array([1.0, 3.0, 10.0, 20.0, 7.0])
    known = [("C",), ("C",), ("C",), ("H",), ("N",)]
    owner = np.array([0, 0, 1, 1, 1])
    coarse = np.arange(5.0)
    found = table_scores(scores, known, [coarse], owner)
    np.testing.assert_allclose(found, [10.0, 10.0, 2.0, 3.0, 4.0])


def test_equal_scores_say_nothing_about_the_order_of_a_file() -> None:
    orders = [by_size([np.full(9, 0.3)], seed)[0] for seed in range(200)]
    assert all(sorted(order) == list(range(9)) for order in orders)
    assert np.mean([order[0] for order in orders]) == pytest.approx(4, abs=0.7)
    almost = np.array([1.0, 1.0 + 1e-9, 2.0])
    assert {tuple(by_size([almost], seed)[0]) for seed in range(20)} == {(2, 0, 1), (2, 1, 0)}


def test_an_order_of_one_side_takes_what_raises_or_what_lowers_and_never_both() -> None:
    up = np.array([3.0, -2.9, 0.1, 2.0, -0.5])
    assert by_size([up])[0].tolist() == [0, 1, 3, 4, 2]
    assert one_sided([up])[0].tolist() == [0, 3, 2, 4, 1]
    assert one_sided([-up])[0].tolist() == [0, 3, 2, 4, 1]
    equal = {tuple(one_sided([np.full(3, -1.0)], seed)[0]) for seed in range(40)}
    assert len(equal) == 6  # by chance, not as the file has them


def test_terms_that_cancel_change_more_from_one_side() -> None:
    predictor = terms_predictor()
    with torch.no_grad():
        predictor.models[0].table.weight[8] = -5.0
    result = studied(predictor, molecules(), methods="contribution,attention")
    rows = {(r["method"], r["meaning"]): r for r in result.tables["faithful"]}
    own = rows["contribution", "graph"]
    assert own["one_side"] > own["deletion"]
    assert own["one_side_above_table"] == pytest.approx(0, abs=1e-6)  # a term is its element's
    assert np.isnan(rows["attention", "graph"]["one_side"])  # shares have no sign


def test_an_exact_method_agrees_with_effects_and_attention_that_knows_nothing_does_not() -> None:
    result = studied(terms_predictor(), molecules(), methods="contribution,attention,gradient")
    rows = {(r["method"], r["meaning"]): r for r in result.tables["faithful"]}
    for meaning in ("graph", "rebuilt"):
        row = rows["contribution", meaning]
        assert row["pearson"] == pytest.approx(1.0, abs=1e-5)
        assert row["mean_difference"] == pytest.approx(0.0, abs=1e-5)
        assert row["deletion_low"] > 1
        # an element is all that a term depends on, so no table of elements can be beaten
        assert row["table by element"] == pytest.approx(row["deletion"], rel=1e-6)
        assert row["above_table_high"] == pytest.approx(0, abs=1e-6)
        assert row["verdict"] == "undecided: too few structures"
        assert rows["attention", meaning]["verdict"] != "yes"
    sums = [c for c in result.tables["checks"] if c["check"] == "error of the promised sum"]
    assert [c["method"] for c in sums] == ["contribution"]
    assert sums[0]["value"] < 1e-6


def test_every_control_and_check_is_there_for_a_lens() -> None:
    crystals = [bulk("NaCl", "rocksalt", a=5.64), bulk("MgO", "rocksalt", a=4.21, cubic=True)]
    for atoms in crystals:
        atoms.rattle(0.02, seed=1)
    both = StructureArrays.from_atoms([*(molecule(m) for m in MOLECULES[:4]), *crystals])
    result = studied(lens_predictor(), both, methods="contribution,attention")
    found = as_json(result)
    for method in ("contribution", "attention"):
        own = found["methods"][method]
        assert set(own["meanings"]) == {"mask", "graph", "rebuilt"}
        assert own["passes"] is False  # random weights
        for row in own["meanings"].values():
            assert {"untrained", "reversed", "heavy_first", "best_table", "insertion"} <= set(row)
        names = set(own["checks"])
        assert {"random weights: all", "atoms displaced by 0.01 Å"} <= names
        assert own["checks"]["change of a doubled cell"]["value"] < 1e-4
        assert own["checks"]["change of a doubled cell"]["n"] == 2
    assert found["methods"]["contribution"]["checks"]["error of the promised sum"]["value"] < 1e-5
    assert "does not pass" in found["says"]
    json.dumps(found, allow_nan=False)


def test_random_weights_are_those_of_other_networks() -> None:
    predictor = lens_predictor()
    before = {k: v.clone() for k, v in predictor.models[0].state_dict().items()}
    stages = checks.random_from_the_readout(predictor, 0)
    after = predictor.models[0].state_dict()
    assert all(torch.equal(v, after[k]) for k, v in before.items())
    changed = [
        {k for k, v in stage.predictor.models[0].state_dict().items() if not v.equal(before[k])}
        for stage in stages
    ]
    assert all(k.startswith("readout.") for k in changed[0])
    assert changed[0]
    assert all(a < b for a, b in pairwise(changed))
    assert changed[-1] == {name for name, _ in predictor.models[0].named_parameters()}


def test_a_network_of_one_part_is_made_random_once() -> None:
    ridge = trained_around(
        small_model("ridge").float(), builder=make_builder("formula"), targets=(Target(name="y"),)
    )
    assert [stage.name for stage in checks.random_from_the_readout(ridge, 0)] == ["all"]


def test_elements_of_formulas_are_taken_away_together() -> None:
    torch.manual_seed(0)
    model = small_model("lens", mode="formula").float()
    trained = trained_around(
        model, builder=make_builder("formula", reduce=True), targets=(Target(name="y"),)
    )
    formulas = [Atoms(f, info={"is_formula": True}) for f in ("Fe2O3", "NaCl", "CaTiO3", "Cu")]
    trained = replace(trained, model_name="lens")
    result = studied(trained, StructureArrays.from_atoms(formulas), methods="contribution")
    assert result.n_structures == 3
    assert result.counts["left out: one atom only"] == 1
    assert {r["meaning"] for r in result.tables["faithful"]} == {"mask", "graph", "rebuilt"}


def test_what_cannot_be_measured_is_said_and_the_rest_is() -> None:
    model = small_model("ridge").float()
    trained = trained_around(
        model, builder=make_builder("voronoi"), targets=(Target(name="y", unit="eV"),)
    )
    trained = replace(trained, model_name="ridge")
    given = [molecule("CH3CH2OH"), Atoms("He"), molecule("H2O")]
    result = studied(trained, StructureArrays.from_atoms(given), methods="attention,occlusion")
    assert result.n_structures == 2
    assert {r["method"] for r in result.tables["faithful"]} == {"occlusion"}
    assert {r["meaning"] for r in result.tables["faithful"]} == {"graph", "rebuilt"}
    said = " ".join(result.notes)
    assert "attention is left out" in said
    assert "'mask' is left out" in said
    assert "too few for a useful interval" in said


def test_bad_input_is_one_sentence() -> None:
    with pytest.raises(StudyError, match="at least two atoms"):
        studied(lens_predictor(), StructureArrays.from_atoms([Atoms("He")]))
    with pytest.raises(SettingsError, match="'x'"):
        studied(lens_predictor(), molecules(), target="x")
    with pytest.raises(SettingsError, match="explanation method"):
        studied(lens_predictor(), molecules(), methods="contributions")
    model = small_model("cgcnn").float()
    trained = trained_around(model, builder=make_builder("nearest"), targets=(Target(name="y"),))
    with pytest.raises(StudyError, match="no contributions"):
        studied(trained, molecules(), methods="contribution")


def test_the_command_writes_its_numbers_and_a_figure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from ase.io import write

    folder = lens_predictor().save(tmp_path / "model")
    write(tmp_path / "molecules.xyz", [molecule(m) for m in MOLECULES[:4]])
    out = tmp_path / "out"
    given = ["faithful", str(folder), str(tmp_path / "molecules.xyz"), "--out", str(out)]
    given += ["--methods", "contribution,attention", "--set", "n_checked=2", "--quiet"]
    assert main(given) == 0
    assert {p.name for p in out.iterdir()} == {
        *("faithful.json", "faithful.csv", "curves.csv", "checks.csv", "faithful.png"),
        "study.json",
        "inputs.csv",
    }
    shown = capsys.readouterr().out
    assert "contribution" in shown
    assert "It is a statement on this model" in shown
    found = json.loads((out / "faithful.json").read_text())
    assert found["target"] == "y"
    settings = json.loads((folder / "settings.json").read_text())
    assert found["made_by"] == {
        "name": str(folder),
        "model": "lens",
        "weights_sha256": settings["weights_sha256"],
        "atomlens": __version__,
    }
    assert json.loads((out / "study.json").read_text())["made_by"] == [found["made_by"]]


def test_what_was_found_stands_in_the_card_and_on_every_explanation(tmp_path: Path) -> None:
    folder = lens_predictor().save(tmp_path / "model")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert "has not been tested" in load(folder).explain("CCO").tested
    given = _recorded(folder, tmp_path, n=FEW)
    for methods in ("contribution", "attention"):
        assert main([*given, "--methods", methods]) == 0
    after = {path.name: path.read_bytes() for path in folder.iterdir()}
    changed = {name for name in before | after if before.get(name) != after.get(name)}
    assert changed == {"metrics.json", "README.md"}
    explained = load(folder).explain("CCO")
    assert "Tested on 20 structures, the contribution of this model" in explained.tested
    assert explained.to_dict()["tested"] == explained.tested
    of_model = explained.to_dict()["made_by"]
    assert of_model["name"] == str(folder)
    (shown,) = page_payload([explained.picture()])["structures"]
    assert of_model["weights_sha256"][:12] in shown["made_by"]
    assert explained.tested in shown["meaning"][1]
    card = after["README.md"].decode()
    assert "| `y` | `contribution` | " in card
    assert "| `y` | `attention` | " in card


@pytest.mark.parametrize(
    ("deletion", "above", "untrained", "said"),
    [
        ((1.5, 1.2, 1.8), (0.3, 0.1, 0.5), (0.3, 0.1, 0.5), "yes"),
        ((1.5, 1.2, 1.8), (0.3, 0.1, 0.5), None, "yes"),
        (
            (1.5, 1.2, 1.8),
            (0.1, -0.1, 0.3),
            (0.3, 0.1, 0.5),
            "undecided: better than a table?",
        ),
        ((1.5, 1.2, 1.8), (-0.2, -0.3, -0.1), (0.3, 0.1, 0.5), "no: not better than a table"),
        (
            (1.5, 1.2, 1.8),
            (0.3, 0.1, 0.5),
            (0.0, -0.1, 0.1),
            "undecided: better than untrained networks?",
        ),
        (
            (1.5, 1.2, 1.8),
            (0.3, 0.1, 0.5),
            (-0.2, -0.3, -0.1),
            "no: not better than untrained networks",
        ),
        ((1.1, 0.9, 1.3), (0.2, 0.1, 0.3), None, "undecided: better than chance?"),
        ((1.5, 1.2, 1.8), (0.0, 0.0, 0.0), None, "no: not better than a table"),
        ((0.7, 0.6, 0.8), (0.2, 0.1, 0.3), None, "no: not better than chance"),
        ((1.5, np.nan, np.nan), (0.2, np.nan, np.nan), None, "undecided: no interval"),
    ],
)
def test_an_interval_that_holds_both_answers_decides_nothing(
    deletion: tuple[float, float, float],
    above: tuple[float, float, float],
    untrained: tuple[float, float, float] | None,
    said: str,
) -> None:
    beyond = {} if untrained is None else {"untrained": Interval(*untrained)}
    assert verdict(Interval(*deletion), Interval(*above), beyond, FEW) == said
    few = verdict(Interval(*deletion), Interval(*above), beyond, FEW - 1)
    assert few == "undecided: too few structures"


def test_controls_that_do_as_well_are_said() -> None:
    """A network of random weights explains itself as well as its untrained kin explain it."""
    result = studied(lens_predictor(), molecules(), methods="contribution")
    rows = [dict(row) for row in result.tables["faithful"]]
    for row in rows:
        low, own, high = (row[f"above_untrained{end}"] for end in ("_low", "", "_high"))
        assert low < own < high
        assert own == pytest.approx(row["deletion"] - row["untrained"])
        row |= {"untrained": 1.56, "deletion": 1.53, "heavy_first": 1.2, "reversed": 0.6}
    asked = Asked.about(lens_predictor(), molecules(), None)
    said = paragraph(rows, [], asked)
    assert (
        "As much as the contribution, without knowing what was learned, reach: untrained networks "
        "1.56 (mask) and 1.56 (graph) and 1.56 (rebuilt)." in said
    )
    better = [{**row, "untrained": 1.0} for row in rows]
    assert "As much as" not in paragraph(better, [], asked)
    assert "untrained networks 1.00)" in paragraph(better, [], asked)
    kept = tested.key_figures(as_json(result))
    known = {"faithful": {"y": kept}}
    sentence = tested.tested_sentence(known, "y", "contribution")
    of_mask = kept["contribution"]["meanings"]["mask"]["untrained"]
    assert f"; untrained networks {of_mask:.2f} and " in sentence


@pytest.mark.parametrize(
    ("of_mask", "of_graph", "said", "sentence"),
    [
        ("yes", "yes", "passes", "this model passes: "),
        ("yes", "undecided: ?", "undecided", "this model neither passes nor fails (undecided): "),
        ("undecided: ?", "no: worse", "does not pass", "this model does not pass: "),
    ],
)
def test_a_method_passes_fails_or_is_undecided(
    of_mask: str, of_graph: str, said: str, sentence: str
) -> None:
    both = {"mask": of_mask, "graph": of_graph, "rebuilt": "no: worse than chance"}
    rows = [{"method": "occlusion", "meaning": m, "verdict": v} for m, v in both.items()]
    assert judged(rows, "occlusion") == said
    figures = {"passes": said == "passes", "verdict": said, "n": 60, "meanings": {"mask": {}}}
    known = {"faithful": {"y": {"occlusion": figures}}}
    assert sentence in tested.tested_sentence(known, "y", "occlusion")
    del figures["verdict"]  # as older versions have recorded it
    older = tested.tested_sentence(known, "y", "occlusion")
    assert ("passes: " if said == "passes" else "is not shown to pass: ") in older


def test_a_verdict_on_few_structures_is_not_recorded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = lens_predictor().save(tmp_path / "model")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert main([*_recorded(folder, tmp_path, n=4), "--methods", "attention"]) == 1
    assert "4 structures are too few for a verdict" in capsys.readouterr().err
    assert (tmp_path / "out" / "faithful.json").is_file()
    assert before == {path.name: path.read_bytes() for path in folder.iterdir()}


def test_nothing_is_recorded_in_the_box(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["faithful", "qm9", "CCO", "--record", "--out", "out"]) == 2
    assert "is a model of the box" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def _recorded(folder: Path, tmp_path: Path, *, n: int) -> list[str]:
    small = (m for m in g2.names if 4 <= len(g2[m]) <= 7)
    names = [m for m in small if set(g2[m].numbers.tolist()) <= {1, 6, 7, 8}]
    write(tmp_path / "molecules.xyz", [molecule(m) for m in names[:n]])
    given = ["faithful", str(folder), str(tmp_path / "molecules.xyz"), "--record", "--quiet"]
    settings = ("n_checked=2", "n_steps=2", "n_random=1")
    return [*given, "--out", str(tmp_path / "out"), *(a for s in settings for a in ("--set", s))]


@pytest.mark.parametrize("odd", [None, 3, {"y": 1}, {"y": {"contribution": {"passes": "yes"}}}])
def test_odd_figures_of_a_folder_are_no_test(odd: object) -> None:
    assert "has not been tested" in tested.tested_sentence({"faithful": odd}, "y", "contribution")


def test_what_a_bound_cuts_is_no_sum_and_is_said() -> None:
    predictor = lens_predictor()
    (target,) = predictor.targets
    bounded = Target(name=target.name, unit="eV", nonnegative=True)
    scaling = replace(predictor.scaling, targets=(bounded,), means=np.zeros(1))
    below = deepcopy(predictor.models[0])
    with torch.no_grad():
        for weights in below.readout.parameters():
            weights.neg_()
    both = replace(predictor, models=(predictor.models[0], below), scaling=scaling)
    asked = Asked.about(both, molecules(), None)
    question = asked.questions[0]
    said = question.answers(question.batch, question.structures).by_member
    n_cut = int((said <= 0).any(axis=0).sum())
    assert n_cut
    found = checks.completeness(asked, "contribution", asked.scores("contribution")[0])
    assert (found.n_cut, found.n_whole) == (n_cut, len(MOLECULES) - n_cut)
    assert not found.error > 1e-4
    rows = [
        {"method": "contribution", "check": SUM, "value": 2e-4, "unit": "eV", "n": 22},
        {"method": "contribution", "check": CUT, "value": 8.0, "unit": "", "n": 30},
    ]
    row = {"method": "contribution", "meaning": "mask", "deletion": 1.5, "best_table": "by element"}
    row |= {"table by element": 1.0, "pearson": np.nan, "verdict": "yes"}
    text = paragraph([row], rows, asked)
    assert "as promised, to within 2.0e-04 eV in 22 structures. In 8 structures a network" in text


def test_equal_atoms_have_no_order() -> None:
    silicon = bulk("Si", "diamond", a=5.43)
    with pytest.raises(StudyError, match="equal atoms have no order"):
        studied(lens_predictor(), StructureArrays.from_atoms([silicon]))
    both = StructureArrays.from_atoms([silicon, molecule("CH3OH"), molecule("H2O")])
    result = studied(lens_predictor(), both, methods="contribution")
    assert result.counts == {"given": 3, "used": 2, "left out: all atoms equal": 1}


def test_what_was_left_out_is_named_and_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = lens_predictor().save(tmp_path / "model")
    table = "smiles,amount\nCO,1\nCN,n/a?\nCF,3\nnonsense(,4\nCC,5\n"
    (tmp_path / "t.csv").write_text(table)
    out = tmp_path / "out"
    given = ["faithful", str(folder), str(tmp_path / "t.csv"), "--out", str(out), "--quiet"]
    given += ["--methods", "contribution", "--set", "n_checked=1", "--set", "n_steps=1"]
    assert main([*given, "--limit", "3"]) == 1
    assert "1 of 4 inputs could not be used" in capsys.readouterr().err
    found = json.loads((out / "faithful.json").read_text())
    assert found["counts"] == {
        "left out: beyond the limit of 3": 1,
        "could not be read": 1,
        "given": 3,
        "used": 3,
    }
    (failure,) = found["failures"]
    assert "nonsense(" in failure["message"]
    assert json.loads((out / "study.json").read_text())["failures"][0]["name"] == failure["name"]
    assert "nonsense(" in (out / "inputs.csv").read_text().splitlines()[-1]


def test_so_few_parts_that_every_order_agrees_say_nothing() -> None:
    two, three, four = (np.arange(n, dtype=float) for n in (2, 3, 4))
    assert np.isnan(checks.inside([two], [two[::-1]], pearson, 0).value)
    assert checks.inside([two, three], [two[::-1], three], pearson, 0).value == pytest.approx(1)
    assert np.isnan(checks.inside([three], [three], checks.top_overlap, 0, fewest=4).value)
    assert checks.inside([four], [four], checks.top_overlap, 0, fewest=4).value == 1
