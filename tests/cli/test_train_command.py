"""``atomlens train``: settings as typed reach the model, and the errors are sentences."""

import json
from pathlib import Path

import pytest

from atomlens.cli import main
from model_makers import settings_of

SMILES = ["C", "CC", "CCC", "CCCC", "CCCCC", "O", "CO", "CCO", "CCCO", "CCCCO", "N", "CN"]
TINY = ["--set", "model.n_layers=1", "--set", "model.n_features=16", "--set", "model.n_heads=2"]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Twelve molecules with a property that counts carbon atoms."""
    path = tmp_path / "table.csv"
    rows = [f"{s},{s.count('C') + 0.5}" for s in SMILES]
    path.write_text("smiles,size [a.u.]\n" + "\n".join(rows) + "\n")
    return path


def _train(table: Path, out: Path, *arguments: object) -> int:
    fixed = ["train", table, "--target", "size", "--out", out, "--set", f"cache_dir={out.parent}/c"]
    return main([*map(str, fixed), *map(str, arguments)])


def test_a_table_becomes_a_model_folder(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "model"
    assert _train(table, out, "--epochs", 2, "--split", "random:.5/.25/.25", *TINY) == 0
    assert {"settings.json", "model.safetensors", "metrics.json", "split.json", "README.md"} <= {
        p.name for p in out.iterdir()
    }
    settings = settings_of(out)
    assert settings["model"]["config"]["n_layers"] == 1
    assert settings["training"]["settings"]["epochs"] == 2
    shown = capsys.readouterr()
    assert "MAE of the mean" in shown.out
    assert "a.u." in shown.out
    assert f"atomlens predict {out}" in shown.out
    assert main(["predict", str(out), "CCCCCC", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["unit"] == "a.u."


def test_options_win_over_set_and_set_over_the_config_file(table: Path, tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    config.write_text(
        "training: {epochs: 9, batch_size: 4, seed: 3}\nmodel: {n_layers: 2}\n"
        "builder: {cutoff: 3.5}\n"
    )
    out = tmp_path / "model"
    code = _train(
        table, out, "--config", config, *TINY, "--set", "epochs=8", "--epochs", 1,
        "--split", "random:.5/.25/.25",
    )  # fmt: skip
    assert code == 0
    settings = settings_of(out)
    used = settings["training"]["settings"]
    assert (used["epochs"], used["batch_size"], used["seed"]) == (1, 4, 3)
    assert settings["model"]["config"]["n_layers"] == 1
    assert settings["builder"]["settings"]["cutoff"] == 3.5


@pytest.mark.parametrize("where", ["set", "config"])
def test_a_value_that_an_option_wins_over_must_be_one(
    where: str, table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "c.yaml"
    config.write_text("training: {epochs: many}\n")
    said = ["--set", "epochs=many"] if where == "set" else ["--config", config]
    assert _train(table, tmp_path / "m", "--epochs", 2, *said) == 2
    assert "epochs" in (shown := capsys.readouterr().err)
    assert "many" in shown
    assert not (tmp_path / "m").exists()


def test_a_baseline_needs_no_epochs(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _train(table, tmp_path / "m", "--model", "ridge", "--split", "random:.5/.25/.25") == 0
    assert "test" in capsys.readouterr().out


def test_a_finished_run_is_not_overwritten_and_resume_takes_it(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("--model", "mean", "--split", "random:.5/.25/.25")
    out = tmp_path / "m"
    assert _train(table, out, *arguments) == 0
    assert _train(table, out, *arguments) == 2
    assert "--resume" in capsys.readouterr().err
    assert _train(table, out, *arguments, "--resume") == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "model.n_layer=3"], "Did you mean 'n_layers'?"),
        (["--set", "epoch=3"], "Did you mean 'epochs'?"),
        (["--set", "epochs=many"], "must be a whole number"),
        (["--set", "modle.n_layers=3"], "Did you mean 'model'?"),
        (["--set", "builder.cutof=3"], "Did you mean 'cutoff'?"),
        (["--set", "loss=mea"], "loss"),
        (["--model", "scan"], "Did you mean 'scann'?"),
        (["--builder", "vornoi"], "Did you mean 'voronoi'?"),
        (["--split", "randon:.8/.1/.1"], "Did you mean 'random'?"),
        (["--config", "missing.yaml"], "no such file"),
    ],
)
def test_a_wrong_setting_is_one_sentence_before_any_training(
    arguments: list[str], message: str, table: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    out = tmp_path / "m"
    assert _train(table, out, *arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (out / "settings.json").exists()


def test_an_unknown_target_is_offered_the_nearest(
    table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", str(table), "--target", "sise"]) == 2
    assert "Did you mean 'size'?" in capsys.readouterr().err


def test_a_bad_row_is_named_and_the_others_are_learned(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table.write_text(table.read_text() + "C(C,3.5\n")
    out = tmp_path / "m"
    assert _train(table, out, "--model", "ridge", "--split", "random:.5/.25/.25") == 1
    shown = capsys.readouterr()
    assert shown.err.startswith("atomlens: 1 of 13 samples cannot be used and are left out:\n")
    assert "row 13" in shown.err
    assert "C(C" in shown.err
    assert "test" in shown.out
    (failure,) = json.loads((out / "failures.json").read_text())
    assert "C(C" in failure["message"]


def test_the_only_target_needs_no_name_and_several_do(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = ["train", str(table), "--model", "mean", "--split", "random:.5/.25/.25"]
    assert main(arguments) == 0
    assert Path("runs/table-size/settings.json").is_file()
    lines = table.read_text().splitlines()
    table.write_text("\n".join([f"{lines[0]},second", *(f"{line},1" for line in lines[1:])]))
    assert main(arguments) == 2
    assert "size, second" in capsys.readouterr().err
    assert main([*arguments, "--unit", "eV"]) == 2
    assert "--target" in capsys.readouterr().err


@pytest.mark.parametrize("names", [["--target", "a,b"], ["--target", "b", "--target", "a"]])
def test_several_targets_are_named_in_a_list_or_one_by_one(
    tmp_path: Path, names: list[str]
) -> None:
    rows = "".join(f"{s},{len(s)},{2 * len(s)},{len(s)}\n" for s in SMILES)
    (tmp_path / "t.csv").write_text("smiles,a,b,x\n" + rows)
    words = ["train", str(tmp_path / "t.csv"), "--model", "mean", "--quiet", *names]
    assert main([*words, "--out", str(tmp_path / "m")]) == 0
    learned = json.loads((tmp_path / "m" / "settings.json").read_text())["scaling"]["targets"]
    assert {target["name"] for target in learned} == {"a", "b"}


def test_a_list_with_a_target_that_is_not_there_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "t.csv").write_text("smiles,a,b\nC,1,2\nCC,2,3\nCCC,3,4\n")
    words = ["train", str(tmp_path / "t.csv"), "--model", "mean", "--target", "a,c"]
    assert main([*words, "--out", str(tmp_path / "m")]) == 2
    assert "no target column 'a,c'" in capsys.readouterr().err


def test_what_a_table_does_not_say_can_be_said(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("text,label\n" + "\n".join(f"smiles:{s},{len(s) % 2}" for s in SMILES) + "\n")
    out = tmp_path / "m"
    code = main([
        "train", str(path), "--target", "label", "--classification", "--structure-column", "text",
        "--split", "random:.5/.25/.25", "--epochs", "1", "--out", str(out), *TINY,
    ])  # fmt: skip
    assert code == 0
    assert '"classes": [' in (out / "settings.json").read_text()


def test_names_of_targets_lead_to_no_other_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["x/../../../evil", "E/atom", "e" * 300, "E_atom"]
    smiles = ["C" * n + end for n in range(1, 8) for end in ("O", "N", "F")]
    rows = [[s, *(str(len(s) + k) for k in range(4))] for s in smiles]
    inside = tmp_path / "a" / "b"
    inside.mkdir(parents=True)
    monkeypatch.chdir(inside)
    Path("t.csv").write_text("\n".join(",".join(row) for row in [["smiles", *names], *rows]))
    asked = [x for name in names for x in ("--target", name)]
    assert main(["train", "t.csv", *asked, "--model", "ridge", "--quiet"]) == 0
    (folder,) = Path("runs").iterdir()
    assert len(list(folder.glob("parity_*.png"))) == 4
    assert main(["evaluate", str(folder), "t.csv", "--out", "report", "--quiet"]) == 0
    assert len(list(Path("report").glob("parity-*.png"))) == 4
    assert {p.name for p in tmp_path.rglob("*")} >= {"report", "runs"}
    assert [p.name for p in tmp_path.iterdir()] == ["a"]
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["b"]


def test_a_model_no_better_than_the_mean_is_told_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table, out = tmp_path / "misled.csv", tmp_path / "model"
    rows = [f"{s},{s.count('C')},train" for s in SMILES]
    rows += ["CCCN,3,validation", "CCCCCCC,-7,test", "CCCCCCCC,-8,test"]
    table.write_text("smiles,size [a.u.],split\n" + "\n".join(rows) + "\n")
    words = ("--model", "ridge", "--split", "source")
    assert _train(table, out, *words) == 0
    said = "size: no better than predicting the mean of the training part on the test part: "
    assert said in capsys.readouterr().out
    assert said in (out / "README.md").read_text()
    report = tmp_path / "report"
    assert main(["evaluate", str(out), str(table), "--part", "test", "--out", str(report)]) == 0
    assert "size: no better than predicting the mean" in capsys.readouterr().err
    assert "no better than predicting the mean" in (report / "index.html").read_text()


def test_a_model_that_has_learned_and_the_mean_itself_are_not_blamed(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("ridge", "mean"):
        out = tmp_path / name
        assert _train(table, out, "--model", name, "--split", "random:.5/.25/.25") == 0
        assert main(["evaluate", str(out), str(table)]) == 0
        shown = capsys.readouterr()
        assert "no better" not in shown.out + shown.err + (out / "README.md").read_text()
