"""Models that do not come with the package: trained by class, by configuration and by name."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from ase.build import molecule
from torch import Tensor, nn

import atomlens as al
from atomlens.datasets import Dataset
from atomlens.errors import ModelError, SettingsError
from atomlens.graphs import GraphBatch
from atomlens.models import MODELS, ModelOutput, PropertyModel, named_model, table
from atomlens.models.cgcnn.model import Cgcnn, CgcnnConfig
from atomlens.models.scann.model import Scann, ScannConfig
from atomlens.nn.readout import mean_pooling
from atomlens.structures.arrays import StructureArrays
from atomlens.targets import Target


@dataclass(frozen=True, kw_only=True)
class SharedConfig:
    n_features: int = 6
    n_outputs: int = 1
    n_elements: int = 20
    predict_scale: bool = False


class Base(PropertyModel):
    """The mean of a learned number for each element."""

    Config = SharedConfig
    default_builder: ClassVar[tuple[str, dict[str, Any]]] = ("radius", {"cutoff": 3.0})
    element_tables: ClassVar[tuple[str, ...]] = ("embedding.weight",)

    def __init__(self, config: SharedConfig) -> None:
        super().__init__(config)
        self.embedding = nn.Embedding(config.n_elements, config.n_features)
        self.output = nn.Linear(config.n_features, config.n_outputs)

    @property
    def attends_to_atoms(self) -> bool:
        return False

    def forward(self, batch: GraphBatch) -> ModelOutput:
        nodes: Tensor = self.embedding(batch.atomic_numbers)
        pooled, shares = mean_pooling(nodes, batch.graph_index, batch.node_counts)
        return ModelOutput(values=self.output(pooled), node_attention=shares)


class AlsoShared(Base):
    """Another class with the same configuration."""


class StrangerConfig(SharedConfig):
    """Settings of nothing but the stranger."""


class Stranger(Base):
    """It has a configuration of its own."""

    Config = StrangerConfig


def dataset() -> Dataset:
    atoms = [molecule(n) for n in ("H2O", "CH4", "NH3", "CO2", "CH3OH", "HCN", "C2H6", "N2")] * 3
    return Dataset(
        name="molecules",
        structures=StructureArrays.from_atoms(atoms),
        targets=(Target(name="y", unit="eV"),),
        values=np.array([[a.numbers.mean()] for a in atoms]),
    )


def train(model: Any, **settings: Any) -> al.Predictor:
    return al.train(dataset(), model=model, epochs=2, batch_size=8, **settings)


@pytest.mark.parametrize("given", [Stranger, StrangerConfig(n_features=3), "stranger"])
def test_a_class_its_configuration_and_its_name_will_do(given: Any, tmp_path: Path) -> None:
    trained = train(given, out=tmp_path / "run")
    assert trained.model_name == "stranger"
    assert trained.config.n_features == (3 if isinstance(given, StrangerConfig) else 6)
    assert trained.builder.name == "radius"
    again = al.load(tmp_path / "run")
    water = molecule("H2O")
    assert again.predict(water).values == pytest.approx(trained.predict(water).values)
    assert again.explain(water, method="occlusion").scores.shape == (3,)
    assert "Stranger" in (tmp_path / "run" / "settings.json").read_text()


def test_it_can_be_resumed_fine_tuned_and_trained_as_an_ensemble(tmp_path: Path) -> None:
    first = train(Stranger, ensemble=2, out=tmp_path / "a")
    assert len(first.models) == 2
    assert train(Stranger, ensemble=2, out=tmp_path / "a", resume=True).model_name == "stranger"
    tuned = train(None, start_from=tmp_path / "a")
    assert tuned.model_name == "stranger"


def test_settings_beside_a_configuration_win() -> None:
    trained = train(Stranger, model_settings={"n_features": 4})
    assert trained.config.n_features == 4
    with pytest.raises(SettingsError, match="n_feature"):
        train(Stranger, model_settings={"n_feature": 4})
    with pytest.raises(SettingsError, match="n_outputs=3: these targets need 1"):
        train(StrangerConfig(n_outputs=3))


@pytest.mark.parametrize(
    ("given", "name", "different"),
    [
        (Scann, "scann-plus", {}),
        (ScannConfig(n_layers=2), "scann-plus", {"n_layers": 2}),
        (ScannConfig(n_layers=8, edge_update=False), "scann", {}),
        (Cgcnn, "cgcnn", {}),
        (CgcnnConfig(n_features=8), "cgcnn", {"n_features": 8}),
    ],
)
def test_ours_can_be_given_as_classes_too(given: Any, name: str, different: Any) -> None:
    found, settings = named_model(given)
    assert found == name
    assert settings.items() >= different.items()
    if not isinstance(given, type):
        from atomlens.models import model_config

        assert model_config(found, **settings) == given


class WithoutForward(PropertyModel):
    Config = SharedConfig


class WithoutConfig(Base):
    Config = dict


@dataclass(frozen=True)
class TooShort:
    n_outputs: int = 1


class WithShortConfig(Base):
    Config = TooShort


@dataclass(frozen=True, kw_only=True)
class Demanding(SharedConfig):
    width: int


class WithDemandingConfig(Base):
    Config = Demanding


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("strangr", "Did you mean"),
        (int, "int is no model"),
        (WithoutForward, "no forward"),
        (WithoutConfig, "must be a dataclass"),
        (WithShortConfig, "lacks the fields n_elements, predict_scale"),
        (WithDemandingConfig, "every setting needs a default"),
        (TooShort(), "lacks the fields"),
        (SharedConfig(), r"several classes \(.*Base.*\); give the class"),
        (42, "neither the name of a model, nor a class"),
    ],
)
def test_what_cannot_be_trained_is_a_sentence(given: Any, sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        train(given if given != "strangr" else "scan-plus")


def test_a_class_with_the_name_of_another_is_refused() -> None:
    older = type("Twin", (Base,), {})
    newer = type("Twin", (Base,), {})
    assert named_model(newer)[0] == "twin"
    with pytest.raises(SettingsError, match="another model called 'twin'"):
        named_model(older)
    taken = type("Ridge", (Base,), {})
    with pytest.raises(SettingsError, match="another model called 'ridge'"):
        named_model(taken)


def test_a_folder_of_an_unknown_model_says_what_to_import(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(Stranger).save(tmp_path / "model")
    monkeypatch.setattr(table, "_defined_here", list)
    with pytest.raises(ModelError, match=r"'stranger'.*test_models_from_outside\.Stranger"):
        al.load(tmp_path / "model")


PACKAGE = """
from dataclasses import dataclass
from test_models_from_outside import Base

class FromAPackage(Base):
    pass
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A package that offers two models, one of which cannot be imported."""
    site = tmp_path / "site"
    info = site / "somebodys_models-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: somebodys-models\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        f"[{table.GROUP}]\nfrom-outside = somebodys_models:FromAPackage\n"
        "broken = somebodys_models:Nothing\nridge = somebodys_models:FromAPackage\n"
    )
    (site / "somebodys_models.py").write_text(PACKAGE)
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    table._offered.cache_clear()
    yield
    table._offered.cache_clear()
    sys.modules.pop("somebodys_models", None)


@pytest.mark.usefixtures("installed")
def test_an_installed_package_offers_models(tmp_path: Path) -> None:
    assert list(MODELS)[-2:] == ["from-outside", "broken"]
    assert "somebodys_models" not in sys.modules  # nothing is imported before it is asked for
    trained = train("from-outside", out=tmp_path / "run")
    assert type(trained.models[0]).__name__ == "FromAPackage"
    assert al.load(tmp_path / "run").model_name == "from-outside"
    assert named_model(type(trained.models[0])) == ("from-outside", {})
    assert MODELS["ridge"].__name__ == "RidgeModel"  # ours cannot be replaced
    with pytest.raises(SettingsError, match=r"'broken' of the package somebodys-models cannot"):
        train("broken")


@pytest.mark.usefixtures("installed")
def test_the_list_of_models_survives_a_broken_package(capsys: pytest.CaptureFixture[str]) -> None:
    from atomlens.cli import main

    assert main(["models", "list"]) == 0
    shown, said = capsys.readouterr()
    assert "from-outside" in shown
    assert "cannot be imported" in said
