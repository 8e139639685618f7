"""Reading CGCNN checkpoints: small ones made here in the published form."""

import json
import pickle
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from atomlens import load
from atomlens.checkpoints import import_cgcnn, read_cgcnn_checkpoint
from atomlens.cli import main
from atomlens.elements.vectors import CGCNN_BLOCKS, cgcnn_vectors
from atomlens.errors import ModelError
from checkpoint_makers import cgcnn_checkpoint


def checkpoint(path: Path, task: str = "regression", **changes: Any) -> Path:
    torch.save(cgcnn_checkpoint(task) | changes, path)
    return path


def test_an_imported_model_predicts_from_a_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from ase.build import bulk

    file = checkpoint(tmp_path / "gap.pth.tar")
    assert main(["models", "import", "cgcnn", str(file), "--out", str(tmp_path / "m")]) == 0
    capsys.readouterr()
    bulk("NaCl", "rocksalt", 5.64).write(tmp_path / "salt.cif")
    arguments = ["predict", str(tmp_path / "m"), str(tmp_path / "salt.cif"), "--format", "json"]
    assert main(arguments) == 0
    row = json.loads(capsys.readouterr().out)[0]
    assert row["unit"] == "eV"
    expected = import_cgcnn(file).predict([bulk("NaCl", "rocksalt", 5.64)]).values[0, 0]
    assert row["band_gap"] == pytest.approx(float(expected), rel=1e-4)


def test_the_scaling_of_the_checkpoint_is_used(tmp_path: Path) -> None:
    from ase.build import bulk

    plain = import_cgcnn(checkpoint(tmp_path / "a.tar", normalizer={"mean": 0.0, "std": 1.0}))
    scaled = import_cgcnn(checkpoint(tmp_path / "b.tar"))
    one, two = (float(m.predict([bulk("Si")]).values[0, 0]) for m in (plain, scaled))
    assert two == pytest.approx(2 * one - 1.5, rel=1e-5)


def test_a_classifier_gives_probabilities(tmp_path: Path) -> None:
    from ase.build import bulk

    model = import_cgcnn(checkpoint(tmp_path / "c.tar", "classification"), classes=("no", "yes"))
    assert model.targets[0].classes == ("no", "yes")
    probabilities = model.predict([bulk("Si")]).probabilities[0]
    assert probabilities is not None
    assert float(probabilities.sum()) == pytest.approx(1)


class Malicious:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return (exec, ("raise SystemError('code of the file was run')",))


def test_code_in_a_checkpoint_is_never_run(tmp_path: Path) -> None:
    path = tmp_path / "bad.pth.tar"
    path.write_bytes(pickle.dumps({"state_dict": Malicious()}))
    with pytest.raises(ModelError, match="without running code"):
        read_cgcnn_checkpoint(path)
    torch.save({"args": Malicious()}, path)
    with pytest.raises(ModelError, match="without running code"):
        read_cgcnn_checkpoint(path)


@pytest.mark.parametrize("missing", ["state_dict", "args", "normalizer"])
def test_a_checkpoint_of_another_code_is_one_sentence(missing: str, tmp_path: Path) -> None:
    path = checkpoint(tmp_path / "x.tar", **{missing: {}})
    with pytest.raises(ModelError, match=r"x\.tar: this is no checkpoint"):
        read_cgcnn_checkpoint(path)


def test_the_vector_of_an_element_has_one_class_a_known_property() -> None:
    vectors = cgcnn_vectors()
    starts = np.cumsum([0, *CGCNN_BLOCKS.values()])
    blocks = [vectors[1:, a:b].sum(axis=1) for a, b in pairwise(starts)]
    assert vectors.shape == (101, 92)
    assert all(set(b.tolist()) <= {0.0, 1.0} for b in blocks)
    assert (blocks[1] == 1).all()  # every element has a period
    assert vectors[8, 16] == 1  # oxygen: group 16
    assert vectors[26, 19 + 3] == 1  # iron: period 4


def test_a_model_of_crystals_knows_that_it_is_one(tmp_path: Path) -> None:
    import_cgcnn(checkpoint(tmp_path / "a.tar"), tmp_path / "m")
    assert "crystals/" in (tmp_path / "m" / "README.md").read_text()
    with pytest.warns(UserWarning, match="this is a molecule, and the training data had periodic"):
        load(tmp_path / "m").predict("CCO")
