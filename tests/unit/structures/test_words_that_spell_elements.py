"""Words whose letters are elements: what says nothing is no formula, other words are told."""

import warnings

import pandas as pd
import pytest

import atomlens as al
from atomlens.errors import StructureError
from atomlens.structures.formulas import amounts_in_formula, from_formula


@pytest.mark.parametrize("word", ["UNKNOWN", "UNK", "NaN"])
def test_words_for_nothing_are_no_formula(word: str) -> None:
    with pytest.raises(StructureError, match="missing value"):
        from_formula(word)
    with pytest.raises(StructureError, match="missing value"):
        amounts_in_formula(word, adducts=False)
    (symbol, *_) = from_formula("Na1N1" if word == "NaN" else "U1N1K1").symbols
    assert symbol in ("Na", "U")


@pytest.mark.parametrize(
    "word", ["BONUS", "SKIP", "VISION", "CHUNK", "OFF", "FOO", "CIF", "YBCO", "KNN", "PVC", "OK"]
)
def test_words_and_abbreviations_are_read_with_a_warning(word: str) -> None:
    (said,) = from_formula(word).info["warnings"]
    assert f"letter by letter, as {', '.join(word)}" in said


@pytest.mark.parametrize(
    "formula",
    "NO No Na CN CO HCN KCN KOH UO VN InF HfO2 NaN3 NbO NbN OsN KSCN KOCN HOCN HCOOH HOOH NCCN "
    "HONO UN WC PN BN OCS".split(),
)
def test_formulas_stay_formulas(formula: str) -> None:
    assert "warnings" not in from_formula(formula).info


def test_a_cell_of_a_table_that_says_nothing_is_a_row_that_fails() -> None:
    cells = ["Fe2O3", "UNKNOWN", "NO", "NaN3", "BONUS"]
    table = pd.DataFrame({"formula": cells, "y": [1.0, 2.0, 3.0, 4.0, 5.0]})
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        data = al.load_dataset(table, "y")
    assert [f.message for f in data.failures if "missing value" in f.message]
    assert len(data) == 4
    assert any("letter by letter" in str(w.message) for w in heard)
