"""``atomlens cv`` and ``atomlens tune`` as typed."""

import csv
import json
import shlex
from pathlib import Path

import numpy as np
import pytest

from atomlens.cli import main
from atomlens.datasets import load_dataset
from atomlens.errors import SettingsError, TrainingError
from atomlens.models.baselines import RidgeConfig
from atomlens.selection.cross_validation import cross_validate, make_folds, nested_split
from atomlens.selection.space import parse_dimension, search_space
from atomlens.selection.tuning import tune

METALS, OTHERS = ("Li", "Na", "K", "Rb", "Cs"), ("F", "Cl", "Br", "I")


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Salts with a property that a linear model can learn; every formula twice."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ATOMLENS_CACHE", str(tmp_path / "cache"))
    rows = [
        f"{m}{o},{i + 10 * j + k}"
        for i, m in enumerate(METALS)
        for j, o in enumerate(OTHERS)
        for k in (0, 1)
    ]
    path = tmp_path / "salts.csv"
    path.write_text("\n".join(["formula,size [eV]", *rows]) + "\n")
    return path


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def _cv(table: Path, *more: str) -> int:
    typed = ["cv", str(table), "--target", "size", "--model", "ridge", "--out", "cv", "--quiet"]
    return main([*typed, *more])


def test_cv_predicts_every_sample_once_by_a_model_that_never_saw_it(
    table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _cv(table, "--folds", "4", "--by", "composition") == 0
    assert "mean" in capsys.readouterr().out
    rows = _rows(Path("cv/predictions.csv"))
    assert len(rows) == 40
    by_formula: dict[str, set[str]] = {}
    for row in rows:
        by_formula.setdefault(row["formula"], set()).add(row["fold"])
    assert {len(folds) for folds in by_formula.values()} == {1}  # no formula on both sides
    folds = _rows(Path("cv/folds.csv"))
    assert [row["fold"] for row in folds] == ["0", "1", "2", "3", "mean", "std", "pooled"]
    maes = [float(row["mae"]) for row in folds[:4]]
    assert float(folds[4]["mae"]) == pytest.approx(np.mean(maes))
    assert float(folds[5]["mae"]) == pytest.approx(np.std(maes, ddof=1))
    errors = [abs(float(r["size"]) - float(r["size_true"])) for r in rows]
    pooled = json.loads(Path("cv/summary.json").read_text())["pooled"]["targets"]["size"]
    assert pooled["mae"] == pytest.approx(np.mean(errors))
    assert float(folds[6]["rmse"]) == pytest.approx(np.sqrt(np.mean(np.square(errors))))
    assert folds[6]["n"] == "40"
    assert Path("cv/parity.png").is_file()
    for k in range(4):
        split = json.loads(Path(f"cv/fold-{k}/split.json").read_text())
        tested = {r["name"] for r in rows if r["fold"] == str(k)}
        assert len(split["test"]) == 10
        assert not tested & {name.partition("#")[0] for name in split["train"]}


def test_a_fold_of_one_sample_has_no_ratio(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _cv(table, "--folds", "40") == 0
    *folds, mean, _, pooled = _rows(Path("cv/folds.csv"))
    assert {row["mad_mae"] for row in (*folds[:40], mean)} == {""}
    assert float(pooled["mad_mae"]) > 0
    assert float(pooled["r2"]) < 1


def test_cv_goes_on_where_it_was_stopped(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _cv(table) == 0
    first = Path("cv/folds.csv").read_bytes()
    kept = Path("cv/fold-0/model.safetensors").stat().st_mtime_ns
    for gone in ("cv/folds.csv", "cv/fold-3/settings.json"):
        Path(gone).unlink()
    import shutil

    shutil.rmtree("cv/fold-3")
    assert _cv(table) == 2
    assert "--resume" in capsys.readouterr().err
    assert _cv(table, "--resume") == 0
    assert Path("cv/folds.csv").read_bytes() == first
    assert Path("cv/fold-0/model.safetensors").stat().st_mtime_ns == kept
    assert _cv(table, "--resume", "--folds", "4") == 2
    assert "another n_folds" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "why"),
    [
        (["--folds", "1"], "at least 2"),
        (["--folds", "99"], "at most as many"),
        (["--by", "source"], "column `fold`"),
        (["--split", "random:.8/.1/.1"], "--folds and --by"),
    ],
)
def test_cv_says_what_is_impossible(
    table: Path, more: list[str], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _cv(table, *more) == 2
    said = capsys.readouterr().err
    assert why in said
    assert len(said.strip().splitlines()) == 1
    assert not Path("cv/folds.csv").exists()


def test_folds_are_parts_of_about_one_size_and_validation_is_outside(table: Path) -> None:
    data = load_dataset(table, ["size"])
    folds = make_folds(data, 3, seed=1)
    assert sorted(np.concatenate(folds).tolist()) == list(range(40))
    assert {len(f) for f in folds} == {13, 14}
    split = nested_split(folds, 1, 0)
    assert not set(split.validation.tolist()) & set(split.test.tolist())
    assert len(split.validation) == 2
    with pytest.raises(SettingsError, match="folds are made"):
        make_folds(data, 3, by="magic")


def test_folds_of_the_data_are_used(table: Path) -> None:
    lines = table.read_text().splitlines()
    marked = [f"{lines[0]},fold", *(f"{row},{i % 2}" for i, row in enumerate(lines[1:]))]
    table.write_text("\n".join(marked) + "\n")
    found = cross_validate(table, model="mean", target="size", by="source")
    assert [len(f) for f in found.folds] == [20, 20]
    with pytest.raises(SettingsError, match="has 2 folds of its own and not 5"):
        cross_validate(table, model="mean", target="size", by="source", n_folds=5)


def _tune(table: Path, *more: str) -> int:
    typed = ["tune", str(table), "--target", "size", "--out", "tune", "--quiet"]
    return main([*typed, *more])


RIDGE = ("--model", "ridge", "--search", "model.l2=1e-6:1e4:log")


def test_tune_finds_the_better_setting_and_train_takes_it(table: Path) -> None:
    pytest.importorskip("optuna")
    assert _tune(table, *RIDGE, "--trials", "8") == 0
    rows = _rows(Path("tune/trials.csv"))
    assert len(rows) == 8
    complete = sorted(rows, key=lambda r: float(r["MAE eV"]))
    assert float(complete[0]["model.l2"]) < float(complete[-1]["model.l2"])
    typed = ["train", str(table), "--target", "size", "--model", "ridge", "--out", "best"]
    assert main([*typed, "--config", "tune/best.yaml", "--quiet"]) == 0
    settings = json.loads(Path("best/settings.json").read_text())
    assert settings["model"]["config"]["l2"] == pytest.approx(float(complete[0]["model.l2"]))
    assert Path("tune/trials.png").is_file()


def test_tune_goes_on_with_its_journal(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    optuna = pytest.importorskip("optuna")
    assert _tune(table, *RIDGE, "--trials", "2") == 0
    first = _rows(Path("tune/trials.csv"))
    assert _tune(table, *RIDGE, "--trials", "4") == 2
    assert "--resume" in capsys.readouterr().err
    backend = optuna.storages.journal.JournalFileBackend("tune/journal.log")
    storage = optuna.storages.JournalStorage(backend)
    optuna.load_study(study_name="atomlens", storage=storage).ask()  # as a kill leaves it
    assert _tune(table, *RIDGE, "--trials", "4", "--resume") == 0
    rows = _rows(Path("tune/trials.csv"))
    assert rows[:2] == first
    assert [r["state"] for r in rows] == ["complete", "complete", "failed", "complete"]
    assert _tune(table, "--model", "ridge", "--search", "model.l2=1:2", "--resume") == 2
    assert "another space" in capsys.readouterr().err


def test_tune_cuts_hopeless_trials_and_counts_impossible_ones(table: Path) -> None:
    pytest.importorskip("optuna")
    Path("space.yaml").write_text(
        "training:\n  learning_rate: [1.0e-9, 1.0e-2]\nmodel:\n  n_heads: [2, 3]\n"
    )
    small = ["--set", "model.n_layers=1", "--set", "model.n_features=16"]
    typed = ["--model", "lens", "--space", "space.yaml", "--trials", "12", "--epochs", "5", *small]
    assert _tune(table, *typed) == 0
    states = [r["state"] for r in _rows(Path("tune/trials.csv"))]
    assert len(states) == 12
    assert states.count("failed") >= 1  # 16 features for 3 heads
    assert states.count("complete") >= 4


def test_the_next_command_trains_what_was_searched(
    table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("optuna")
    shared = ["--set", "model.n_layers=1", "--set", "model.n_features=16", "--epochs", "1"]
    shared += ["--seed", "3", "--split", "random:.6/.2/.2", "--nonnegative"]
    searched = ["--model", "lens", "--search", "batch_size=8,16", "--trials", "2"]
    assert _tune(table, *searched, *shared) == 0
    (command,) = [line for line in capsys.readouterr().out.splitlines() if "--config" in line]
    program, *typed = shlex.split(command)
    assert program == "atomlens"
    assert main([*typed, "--quiet"]) == 0
    settings = json.loads(Path("runs/best/settings.json").read_text())
    best = min(_rows(Path("tune/trials.csv")), key=lambda row: float(row["MAE eV"]))
    training = settings["training"]["settings"]
    assert settings["model"]["config"]["n_layers"] == 1
    assert [training[k] for k in ("epochs", "seed", "split")] == [1, 3, "random:.6/.2/.2"]
    assert training["batch_size"] == int(best["training.batch_size"])
    assert settings["scaling"]["targets"][0]["nonnegative"]
    found = json.loads(Path("runs/best/metrics.json").read_text())["validation"]["targets"]["size"]
    assert found["mae"] == pytest.approx(float(best["MAE eV"]), rel=1e-4)


def test_a_search_that_starts_from_a_model_takes_its_kind_and_says_why_it_fails(
    table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("optuna")
    small = ["--set", "model.n_layers=1", "--set", "model.n_features=16", "--epochs", "1"]
    typed = ["train", str(table), "--target", "size", "--model", "finder", "--out", "first"]
    assert main([*typed, *small[:-4], "--set", "model.n_features=8", *small[-2:], "--quiet"]) == 0
    searched = ["--from", "first", "--search", "batch_size=8,16", "--trials", "1", "--epochs", "1"]
    assert _tune(table, *searched) == 0
    assert [row["state"] for row in _rows(Path("tune/trials.csv"))] == ["complete"]
    capsys.readouterr()
    wrong = [*searched, "--set", "model.n_layers=7", "--out", "wrong"]
    assert _tune(table, *wrong) == 2
    assert "contradicts the pretrained model" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "why"),
    [
        (["--search", "model.n_element"], "Did you mean 'n_elements'"),
        (["--search", "epochs"], "not searched for"),
        (["--search", "learning_rate=3:1"], "must be below"),
        (["--search", "learning_rate=-1:1"], "must be"),
        (["--search", "learning_rate=a:b"], "needs the numbers"),
        (["--search", "batch_size=0,1"], "batch_size=0"),
        (["--search", "=1"], "write NAME"),
        (["--trials", "0"], "at least 1"),
        (["--max-minutes", "-1"], "above 0"),
        (["--space", "none.yaml"], "--space none.yaml: there is no such file"),
        (["--space", "empty.yaml"], "names no setting"),
        (["--space", ""], "--space"),
    ],
)
def test_tune_says_what_is_wrong(
    table: Path, more: list[str], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("optuna")
    Path("empty.yaml").touch()
    assert _tune(table, "--model", "ridge", *more) == 2
    said = capsys.readouterr().err
    assert why in said
    assert len(said.strip().splitlines()) == 1


def test_ranges_lie_around_defaults_inside_bounds() -> None:
    space = {d.key: d for d in search_space("lens", "voronoi")}
    rate = space["training.learning_rate"]
    assert (rate.low, rate.high, rate.log) == (pytest.approx(5e-5), pytest.approx(5e-3), True)
    assert (space["model.n_layers"].low, space["model.n_layers"].high) == (2, 8)
    (schedule,) = search_space("lens", "voronoi", ["schedule"])
    assert "cosine" in schedule.choices
    with pytest.raises(SettingsError, match="write which values"):
        search_space("lens", "voronoi", ["model.element_vectors"])
    assert parse_dimension("model.n_layers=2:5") == (
        "model.n_layers",
        {"low": 2, "high": 5, "log": False},
    )


def test_a_folder_of_something_else_is_left_alone(table: Path) -> None:
    Path("cv").mkdir()
    Path("cv/mine.txt").write_text("mine")
    with pytest.raises(TrainingError, match="not empty"):
        cross_validate(table, model="mean", target="size", out="cv")
    assert Path("cv/mine.txt").read_text() == "mine"


def test_cv_says_when_nothing_was_learned(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = table.read_text().splitlines()
    noise = [(-1) ** (i // 2 + i // 5) * (i % 7) for i in range(len(lines) - 1)]
    rows = [f"{line.partition(',')[0]},{v}" for line, v in zip(lines[1:], noise, strict=True)]
    table.write_text("\n".join([lines[0], *rows]) + "\n")
    assert _cv(table, "--folds", "3", "--by", "composition") == 0
    shown = capsys.readouterr()
    assert "size: no better than predicting the mean" in shown.err


def test_a_search_takes_models_as_a_training_does(table: Path) -> None:
    pytest.importorskip("optuna")
    with pytest.raises(SettingsError, match="Did you mean 'ridge'"):
        tune(table, model="rigde", target="size")
    found = tune(table, model=RidgeConfig(fractions=True), target="size", n_trials=1)
    assert found.model == "ridge"
    assert found.shared["model"] == {"fractions": True}
