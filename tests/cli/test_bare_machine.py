"""A machine for training has torch, numpy and scipy, and none of the packages that read files."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from atomlens.cli import main
from atomlens.datasets import load_dataset, save_packed
from atomlens.predictor import load
from atomlens.settings import _converted
from atomlens.training import TrainSettings

ABSENT = ("ase", "pymatgen", "rdkit", "pandas", "jsonargparse", "spglib")
"""What is not there."""

BARE = f"""
import sys
from importlib.machinery import PathFinder

class Present(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name.partition(".")[0] in {ABSENT!r}:
            return None
        return super().find_spec(name, path, target)

sys.meta_path = [Present if finder is PathFinder else finder for finder in sys.meta_path]
from atomlens.cli import main
sys.exit(main(sys.argv[1:]))
"""

Bare = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty molecules in a packed file."""
    path = tmp_path_factory.mktemp("packed") / "molecules.npz"
    return save_packed(load_dataset("toy", limit=60), path)


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Bare:
    """Runs a command where those packages cannot be imported."""
    script = tmp_path_factory.mktemp("script") / "bare.py"
    script.write_text(BARE)

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(script), *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    return run


@pytest.fixture(scope="module")
def trained(bare: Bare, packed: Path) -> Path:
    out = packed.parent / "model"
    small = ("n_layers=1", "n_features=16", "n_heads=2")
    done = bare(
        "train", packed, "--model", "lens", "--out", out, "--epochs", "2", "--quiet",
        *(word for s in small for word in ("--set", f"model.{s}")),
        "--set", "batch_size=16", "--set", "clipping=none", "--set", "patience=5",
        "--set", "restart_below=null", "--set", "shuffle_targets=false",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return out


def test_training_from_a_packed_file(trained: Path) -> None:
    settings = load(trained).record.settings
    assert (settings["batch_size"], settings["patience"]) == (16, 5)
    assert settings["restart_below"] is None
    assert settings["shuffle_targets"] is False
    assert load(trained).config.n_features == 16


def test_predicting_a_packed_file(
    bare: Bare, trained: Path, packed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = bare("predict", trained, packed, "--format", "json", "--quiet")
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    assert len(rows) == 60
    assert main(["predict", str(trained), str(packed), "--format", "json", "--quiet"]) == 0
    assert json.loads(capsys.readouterr().out) == rows


def test_a_wrong_value_is_refused_in_the_same_words(bare: Bare, packed: Path) -> None:
    done = bare("train", packed, "--out", packed.parent / "no", "--set", "batch_size=many")
    assert done.returncode == 2
    assert "batch_size cannot be 'many', it must be a whole number of at least 1" in done.stderr


def test_packed_files_among_other_inputs(
    trained: Path, packed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damaged = tmp_path / "damaged.npz"
    damaged.write_bytes(b"nothing")
    inputs = ["CCO", str(packed), str(damaged), "CCC"]
    assert main(["predict", str(trained), *inputs, "--format", "json", "--quiet"]) == 1
    said = capsys.readouterr()
    rows = json.loads(said.out)
    assert len(rows) == 63
    assert "damaged.npz" in said.err
    alone = load(trained).predict(packed)
    key = alone.targets[0].name
    np.testing.assert_allclose([row[key] for row in rows[1:61]], alone.values[:, 0], rtol=1e-4)


def test_explaining_structures_of_a_packed_file(trained: Path, packed: Path) -> None:
    found = list(load(trained).explain_many([packed]))
    assert [e.name for e in found] == list(load_dataset("toy", limit=60).structures.names)


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        ("3", int, 3),
        ("3", float, 3.0),
        (3, float, 3.0),
        ("true", bool, True),
        ("null", int | None, None),
        ("7", int | None, 7),
        ("0.5", float | None, 0.5),
        ("text", str | None, "text"),
        ("null", str | None, None),
        ("[1, 2]", tuple[int, ...], (1, 2)),
        ([0.5, None], tuple[float | None, ...], (0.5, None)),
        ("cosine", TrainSettings.__annotations__["schedule"], "cosine"),
        ('{"a": 1}', dict[str, int], {"a": 1}),
    ],
)
def test_plain_types_are_converted(value: object, kind: object, expected: object) -> None:
    found = _converted(value, kind)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("3.5", int),
        ("yes", bool),
        ("x", float),
        ("nearest", int | None),
        ("[1, 0.5]", tuple[int, ...]),
    ],
)
def test_values_of_another_type_are_not(value: object, kind: object) -> None:
    with pytest.raises((ValueError, KeyError)):
        _converted(value, kind)
