"""Whatever makes a measured error too small is a warning: in Python, at the terminal, in files."""

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule

from atomlens.cli import main
from atomlens.datasets.base import Sample
from atomlens.predictor import load
from atomlens.selection import cross_validate
from atomlens.training import TrainingProgress, train

pytestmark = pytest.mark.usefixtures("no_pictures")

QUICK: dict[str, Any] = {
    "epochs": 1,
    "n_threads": 1,
    "model_settings": {"n_layers": 1, "n_features": 8, "n_hidden": 8},
}
NAMES = "CH4 NH3 H2O HCl CO2 N2 C2H6 C2H4 C2H2 CH3OH HCN H2CO CH3Cl H2O2 N2O C6H6".split()
BEFORE = "have their structure in the pretraining too"
TWICE = "have their structure in the training part too"


def samples(names: list[str], scale: float = 1.0) -> list[Sample]:
    found = []
    for i, name in enumerate(names):
        atoms = molecule(name)
        atoms = Atoms(atoms.symbols, scale * atoms.positions)
        found.append(Sample(atoms=atoms, targets={"size": float(len(atoms))}, identifier=f"{i}"))
    return found


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("known") / "first"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("atomlens.training.pipeline.draw", lambda *_: True)
        train(samples(NAMES), model="cgcnn", out=out, split="random:.5/.25/.25", **QUICK)
    return out


def is_of_values(text: str) -> bool:
    """Say whether a warning is of the sizes of the values here, or that they are not learned."""
    return "as totals do" in text or "no better than predicting the mean" in text


def texts(heard: list[warnings.WarningMessage]) -> list[str]:
    return [str(w.message) for w in heard]


def test_fine_tuning_warns_of_test_samples_that_the_pretraining_had(
    pretrained: Path, tmp_path: Path
) -> None:
    given = {**QUICK, "start_from": str(pretrained), "split": "random:.5/.25/.25", "seed": 5}
    del given["model_settings"]
    with pytest.warns(UserWarning, match=BEFORE) as heard:
        tuned = train(samples(NAMES), out=tmp_path / "m", **given)
    own = [w for w in heard if w.category is UserWarning and not is_of_values(str(w.message))]
    assert len(own) == 1  # others are those of newer packages
    assert own[0].filename == __file__  # where train is called
    known = set(load(pretrained).record.split["train"]) | set(
        load(pretrained).record.split["validation"]
    )
    n = len(known & set(tuned.record.split["test"]))
    assert texts(own)[0].startswith(f"{n} of 4 samples of the test part")
    assert BEFORE in (tmp_path / "m" / "README.md").read_text()


def test_fine_tuning_with_the_same_parts_or_new_structures_warns_of_nothing(
    pretrained: Path,
) -> None:
    given = {**QUICK, "start_from": str(pretrained), "split": "random:.5/.25/.25"}
    del given["model_settings"]
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always", UserWarning)
        train(samples(NAMES), **given)
        train(samples(NAMES, 1.1), seed=5, **given)
    own = [w for w in heard if w.category is UserWarning]
    assert [text for text in texts(own) if not is_of_values(text)] == []


def test_cross_validation_of_a_pretrained_model_says_that_it_knows_the_folds(
    pretrained: Path, tmp_path: Path
) -> None:
    given = {**QUICK, "start_from": str(pretrained)}
    del given["model_settings"]
    with pytest.warns(UserWarning, match=BEFORE):
        found = cross_validate(samples(NAMES), n_folds=2, out=tmp_path / "cv", **given)
    assert "12 in the pretraining were known" in found.remarks[0]
    assert found.remarks[1].startswith("interval_coverage is empty in every fold: size: ")
    summary = json.loads((tmp_path / "cv" / "summary.json").read_text())
    assert summary["remarks"] == list(found.remarks)
    for k in (0, 1):
        assert BEFORE in (tmp_path / "cv" / f"fold-{k}" / "README.md").read_text()


def table(path: Path) -> str:
    rows = [f"{'C' * (1 + i // 2)}O,{i}" for i in range(24)]
    path.write_text("\n".join(["smiles,size", *rows]) + "\n")
    return str(path)


def test_in_python_leaks_and_contradictions_are_warnings_once_each(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match=TWICE) as heard:
        train(table(tmp_path / "twice.csv"), model="ridge", cache_dir=str(tmp_path))
    assert sum(TWICE in text for text in texts(list(heard))) == 1
    (said,) = [t for t in texts(list(heard)) if "stand in several rows with different" in t]
    assert "Half of them differ by 1 or more (the standard deviation of all values is 6.92)" in said


def test_values_over_decades_contradict_each_other_by_their_ratio(tmp_path: Path) -> None:
    """15 and 528 nM differ more than 321 and 429 µM, though the difference is smaller."""
    values = np.geomspace(1, 1e6, 40)
    rows = [f"{'C' * (1 + i)}O,{v:g}" for i, v in enumerate(values)]
    rows += [f"{'C' * 12}O,{values[11] * 35:g}", f"{'C' * 40}O,{values[39] * 1.3:g}"]
    (tmp_path / "d.csv").write_text("\n".join(["smiles,ic50", *rows]) + "\n")
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        train(str(tmp_path / "d.csv"), model="ridge", cache_dir=str(tmp_path))
    (said,) = [text for text in texts(list(heard)) if "several rows" in text]
    assert said.startswith("2 structure(s) stand in several rows")
    assert f": {values[11]:g} and {values[11] * 35:g}. " in said
    assert "one temperature" in said


def test_rows_of_mirror_images_are_called_so(tmp_path: Path) -> None:
    pairs = ["C[C@{}H](CCC)O", "C[C@{}H](F)Cl", "CC[C@{}H](N)C(=O)O"]
    rows = [
        f"{one.format(hand)},{10 * (i + 1)}" for one in pairs for i, hand in enumerate(("", "@"))
    ]
    rows += [f"{'C' * i}O,{i}" for i in range(1, 10)]
    path = tmp_path / "hands.csv"
    path.write_text("\n".join(["smiles,rotation", *rows]) + "\n")
    with pytest.warns(UserWarning, match="3 structure.* mirror images of each other .enantiomers"):
        train(str(path), model="mean", cache_dir=str(tmp_path))


def test_who_listens_to_warnings_hears_them_instead(tmp_path: Path) -> None:
    class Listener(TrainingProgress):
        def __init__(self) -> None:
            self.heard: list[str] = []

        def warning(self, text: str) -> None:
            self.heard.append(text)

    listener, data = Listener(), table(tmp_path / "twice.csv")
    train(data, model="ridge", cache_dir=str(tmp_path), progress=listener)
    assert sum(TWICE in text for text in listener.heard) == 1


def test_at_the_terminal_cv_says_it_behind_the_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [table(tmp_path / "twice.csv"), "--target", "size", "--model", "ridge", "--quiet"]
    assert main(["cv", *rows, "--folds", "3", "--out", str(tmp_path / "cv")]) == 0
    said = capsys.readouterr().err
    assert "were known to the model that predicted them" in said
    assert said.count("stand in several rows with different values") == 1  # of three folds
    assert json.loads((tmp_path / "cv" / "summary.json").read_text())["remarks"]


def test_a_search_warns_once_for_all_trials(pretrained: Path) -> None:
    pytest.importorskip("optuna")
    from atomlens.selection import tune

    given = {**QUICK, "start_from": str(pretrained), "seed": 5, "split": "random:.5/.25/.25"}
    del given["model_settings"]
    with pytest.warns(UserWarning, match=BEFORE) as heard:
        tune(samples(NAMES), model="cgcnn", space=["learning_rate"], n_trials=2, **given)
    assert sum(BEFORE in text for text in texts(list(heard))) == 1


def test_evaluation_counts_alike() -> None:
    from atomlens.predictor.judged_data import counted_known

    assert counted_known(["", "test"]) == ""
    parts = [str(p) for p in np.repeat(["train", "", "pretraining"], 2)]
    assert counted_known(parts) == "2 in the training part and 2 in the pretraining"
