"""``--chemiscope``: maps that the package itself reads back."""

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("chemiscope")

from atomlens.cli import main
from atomlens.reports.chemiscope_file import plane


def _content(path: Path) -> dict[str, Any]:
    import chemiscope

    data = path.read_bytes()
    text = gzip.decompress(data) if path.suffix == ".gz" else data
    chemiscope.show_input(str(path))  # reads and checks the file
    content: dict[str, Any] = json.loads(text)
    return content


SMILES = ["CCO", "CC", "c1ccccc1", "CC(=O)O", "CN"]


@pytest.mark.filterwarnings("ignore")
def test_explain_writes_values_and_the_scores_of_atoms(tmp_path: Path) -> None:
    path = tmp_path / "map.json.gz"
    typed = ["explain", "qm9", *SMILES, "--out", str(tmp_path / "pages"), "--index-only", "--quiet"]
    assert main([*typed, "--chemiscope", str(path)]) == 0
    found = _content(path)
    properties = found["properties"]
    n_atoms = [s["size"] for s in found["structures"]]
    assert n_atoms == [9, 8, 12, 8, 7]
    assert len(found["environments"]) == sum(n_atoms)
    scores = properties["contribution"]
    assert scores["target"] == "atom"
    page = json.loads((tmp_path / "pages/CCO.json").read_text())
    np.testing.assert_allclose(scores["values"][:9], page["scores"], atol=1e-9)
    assert properties["homo"]["values"][0] == pytest.approx(page["prediction"])
    assert properties["homo"]["units"] == "eV"
    assert "units" not in properties["map 1"]  # the viewer writes a slash before an empty one
    assert properties["name"]["values"] == SMILES


@pytest.mark.filterwarnings("ignore")
def test_evaluate_writes_errors(model_folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "map.json"
    typed = ["evaluate", str(model_folder), "toy", "--limit", "12", "--quiet"]
    assert main([*typed, "--chemiscope", str(path)]) == 0
    found = _content(path)
    properties = found["properties"]
    assert len(found["structures"]) == 12
    error = np.array(properties["signal"]["values"]) - np.array(properties["signal true"]["values"])
    assert np.abs(error).max() > 0
    np.testing.assert_allclose(properties["signal error"]["values"], error, atol=1e-12)
    assert found["settings"]["map"]["color"]["property"] == "signal error"


def test_wrong_names_and_bare_formulas_are_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = ["--out", str(tmp_path / "p"), "--quiet"]
    assert main(["explain", "qm9", "C", *out, "--chemiscope", str(tmp_path / "map.html")]) == 2
    assert ".json.gz" in capsys.readouterr().err
    bare = ["explain", "formula-gap", "NaCl", *out, "--chemiscope", str(tmp_path / "m.json")]
    assert main(bare) == 2
    assert "bare formula" in capsys.readouterr().err
    assert not (tmp_path / "m.json").exists()


@pytest.mark.filterwarnings("ignore")
def test_studies_refuse_a_map_before_any_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = ["--model", "qm9", "--out", str(tmp_path / "s"), "--quiet", "--chemiscope"]
    assert main(["study", "orbits", "CC", *common, str(tmp_path / "m.json")]) == 2
    assert "run one that does: embeddings." in capsys.readouterr().err
    assert main(["study", "embeddings", "CC", *common, str(tmp_path / "m.html")]) == 2
    assert ".json.gz" in capsys.readouterr().err
    bare = [
        "study",
        "embeddings",
        "NaCl",
        "KCl",
        "LiF",
        "--all",
        "--model",
        "formula-gap",
        *common[2:],
    ]
    assert main([*bare, str(tmp_path / "m.json")]) == 2
    assert "NaCl is a bare formula" in capsys.readouterr().err
    assert not (tmp_path / "s").exists()


def test_the_plane_shows_the_two_widest_directions() -> None:
    rng = np.random.default_rng(0)
    flat = rng.normal(size=(50, 2)) * [3.0, 1.0]
    turned = np.linalg.qr(rng.normal(size=(5, 5)))[0][:, :2]
    places = plane(flat @ turned.T)
    np.testing.assert_allclose(np.abs(places.std(axis=0)), flat.std(axis=0), rtol=0.05)
    assert plane(np.ones((1, 4))).tolist() == [[0.0, 0.0]]
