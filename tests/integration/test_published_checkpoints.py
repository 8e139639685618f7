"""A published checkpoint on its way through the commands: import, predict, explain, fine-tune."""

import json
from pathlib import Path

import pytest

from atomlens.cli import main
from atomlens.predictor import load

pytestmark = pytest.mark.reference
QUICK = ["--set", "n_threads=1", "--epochs", "1", "--limit", "30"]


@pytest.mark.parametrize("name", ["scann_ganorm", "scann_plus"])
def test_a_checkpoint_is_imported_used_and_trained_further(
    name: str, fixtures_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = fixtures_dir / "scann_reference"
    folder, tuned = tmp_path / "published", tmp_path / "tuned"
    scaling = ["--target", "homo", "--unit", "eV", "--mean", "-6", "--std", "2"]
    source = [str(files / f"{name}.h5"), "--settings", str(files / f"{name}.json")]
    assert main(["models", "import", "scann", *source, "--out", str(folder), *scaling]) == 0
    capsys.readouterr()
    assert main(["predict", str(folder), "CCO", "--format", "json"]) == 0
    (record,) = json.loads(capsys.readouterr().out)
    raw = load(folder)
    assert record["unit"] == "eV"
    assert (raw.scaling.means, raw.scaling.stds) == ((-6.0,), (2.0,))
    assert main(["explain", str(folder), "CCO", "--out", str(tmp_path / "pages")]) == 0
    arguments = ["train", "toy", "--from", str(folder), "--out", str(tuned), "--freeze", "4"]
    assert main([*arguments, *QUICK]) == 0
    after = load(tuned)
    assert after.model_name == raw.model_name
    assert after.record.started_from["targets"] == ["homo"]
    before = raw.models[0].state_dict()
    frozen = after.models[0].state_dict()["layers.3.query.weight"]
    assert (frozen == before["layers.3.query.weight"]).all()
