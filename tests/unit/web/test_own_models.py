"""Models of the user's own: named by their folder, of every kind of target, beside the box."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("fastapi")

from fastapi.testclient import TestClient

from atomlens.errors import ModelError
from atomlens.neighbors import make_builder
from atomlens.targets import Target
from atomlens.web.app import create_app
from model_makers import small_model
from question_makers import trained_around
from view_makers import HOME, TOKEN, Asker

TARGETS = (
    Target(
        name="absorption", unit="1/cm", grid=(1.0, 2.0, 3.0), grid_name="energy", grid_unit="eV"
    ),
    Target(name="metal", kind="classification", classes=("no", "yes")),
    Target(name="gap", unit="eV"),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of a model with a spectrum, classes and a number."""
    network = small_model("scann-plus", n_outputs=sum(t.n_outputs for t in TARGETS))
    model = trained_around(network, builder=make_builder("voronoi"), targets=TARGETS)
    return replace(model, model_name="scann-plus").save(tmp_path_factory.mktemp("runs") / "mine")


@pytest.fixture(scope="module")
def page(folder: Path) -> Iterator[Asker]:
    """The application with that model."""
    app, desk, _ = create_app([str(folder), "mp"], token=TOKEN)
    with TestClient(app, base_url=HOME, headers={"x-atomlens-token": TOKEN}) as client:
        yield Asker(client, desk)


def test_own_models_stand_first_under_the_name_of_their_folder(page: Asker, folder: Path) -> None:
    models = page.client.get("/api/models").json()
    assert [(m["id"], m["source"]) for m in models[:3]] == [
        ("mine", "own"),
        ("mp", "box"),
        ("qm9", "box"),
    ]
    assert str(folder.parent) not in json.dumps(models)
    assert str(folder.parent) not in page.client.get("/").text


def test_a_spectrum_a_class_and_a_number_are_answered(page: Asker) -> None:
    one = page.one("CCO")
    (row,) = page.job("/api/predictions", {"model": "mine", "structures": [one]})["result"]
    spectrum, metal, gap = (row["values"][t.name] for t in TARGETS)
    assert len(spectrum["spectrum"]) == 3
    assert spectrum["value"] == pytest.approx(sum(spectrum["spectrum"]) / 3)
    assert metal["label"] in ("no", "yes")
    assert sum(metal["probabilities"].values()) == pytest.approx(1)
    assert gap["text"].endswith("eV")
    assert row["unlike"] is None
    described = page.ended(page.client.get("/api/models/mine").json())["result"]["targets"][0]
    assert (described["grid"], described["grid_unit"]) == ([1.0, 2.0, 3.0], "eV")
    for asked in ({"target": "absorption", "at": 2.0}, {"target": "metal"}, {"target": "gap"}):
        job = page.job("/api/explanations", {"model": "mine", "structure": one, **asked})
        assert job["state"] == "done", job["error"]
    assert "absorption" in page.client.get("/api/table.csv?model=mine").text
    assert "gap=" in page.client.get("/api/table.extxyz?model=mine").text


def test_a_folder_that_holds_no_model_is_a_sentence_at_once(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="there is no"):
        create_app([str(tmp_path / "nowhere")])


def test_two_folders_of_one_name_are_told_apart(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "mine"
    other.symlink_to(folder)
    app, desk, _ = create_app([str(folder), str(other.absolute())], token=TOKEN)
    assert app
    own = [m["id"] for m in desk.library.names() if m["source"] == "own"]
    assert own[0] == "mine"
    assert len(set(own)) == 2
    desk.jobs.close()
