"""Matbench's tasks as tables of compositions, and models whose tests are repeated with them."""

import gzip
from pathlib import Path

import numpy as np
import pytest

import atomlens as al
from atomlens.datasets.matbench import TASKS, load_matbench, tasks_of
from atomlens.errors import DatasetError
from atomlens.predictor.verifying import verify

FORMULAS = [
    f"{a}{n}{b}" for a in ("Mg", "Ca", "Zn", "Sr", "Ba") for n in ("", "2", "3") for b in "OS"
]


def write(folder: Path, task: str, formulas: list[str], scale: float = 1.0) -> None:
    rows = [f"mb-{i},{f},{scale * (i % 7)},{i % 5}" for i, f in enumerate(formulas)]
    text = "\n".join([f"mbid,composition,{TASKS[task][0]},test_fold", *rows]) + "\n"
    (folder / f"matbench_{task}.csv.gz").write_bytes(gzip.compress(text.encode()))


def test_tasks_of_the_same_compositions_are_one_data_set_in_official_folds(tmp_path: Path) -> None:
    write(tmp_path, "log_kvrh", FORMULAS)
    write(tmp_path, "log_gvrh", FORMULAS, 2.0)
    data = load_matbench(tmp_path, ("log_kvrh", "log_gvrh"))
    assert [t.name for t in data.targets] == ["log_bulk_modulus", "log_shear_modulus"]
    assert np.array_equal(data.values[:, 1], 2 * data.values[:, 0])
    assert data.splits["test"].tolist() == list(range(0, 30, 5))
    assert tasks_of(data.name) == ("log_kvrh", "log_gvrh")
    assert len(data.splits["train"]) + len(data.splits["validation"]) == 24


@pytest.mark.parametrize("name", ["qm9", "matbench_phonons and qm9", "my matbench_phonons", ""])
def test_other_data_have_no_tasks(name: str) -> None:
    assert tasks_of(name) == ()


def test_tasks_with_other_rows_missing_files_and_unknown_tasks_are_sentences(
    tmp_path: Path,
) -> None:
    write(tmp_path, "log_kvrh", FORMULAS)
    write(tmp_path, "log_gvrh", FORMULAS[::-1])
    with pytest.raises(DatasetError, match="the same rows"):
        load_matbench(tmp_path, ("log_kvrh", "log_gvrh"))
    with pytest.raises(DatasetError, match=r"no matbench_phonons\.csv\.gz"):
        load_matbench(tmp_path, ("phonons",))
    with pytest.raises(DatasetError, match="Did you mean 'phonons'"):
        load_matbench(tmp_path, ("phonon",))


def test_the_test_of_a_model_is_repeated_from_the_folder_of_the_tables(tmp_path: Path) -> None:
    write(tmp_path, "phonons", FORMULAS)
    model = al.train(load_matbench(tmp_path, ("phonons",)), model="ridge", split="source")
    model.save(tmp_path / "model")
    found = verify(tmp_path / "model", tmp_path)
    assert found.agrees
    assert found.n == 6
    write(tmp_path, "phonons", FORMULAS[:-1])
    assert verify(tmp_path / "model", tmp_path).n == 6  # the last one was not in the test part
    write(tmp_path, "phonons", FORMULAS, 1.5)
    assert not verify(tmp_path / "model", tmp_path).agrees
