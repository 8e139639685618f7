"""What is said of crystals whose 12th and 13th neighbour are equally far and unlike."""

import pickle
from dataclasses import replace
from typing import Any

import pytest
from ase import Atoms
from ase.build import bulk
from made_predictors import make_predictor

from atomlens.models import make_model
from atomlens.neighbors import kernels, make_builder
from atomlens.predictor import Predictor
from atomlens.predictor.evaluation import about_neighbors
from atomlens.predictor.ordered import one_row_each
from atomlens.predictor.trust.doubts import OF_CUT_SHELL, DoubtsHeard

SALT = bulk("NaCl", "rocksalt", a=5.64)
PEROVSKITE = Atoms(
    "SrTiO3",
    scaled_positions=[(0, 0, 0), (0.5, 0.5, 0.5), (0.5, 0.5, 0), (0.5, 0, 0.5), (0, 0.5, 0.5)],
    cell=[3.905] * 3,
    pbc=True,
)
IN_ONE, IN_TWO = "in 1 structure the last nearest", "in 2 structures the last nearest"


@pytest.fixture
def cgcnn() -> Predictor:
    return replace(
        make_predictor(),
        model_name="cgcnn",
        models=(make_model("cgcnn", n_layers=1, n_features=16),),
        builder=make_builder("nearest"),
        elements=(8, 11, 17, 22, 38),
        record=replace(make_predictor().record, kinds=()),
    )


@pytest.fixture
def searches(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The structures of each search for neighbours."""
    seen: list[Any] = []
    plain_run = kernels.run

    def run(kernel: kernels.Kernel) -> Any:
        seen.append(kernel.structures.names)
        return plain_run(kernel)

    monkeypatch.setattr(kernels, "run", run)
    return seen


def test_one_search_finds_neighbours_and_cut_shells(cgcnn: Predictor, searches: list[Any]) -> None:
    with pytest.warns(UserWarning, match=IN_ONE) as told:
        found = cgcnn.predict([SALT, PEROVSKITE])
    assert len(told) == 1
    assert len(searches) == 1
    assert [doubts.about("cut shell") for doubts in found.doubts] == [(), (OF_CUT_SHELL,)]
    assert str(found.doubts[1]).endswith("on the choice of the cell")
    (sentence,) = about_neighbors(found)
    assert sentence.startswith(IN_ONE)


def test_one_that_fails_does_not_shift_what_is_said_of_others(cgcnn: Predictor) -> None:
    twice = Atoms("Na2", positions=[(0, 0, 0), (0, 0, 1e-4)], cell=[5] * 3, pbc=True)
    with pytest.warns(UserWarning, match=f"{IN_TWO}|have no answer|failed"):
        found = cgcnn.predict([PEROVSKITE, twice, SALT, PEROVSKITE])
    said = [bool(doubts.about("cut shell")) for doubts in found.doubts]
    assert said == [True, False, False, True]


def test_explaining_warns_too(cgcnn: Predictor, searches: list[Any]) -> None:
    assert not cgcnn.explain(SALT).doubts.about("cut shell")
    with pytest.warns(UserWarning, match=IN_ONE) as told:
        explained = cgcnn.explain(PEROVSKITE)
    assert len(told) == 1
    assert explained.doubts.about("cut shell") == (OF_CUT_SHELL,)
    with pytest.warns(UserWarning, match=IN_TWO) as told:
        assert len(list(cgcnn.explain_many([PEROVSKITE, SALT, PEROVSKITE]))) == 3
    assert len(told) == 1


def test_the_kind_of_a_doubt_survives_forms_and_processes(cgcnn: Predictor) -> None:
    with pytest.warns(UserWarning, match=IN_ONE):
        found = cgcnn.predict([SALT, PEROVSKITE])
    together = one_row_each(found, [0, 1])
    (said,) = together.doubts[0].about("cut shell")
    assert said == f"{OF_CUT_SHELL} (so for 1 of 2 ordered models)"
    sent = pickle.loads(pickle.dumps(together.doubts[0]))
    assert sent.about("cut shell") == (said,)
    heard = DoubtsHeard(most=5)
    heard.hear(together)
    assert [text[: len(IN_ONE)] for text in heard.about_geometries()] == [IN_ONE]
    assert "equally far" not in "".join(heard.first)
