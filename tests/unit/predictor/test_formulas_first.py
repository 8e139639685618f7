"""A model of formulas takes a text that is both for the formula; others for the SMILES."""

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
