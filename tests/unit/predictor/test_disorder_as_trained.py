"""Disorder is read for a prediction as it was for the training, unless it is said otherwise."""

import warnings
from pathlib import Path

import pytest

import atomlens as al
from atomlens.errors import Failure
from small_cifs import CELL, SITES

CIF = f"""data_x
{CELL.format("{a}", "{a}", "{a}", 90, 90, 90)}{SITES}_atom_site_occupancy
Na1 Na 0 0 0 0.7
K1 K 0 0 0 0.3
Cl1 Cl 0.5 0.5 0.5 1
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("disorder")
    rows = []
    for i in range(24):
        (folder / f"{i}.cif").write_text(CIF.format(a=3.4 + 0.02 * i))
        rows.append(f"{i}.cif,{1 + 0.1 * i}")
    (folder / "d.csv").write_text("file,y\n" + "\n".join(rows) + "\n")
    return folder


@pytest.fixture(scope="module")
def model(folder: Path) -> al.Predictor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return al.train(folder / "d.csv", target="y", model="ridge", disorder="majority")


@pytest.mark.filterwarnings("ignore")
def test_predict_and_explain_read_disorder_as_the_training_did(
    folder: Path, model: al.Predictor
) -> None:
    one = folder / "0.cif"
    assert model.predict(one).formulas == ("NaCl",)
    assert len(model.explain(one).scores) == 2
    (many,) = model.explain_many(one)
    assert not isinstance(many, Failure)
    assert len(many.scores) == 2


@pytest.mark.filterwarnings("ignore")
def test_disorder_that_is_refused_is_refused_where_compositions_are_read(
    folder: Path, model: al.Predictor
) -> None:
    (failure,) = model.predict(folder / "0.cif", disorder="refuse").failures
    assert "the structure is disordered" in failure.message


def test_another_choice_than_that_of_the_training_is_told(
    folder: Path, model: al.Predictor
) -> None:
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        model.predict(folder / "0.cif", disorder="enumerate")
    said = [str(w.message) for w in heard]
    assert any("not how the model's training data were read (majority)" in s for s in said)


def test_a_choice_taken_over_is_not_called_idle(
    model: al.Predictor, recwarn: pytest.WarningsRecorder
) -> None:
    model.predict("NaCl")
    assert not [w for w in recwarn if "had no effect" in str(w.message)]


@pytest.mark.filterwarnings("ignore")
def test_a_screening_reads_disorder_as_the_training_did(
    folder: Path, model: al.Predictor, tmp_path: Path
) -> None:
    plain = al.train(folder / "d.csv", target="y", model="mean", disorder="enumerate", n_models=2)
    model.save(tmp_path / "m")
    plain.save(tmp_path / "n")
    one = folder / "0.cif"

    def screened(*models: str, **wish: str) -> tuple[list[str], int]:
        out = tmp_path / f"out-{'-'.join((*models, *wish.values()))}"
        found = al.screen([tmp_path / m for m in models], one, out, format="csv", **wish)
        return [str(row["formula"]) for row in found.rows()], found.counts["failed"]

    assert screened("m") == (["NaCl"], 0)
    assert screened("m", disorder="refuse") == ([], 1)
    assert screened("m", "n") == ([], 1)  # they read it in two ways, so somebody has to choose
    assert screened("m", "n", disorder="majority") == (["NaCl"], 0)
