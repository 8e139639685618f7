"""The answer to a Series or DataFrame has its index."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ase.build import molecule
from ase.io import write
from made_predictors import EVERY_KIND, make_predictor

from atomlens.datasets import load_dataset
from atomlens.predictor.inputs import gather
from atomlens.targets import Target

TEXTS = ["CCO", "no structure", "[CH4]", "[OH2]", "CC"]
PLAIN = EVERY_KIND["plain"]
INDICES = {
    "backwards": pd.RangeIndex(4, -1, -1),
    "words": pd.Index(["e", "x", "m", "w", "a"], name="id"),
    "twice": pd.Index([7, 7, 1, 1, 7]),
    "levels": pd.MultiIndex.from_product([["a"], range(5)], names=["set", "number"]),
}
pytestmark = pytest.mark.filterwarnings("ignore:.*could not be used")


def alone(text: str) -> float:
    """What the model says of one input."""
    return float(PLAIN.predict(text).values[0, 0])


@pytest.mark.parametrize("kind", INDICES)
def test_the_index_is_that_of_the_column_or_table(kind: str) -> None:
    column = pd.Series(TEXTS, index=INDICES[kind], name="smiles")
    for given in (column, column.to_frame()):
        frame = PLAIN.predict(given).to_frame()
        assert frame.index.equals(column.index)
        assert frame.index.names == column.index.names
    frame = PLAIN.predict(column).to_frame()
    assert frame["homo"].isna().tolist() == [False, True, False, False, False]
    assert frame["error"].iloc[1]
    streamed = [part.to_frame() for part in PLAIN.predict_stream(column)]
    assert pd.concat(streamed).index.equals(column.index)


def test_values_go_into_their_own_rows() -> None:
    table = pd.DataFrame({"smiles": TEXTS, "id": list("exmwa")})
    turned = table.iloc[::-1].copy()
    turned["homo"] = PLAIN.predict(turned["smiles"]).to_frame()["homo"]
    chosen = table.set_index("id").loc[["w", "m"]]
    chosen["homo"] = PLAIN.predict(chosen).to_frame()["homo"]
    assert turned["homo"][0] == pytest.approx(alone("CCO"), abs=1e-5)
    assert turned["homo"][4] == pytest.approx(alone("CC"), abs=1e-5)
    assert chosen["homo"].tolist() == pytest.approx([alone("[OH2]"), alone("[CH4]")], abs=1e-5)


def test_lists_arrays_and_files_are_counted(tmp_path: Path) -> None:
    column = pd.Series(["CC", "CCO"], index=[5, 3], name="smiles")
    column.to_csv(tmp_path / "table.csv", index=False)
    for given in (column.to_list(), column.to_numpy(), tmp_path / "table.csv"):
        assert PLAIN.predict(given).index is None
    assert PLAIN.predict(["CC", "CCO"]).to_frame().index.tolist() == [0, 1]


def test_a_cell_with_several_structures_repeats_its_label(tmp_path: Path) -> None:
    write(tmp_path / "two.xyz", [molecule("CH4"), molecule("NH3")])
    column = pd.Series(["[OH2]", str(tmp_path / "two.xyz"), "CC"], index=["a", "b", "c"])
    assert PLAIN.predict(column).to_frame().index.tolist() == ["a", "b", "b", "c"]


def test_conformers_of_a_row_are_one_row() -> None:
    column = pd.Series(["CCCO", "nothing here", "CC"], index=["a", "b", "c"], name="smiles")
    for given in (column, column.to_frame()):
        frame = PLAIN.predict(given, conformers=2).to_frame()
        assert frame.index.tolist() == ["a", "b", "c"]
        assert frame["homo"].isna().tolist() == [False, True, False]


def test_the_points_of_a_spectrum_repeat_the_label() -> None:
    prediction = PLAIN.predict(pd.Series(["CC", "no structure", "[OH2]"], index=["a", "b", "c"]))
    grid = (1.0, 2.0, 3.0)
    spectrum = Target(name="eps", kind="spectrum", grid=grid, grid_name="energy", grid_unit="eV")
    many = {
        name: np.repeat(getattr(prediction, name), 3, axis=1)
        for name in ("values", "std", "interval_low", "interval_high")
    }
    found = replace(prediction, targets=(spectrum,), **many).to_frame()
    assert found.index.tolist() == ["a"] * 3 + ["b"] + ["c"] * 3


def test_a_data_set_of_a_table_remembers_its_rows() -> None:
    table = pd.DataFrame(
        {"smiles": [*TEXTS, "CCC"], "homo": [1.0, 2.0, 3.0, None, 5.0, 6.0]},
        index=list("abcdef"),
    )
    dataset = load_dataset(table, "homo")
    assert dataset.index is not None
    assert dataset.index.tolist() == ["a", "c", "e", "f"]
    assert dataset.subset([2, 0]).index.tolist() == ["e", "a"]
    assert PLAIN.predict(dataset).to_frame().index.tolist() == ["a", "c", "e", "f"]
    assert PLAIN.compare(dataset.subset([3, 1])).prediction.to_frame().index.tolist() == ["f", "c"]
    assert make_predictor().predict(gather(dataset)).index.tolist() == ["a", "c", "e", "f"]


@pytest.mark.filterwarnings("ignore")
def test_folds_remember_the_rows_of_a_table() -> None:
    from atomlens.selection import cross_validate

    formulas = ["NaCl", "KCl", "LiF", "KF", "NaF", "MgO", "CaO", "SrO"]
    labels = pd.MultiIndex.from_product([["x", "y"], range(4)])
    table = pd.DataFrame({"formula": formulas, "y": np.arange(8.0) ** 2}, index=labels)
    found = cross_validate(table, model="ridge", target="y", n_folds=2)
    frame = pd.concat([part.to_frame() for part in found.predictions])
    table["named"] = frame["name"]
    assert table["named"].str[0].tolist() == [formula[0] for formula in formulas]
