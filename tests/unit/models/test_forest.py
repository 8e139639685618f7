"""The random forest: statistics by hand, scikit-learn's predictions, saved trees."""

import math
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from ase import Atoms

from atomlens.errors import MissingDependencyError, SettingsError
from atomlens.graphs import GraphBatch, collate
from atomlens.models import make_model
from atomlens.models.forest import N_STATISTICS, ForestModel
from atomlens.neighbors import make_builder
from atomlens.training import train
from finder_graphs import collapsed_graph, naive_graph

ensemble = pytest.importorskip("sklearn.ensemble")


def filled_forest(**settings: object) -> ForestModel:
    """A forest that knows 22 made-up properties of each element."""
    model = make_model("rf-magpie", **{"n_trees": 7, **settings})
    assert isinstance(model, ForestModel)
    generator = torch.Generator().manual_seed(0)
    model.element_table.copy_(torch.randn(model.element_table.shape, generator=generator))
    return model


def many_formulas(n: int = 60) -> GraphBatch:
    random = np.random.default_rng(1)
    return collate(
        collapsed_graph(
            np.repeat(random.choice(90, 3, replace=False) + 1, random.integers(1, 5, 3))
        )
        for _ in range(n)
    )


def test_the_statistics_of_alumina_are_those_by_hand() -> None:
    model = filled_forest()
    model.element_table.zero_()
    model.element_table[8, 0], model.element_table[13, 0] = 3.44, 1.61
    alumina, mean = [8, 8, 8, 13, 13], (3 * 3.44 + 2 * 1.61) / 5
    deviation = 0.6 * (3.44 - mean) + 0.4 * (mean - 1.61)
    expected = [1.61, 3.44, 3.44 - 1.61, mean, deviation, 3.44]
    for graph in (collapsed_graph(alumina), naive_graph(alumina)):
        found = model.statistics(collate([graph]))
        assert found.shape == (1, 22 * N_STATISTICS)
        torch.testing.assert_close(found[0, ::22], torch.tensor(expected))


def test_the_mode_of_a_tie_is_the_smallest_property() -> None:
    model = filled_forest()
    model.element_table[11, 0], model.element_table[17, 0] = 0.93, 3.16
    found = model.statistics(collate([collapsed_graph([11, 17])]))
    assert found[0, 5 * 22].item() == pytest.approx(0.93)


def test_trees_predict_what_scikit_learn_predicts() -> None:
    model, batch = filled_forest(n_outputs=2), many_formulas()
    targets = torch.randn(60, 2, generator=torch.Generator().manual_seed(2))
    targets[:20, 1] = torch.nan
    model.fit(batch, targets)
    features = model.statistics(batch).numpy()
    found = model(batch).values.numpy()
    for column in range(2):
        known = ~np.isnan(targets[:, column].numpy())
        forest = ensemble.RandomForestRegressor(n_estimators=7, random_state=0)
        forest.fit(features[known], targets[:, column].double().numpy()[known])
        np.testing.assert_allclose(found[:, column], forest.predict(features), rtol=1e-5, atol=1e-6)


def test_trees_of_classes_say_what_scikit_learn_says_and_one_tree_that_knows_nothing() -> None:
    model, batch = filled_forest(n_outputs=5, n_classes=(2, 3)), many_formulas()
    targets = torch.randint(0, 2, (60, 2), generator=torch.Generator().manual_seed(2)).double()
    targets[targets[:, 1] == 1, 1] = 2  # nothing is of the second of three classes
    targets[:20, 1] = torch.nan
    model.fit(batch, targets)
    features = model.statistics(batch).numpy()
    found = model(batch).values.exp().numpy()
    for column, place in enumerate((slice(0, 2), slice(2, 5))):
        known = ~np.isnan(targets[:, column].numpy())
        forest = ensemble.RandomForestClassifier(n_estimators=7, max_features=1.0, random_state=0)
        forest.fit(features[known], targets[:, column].numpy()[known])
        n_classes = place.stop - place.start
        shares = np.zeros((60, n_classes))
        shares[:, forest.classes_.astype(int)] = forest.predict_proba(features)
        expected = (7 * shares + 1 / n_classes) / 8
        np.testing.assert_allclose(found[:, place], expected, rtol=1e-5)
    again = make_model("rf-magpie", n_trees=7, n_outputs=5, n_classes=(2, 3))
    again.load_state_dict(model.state_dict())
    assert torch.equal(again(batch).values, model(batch).values)
    with pytest.raises(ValueError, match="other classes"):
        make_model("rf-magpie", n_trees=7, n_outputs=4, n_classes=(4,)).load_state_dict(
            model.state_dict()
        )


def test_a_number_beside_classes_has_the_forest_that_it_has_alone() -> None:
    both, alone, batch = (
        filled_forest(n_outputs=4, n_classes=(3, 0)),
        filled_forest(),
        many_formulas(),
    )
    generator = torch.Generator().manual_seed(2)
    numbers = torch.randn(60, 1, generator=generator)
    classes = torch.randint(0, 3, (60, 1), generator=generator)
    both.fit(batch, torch.cat([classes, numbers], dim=1))
    alone.fit(batch, numbers)
    assert torch.equal(both(batch).values[:, 3:], alone(batch).values)


def test_a_forest_of_spectra_and_classes_is_refused() -> None:
    with pytest.raises(SettingsError, match="train it on the spectrum and on the classes apart"):
        filled_forest(n_outputs=5, n_classes=(2, 3), shared=True)


def test_saved_trees_predict_the_same() -> None:
    model, batch = filled_forest(), many_formulas()
    model.fit(batch, torch.randn(60, 1, generator=torch.Generator().manual_seed(2)))
    again = make_model("rf-magpie", n_trees=7)
    again.load_state_dict(model.state_dict())
    assert again.config == model.config
    assert again.config.n_nodes == len(model.left)
    assert torch.equal(again(batch).values, model(batch).values)


@pytest.mark.parametrize(
    ("name", "value"), [("left", 0), ("right", 10**6), ("feature", 500), ("roots", -1)]
)
def test_trees_that_lead_nowhere_are_refused(name: str, value: int) -> None:
    model = filled_forest()
    model.fit(many_formulas(), torch.randn(60, 1, generator=torch.Generator().manual_seed(2)))
    state = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    state[name].view(-1)[1 if name != "roots" else 0] = value
    if name == "right":
        state["left"][1] = 2
    with pytest.raises(ValueError, match="a tree of the forest"):
        make_model("rf-magpie", n_trees=7).load_state_dict(state)


def test_a_forest_without_scikit_learn_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "sklearn.ensemble", None)
    with pytest.raises(MissingDependencyError, match=r"atomlens\[sklearn\]"):
        filled_forest().fit(many_formulas(), torch.zeros(60, 1))


def test_one_installation_brings_all_that_a_forest_of_formulas_needs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    monkeypatch.setitem(sys.modules, "pymatgen", None)
    monkeypatch.setitem(sys.modules, "pymatgen.core", None)
    table = tmp_path / "gaps.csv"
    table.write_text("formula,gap\n" + "".join(f"Al{n}O{n + 1},{n}\n" for n in range(1, 31)))
    with pytest.raises(MissingDependencyError, match=r"scikit-learn.*atomlens\[sklearn\].*lens"):
        train(table, model="rf-magpie", target="gap")


def test_impossible_settings_are_refused() -> None:
    with pytest.raises(SettingsError, match="max_features"):
        make_model("rf-magpie", max_features=0.0)
    with pytest.raises(SettingsError, match="n_trees"):
        make_model("rf-magpie", n_trees=0)


def test_predictions_do_not_depend_on_how_a_formula_is_written() -> None:
    model, batch = filled_forest(), many_formulas()
    model.fit(batch, torch.randn(60, 1, generator=torch.Generator().manual_seed(2)))
    builder = make_builder("formula")
    graphs = [builder.build(Atoms(f, info={"is_formula": True})) for f in ("TiO2", "O4Ti2")]
    values = model(collate(graphs)).values
    assert values[0] == values[1]
    assert math.isfinite(values[0])
