"""A model of formulas takes a text that is both for the formula; others for the SMILES."""

from pathlib import Path

import pytest

import atomlens as al


@pytest.fixture(scope="module")
def gaps() -> "al.Predictor":
    return al.load("box:formula-gap")


def test_a_text_that_is_both_is_the_formula_to_a_model_of_formulas(gaps: "al.Predictor") -> None:
    found = gaps.predict(["BN", "formula:BN", "C"])
    assert found.values[0] == pytest.approx(found.values[1])
    assert list(found.n_atoms) == [2, 2, 1]
    assert not any(word and "SMILES" in word for word in found.warnings)
    assert gaps.explain("BN").scores.shape == (2,)


def test_what_was_forced_or_is_a_smiles_alone_stays_one(gaps: "al.Predictor") -> None:
    found = gaps.predict(["smiles:C", "CCO"])
    assert list(found.n_atoms) == [5, 9]
    assert all("molecule" in str(word) for word in found.warnings)


def test_a_model_of_molecules_takes_the_smiles() -> None:
    with pytest.warns(UserWarning, match="read as SMILES"):
        assert list(al.load("box:qm9").predict(["C"]).n_atoms) == [5]


def test_an_embedding_is_of_what_is_predicted(gaps: "al.Predictor") -> None:
    found = gaps.embed(["BN", "formula:BN", "smiles:BN"]).vectors
    assert (found[0] == found[1]).all()
    assert (found[0] != found[2]).any()


def test_a_formula_has_one_shape_however_many_are_asked_for(gaps: "al.Predictor") -> None:
    with pytest.warns(UserWarning, match="conformers 3 had no effect"):
        found = gaps.predict(["C", "BN"], conformers=3)
    assert found.formulas == ("C", "BN")


def test_atoms_in_hand_are_what_they_are(gaps: "al.Predictor") -> None:
    with pytest.warns(UserWarning, match="read as SMILES"):
        assert gaps.predict(al.read("CO")).formulas == ("CH4O",)


def test_the_rows_of_a_table_are_read_as_texts_are(gaps: "al.Predictor", tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text("material,band_gap [eV]\nBN,6\nC,5\n")
    (found,) = gaps.predict_stream(str(table), {"structure_column": "material"})
    assert found.formulas == ("BN", "C")


def test_evaluation_reads_for_the_model(gaps: "al.Predictor", tmp_path: Path) -> None:
    from atomlens.predictor.reading import reading_for

    table = tmp_path / "t.csv"
    table.write_text("material,band_gap [eV]\nBN,6\nC,5\n")
    options = reading_for(gaps, table, {"structure_column": "material"}).options
    data = al.load_dataset(table, "band_gap", **options)
    assert data.structures.is_formula.all()


def test_explanations_of_many_are_of_what_was_given(gaps: "al.Predictor") -> None:
    found = list(gaps.explain_many(["BN", "smiles:CO"]))
    assert [one.source for one in found] == ["BN", "smiles:CO"]
    assert [len(one.scores) for one in found] == [2, 6]
