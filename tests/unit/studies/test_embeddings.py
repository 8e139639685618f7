"""Embeddings: components, held-out correlations and regression by hand; the study's claims."""

import json
import sys
from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from numpy.testing import assert_allclose

from atomlens.errors import MissingDependencyError, StudyError
from atomlens.predictor import TrainingRecord
from atomlens.predictor.measuring import spearman
from atomlens.studies import STUDIES, StudyInput
from atomlens.studies.embeddings.effects import (
    SECOND,
    compared,
    larger_error_estimates,
    refitted,
)
from atomlens.studies.embeddings.explorer import write_study_map
from atomlens.studies.embeddings.maps import lay_out, refuse_missing_package
from atomlens.studies.embeddings.networks import (
    ModelVectors,
    NetworkOutputs,
    input_labels,
    usable_by_all,
)
from atomlens.studies.embeddings.numbers import (
    canonical_pairs,
    correlation,
    explained_share,
    make_folds,
    predicted_from,
    principal_components,
    squared_sums,
)
from atomlens.studies.embeddings.study import EmbeddingsSettings
from atomlens.studies.networks import NetworkAnswers
from atomlens.targets import Target
from study_makers import dataset, finder_predictor, make_predictor, trained_on_noise

METALS = ("Li", "Na", "K", "Mg", "Ca", "Sr", "Mn", "Fe", "Ni", "Cd")
ANIONS = ("O", "S", "Se", "Te")


@pytest.fixture
def random():
    """Random numbers that no other test has drawn from."""
    return np.random.default_rng(0)


def rock_salts(n: int = 40) -> list[Atoms]:
    """Crystals of two elements, all different."""
    crystals = []
    for i in range(n):
        metal, anion = METALS[i % len(METALS)], ANIONS[i // len(METALS)]
        crystal = bulk(f"{metal}{anion}", "rocksalt", a=4.5 + 0.05 * i)
        crystal.info["name"] = f"{metal}{anion}"
        crystals.append(crystal)
    return crystals


def with_values(n: int = 40):
    """The crystals with an energy each."""
    data = dataset(*rock_salts(n))
    values = np.random.default_rng(1).normal(size=(n, 1))
    return replace(data, targets=(Target(name="energy", unit="eV/atom"),), values=values)


def run(*models, data=None, shuffled=(), **settings):
    study = STUDIES["embeddings"](EmbeddingsSettings(**settings))
    data = with_values() if data is None else data
    given = StudyInput(models=models, data=data, shuffled=shuffled)
    return study, study.run(given)


def test_principal_components_are_the_axes_of_largest_variance(random):
    plane = random.normal(size=(500, 2)) * [5.0, 1.0]
    turned = plane @ np.linalg.qr(random.normal(size=(2, 2)))[0]
    scores, shares = principal_components(turned)
    assert correlation(np.column_stack([scores[:, 0], plane[:, 0]])) > 0.99
    assert_allclose(shares, [25 / 26, 1 / 26], atol=0.01)


def test_canonical_correlations_do_not_feel_linear_maps(random):
    hidden = random.normal(size=(400, 3))
    first, second = (hidden @ random.normal(size=(3, 6)) for _ in range(2))
    u, v = canonical_pairs(first, second, make_folds(400, 0))
    for k in range(3):
        assert correlation(np.column_stack([u[:, k], v[:, k]])) > 0.99


def test_unrelated_vectors_have_no_canonical_correlation_on_held_out_rows(random):
    first, second = random.normal(size=(2, 400, 30))
    u, v = canonical_pairs(first, second, make_folds(400, 0))
    assert correlation(np.column_stack([u[:, 0], v[:, 0]])) < 0.2


def test_ridge_predicts_a_linear_map_of_held_out_rows_and_nothing_of_noise(random):
    first = random.normal(size=(400, 8))
    second = first @ random.normal(size=(8, 5)) + 3.0
    folds = make_folds(400, 0)
    linear = squared_sums(predicted_from(first, second, folds), second)
    assert explained_share(linear) > 0.99
    noise = random.normal(size=(400, 5))
    assert explained_share(squared_sums(predicted_from(first, noise, folds), noise)) < 0.05


def test_features_that_never_fire_do_no_harm(random):
    first = np.hstack([random.normal(size=(60, 2)), np.zeros((60, 4))])
    numbers = compared(first, first, seed=0)
    undefined = [name for name, number in numbers.items() if not np.isfinite(number.value)]
    assert undefined == ["canonical correlation 3"]  # two directions are all there are
    assert numbers[SECOND].value == pytest.approx(1.0)


def test_maps_of_two_models_start_from_the_same_places(random):
    pytest.importorskip("sklearn")
    vectors = random.normal(size=(40, 6))
    assert_allclose(lay_out(vectors, "tsne", 3), lay_out(vectors.copy(), "tsne", 3))


def test_tsne_keeps_far_clusters_apart(random):
    pytest.importorskip("sklearn")
    vectors = random.normal(size=(60, 5)) + 100.0 * (np.arange(60) < 30)[:, None]
    places = lay_out(vectors, "tsne", 0)
    first, second = places[:30], places[30:]
    gap = np.linalg.norm(first.mean(axis=0) - second.mean(axis=0))
    assert gap > first.std() + second.std()


def test_a_missing_package_is_named_with_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "umap", None)
    monkeypatch.setattr("atomlens.studies.embeddings.maps.find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match=r"umap-learn.*atomlens\[explain\].*map=pca"):
        refuse_missing_package("umap")
    refuse_missing_package("pca")


def test_formula_and_structure_models_are_compared_and_the_claim_is_tested(tmp_path):
    models = finder_predictor("formula"), finder_predictor("structure")
    study, result = run(*models)
    assert result.models == ("energy, formulas", "energy, structures")
    second = result.effect(SECOND)
    claim = result.claims[0]
    assert claim.identifier == "F6"
    assert claim.verdict in ("fails", "as much in controls", "not tested")
    assert claim.judged[0].parts[0].value == pytest.approx(second.value)
    assert 0 <= second.low <= second.value <= second.high <= 1
    assert set(second.controls) == {"untrained"}
    result.save(tmp_path)
    names = [path.name for path in study.draw(result, tmp_path)]
    assert names == ["embeddings.png", "embedding-components.png"]


def test_shuffled_controls_count_where_both_models_have_one():
    models = finder_predictor("formula"), finder_predictor("structure")
    noise = tuple(trained_on_noise(replace(m)) for m in models)
    assert "shuffled labels" not in run(*models, shuffled=noise[:1])[1].effect(SECOND).controls
    assert "shuffled labels" in run(*models, shuffled=noise)[1].effect(SECOND).controls


def test_two_formula_models_do_not_test_the_claim():
    models = finder_predictor("formula"), finder_predictor("formula", seed=2)
    _, result = run(*models)
    assert result.models == ("energy, formulas (1)", "energy, formulas (2)")
    assert result.claims[0].verdict == "not tested"


def test_one_model_gives_maps_alone(tmp_path):
    study, result = run(finder_predictor("structure"), data=dataset(*rock_salts(8)))
    assert [path.name for path in study.draw(result, tmp_path)] == ["embeddings.png"]
    assert result.effects == ()
    assert {row["class"] for row in result.tables["map"]} == {"oxide"}
    assert [claim.verdict for claim in result.claims] == ["not tested", "not tested"]


def test_materials_a_model_was_validated_on_say_nothing_about_its_errors():
    data = with_values()
    record = TrainingRecord(split={"validation": data.structures.names[:10]})
    model = replace(finder_predictor("structure"), record=record)
    effect = run(model, data=data)[1].effect("energy, structures: foreseen errors")
    assert effect.n == 30


def foresight(correlation: float, seed: int, n: int = 200) -> NetworkOutputs:
    """A network whose errors are foreseen by so much; all true values are 0."""
    random = np.random.default_rng(seed)
    errors = np.abs(random.normal(size=n))
    std = correlation * errors + (1 - correlation) * np.abs(random.normal(size=n))
    return NetworkOutputs(vectors=random.normal(size=(n, 3)), values=errors, std=std)


def model_of(trained: NetworkOutputs, *others: NetworkOutputs) -> ModelVectors:
    return NetworkAnswers(
        label="energy",
        predictor=make_predictor("energy"),
        trained=trained,
        controls={"untrained": others[:-1], "shuffled labels": others[-1:]},
    )


@pytest.mark.parametrize(
    ("trained", "control", "verdict"),
    [(0.7, 0.0, "holds"), (0.1, 0.0, "fails"), (0.7, 0.8, "as much in controls")],
)
def test_foreseen_errors_are_above_the_limit_and_above_the_controls(trained, control, verdict):
    model = model_of(foresight(trained, 0), *(foresight(control, i) for i in (1, 2, 3, 4)))
    claim = larger_error_estimates([model], [np.zeros(200)])
    assert (claim.identifier, claim.verdict) == ("F9", verdict)


def test_a_control_that_withholds_some_of_its_errors_is_asked_about_the_rest():
    whole = foresight(0.6, 1)
    withheld = np.where(np.arange(200) % 3, whole.std, np.nan)
    some = replace(whole, std=withheld)
    model = model_of(foresight(0.7, 0), some, some)
    values = np.zeros(200)
    (judged,) = larger_error_estimates([model], [values]).judged
    margin = judged.parts[0].controls["untrained"]
    assert judged.parts[0].n == 200
    kept = np.isfinite(withheld)
    assert margin.control == pytest.approx(spearman(whole.values[kept], withheld[kept]))
    assert np.isfinite(margin.low)


def test_a_network_without_errors_of_its_own_is_no_control_of_f9():
    alone = replace(foresight(0.0, 1), std=np.full(200, 0.3))  # a single one has no spread
    (judged,) = larger_error_estimates(
        [model_of(foresight(0.7, 0), alone, alone)], [np.zeros(200)]
    ).judged
    assert (judged.verdict, judged.parts[0].controls) == ("not tested", {})


def test_every_model_is_a_training_of_f9_in_whatever_order():
    models = [
        replace(model_of(foresight(c, s), *(foresight(0.0, i) for i in (1, 2, 3, 4))), label=label)
        for c, s, label in ((0.7, 0, "a"), (0.05, 7, "b"))
    ]
    first = larger_error_estimates(models, [np.zeros(200)] * 2)
    assert first == larger_error_estimates(models[::-1], [np.zeros(200)] * 2)
    assert (first.verdict, first.n_held, first.n_trainings) == ("fails", 1, 2)


def test_components_are_found_anew_in_every_draw():
    random = np.random.default_rng(0)
    vectors = random.normal(size=(30, 6)) * [3.0, 2.0, 1.0, 1.0, 1.0, 1.0]
    other = vectors + 0.5 * random.normal(size=(30, 6))
    statistic = refitted(vectors, other, 1)
    a, b = (principal_components(v).scores[:, 1] for v in (vectors, other))
    assert statistic(np.ones(30)) == pytest.approx(abs(np.corrcoef(a, b)[0, 1]))
    drawn = np.bincount(random.integers(0, 30, 30), minlength=30).astype(float)
    rows = np.repeat(np.arange(30), drawn.astype(int))
    c, d = (principal_components(v[rows]).scores[:, 1] for v in (vectors, other))
    assert statistic(drawn) == pytest.approx(abs(np.corrcoef(c, d)[0, 1]))
    assert statistic(drawn) != pytest.approx(abs(np.corrcoef(a[rows], b[rows])[0, 1]), abs=1e-3)


def test_too_many_models_and_too_few_materials_are_refused():
    model = finder_predictor("structure")
    with pytest.raises(StudyError, match="give one, or two"):
        run(model, model, model)
    with pytest.raises(StudyError, match="30 to compare"):
        run(model, finder_predictor("formula"), data=dataset(*rock_salts(8)))


def test_models_that_make_no_vector_are_refused():
    from atomlens.models import make_model
    from atomlens.neighbors import make_builder

    mean = make_model("mean", n_outputs=1).eval()
    model = replace(
        make_predictor(), model_name="mean", models=(mean,), builder=make_builder("formula")
    )
    with pytest.raises(StudyError, match="makes no vector"):
        run(model)


def test_what_one_model_cannot_take_is_left_out_for_both():
    crystals = rock_salts(4)
    model = finder_predictor("formula")
    model.models[0].get_buffer("element_table")[12] = 0.0  # no vector for magnesium
    rows, failures = usable_by_all(
        (model, finder_predictor("structure", seed=3)), dataset(*crystals).structures
    )
    assert rows == [0, 1, 2]
    assert [failure.name for failure in failures] == ["MgO"]


def test_labels_say_what_a_model_reads():
    models = finder_predictor("formula"), finder_predictor("structure", target="gap")
    assert input_labels(models) == ("energy, formulas", "gap, structures")


def test_a_model_with_equal_error_estimates_foresees_nothing():
    data = with_values()
    _, result = run(make_predictor("energy"), data=data)
    assert [e.name for e in result.effects] == ["energy, structures: target"]
    assert result.claims[1].verdict == "not tested"


@pytest.mark.filterwarnings("ignore")
def test_the_maps_of_both_models_open_in_chemiscope_with_the_scores_of_atoms(tmp_path):
    chemiscope = pytest.importorskip("chemiscope")
    models = finder_predictor("formula"), finder_predictor("structure")
    data = with_values(30)
    _, result = run(*models, data=data)
    steps = []
    path = write_study_map(
        result,
        StudyInput(models=models, data=data),
        tmp_path / "map.json",
        lambda done, n: steps.append((done, n)),
    )
    chemiscope.show_input(str(path))  # reads and checks the file
    content = json.loads(path.read_text())
    found = content["properties"]
    assert steps == [(i + 1, 60) for i in range(60)]
    assert len(content["structures"]) == 30
    for label, model in zip(result.models, models, strict=True):
        rows = [row for row in result.tables["map"] if row["model"] == label]
        assert_allclose(found[f"{label}: map 1"]["values"], [row["x"] for row in rows])
        assert_allclose(found[f"{label}: energy true"]["values"], data.values[:, 0])
        assert_allclose(
            found[f"{label}: energy error"]["values"],
            [row["prediction"] - row["value"] for row in rows],
        )
        scores = found[f"{label}: attention"]
        assert scores["target"] == "atom"
        own = model.explain(data.structures.subset([7]), method="attention").scores
        assert_allclose(scores["values"][14:16], own, atol=1e-6)
    shown = content["settings"]["map"]
    assert shown["x"]["property"] == "energy, formulas: map 1"
    assert shown["color"]["property"] == "energy, formulas: energy"


@pytest.mark.filterwarnings("ignore")
def test_materials_that_one_model_cannot_take_do_not_shift_the_map(tmp_path):
    pytest.importorskip("chemiscope")
    crystals = rock_salts(6)
    strange = bulk("Og", "fcc", a=5.0)
    strange.info["name"] = "Og"
    data = dataset(strange, *crystals)
    model = make_predictor("energy")  # its table of elements ends at Pu
    _, result = run(model, data=data)
    assert [row["row"] for row in result.tables["map"]] == [1, 2, 3, 4, 5, 6]
    path = write_study_map(result, StudyInput(models=(model,), data=data), tmp_path / "m.json")
    content = json.loads(path.read_text())
    assert content["properties"]["name"]["values"] == [c.info["name"] for c in crystals]
    assert [s["names"][0] for s in content["structures"]] == [c.symbols[0] for c in crystals]
    assert "energy true" not in content["properties"]  # known of none


def test_polymorphs_of_a_formula_are_drawn_together():
    trained, control = foresight(0.25, 0, 60), foresight(0.0, 1, 60)

    def copied(one: NetworkOutputs) -> NetworkOutputs:
        return NetworkOutputs(
            vectors=np.repeat(one.vectors, 20, axis=0),
            values=np.repeat(one.values, 20),
            std=np.repeat(one.std, 20),
        )

    model = model_of(copied(trained), copied(control), copied(control))
    formulas = np.repeat(np.arange(60), 20).astype(str)
    as_rows, as_formulas = (
        larger_error_estimates([model], [np.zeros(1200)], relatives=r) for r in (None, formulas)
    )
    assert (as_rows.verdict, as_formulas.verdict) == ("holds", "fails")
    once = larger_error_estimates([model_of(trained, control, control)], [np.zeros(60)])
    (own,), (other,) = (c.judged[0].parts for c in (as_formulas, once))
    assert own.high - own.low == pytest.approx(other.high - other.low, rel=0.15)
