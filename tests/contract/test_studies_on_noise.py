"""Every study on networks that have learned nothing: what it claims of attention must not hold."""

import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import bulk, graphene, molecule
from ase.spacegroup import crystal

from atomlens.cli.study import report
from atomlens.models import make_model
from atomlens.neighbors import make_builder
from atomlens.predictor import Calibration, Predictor, TrainingRecord
from atomlens.screening.enz.candidates import read_candidates
from atomlens.studies import STUDIES, StudyInput, StudyResult
from atomlens.targets import Target
from atomlens.targets.scaling import TargetScaling
from study_makers import dataset, finder_predictor, make_predictor, trained_on_noise

FORCED = {
    ("relative-attention", "S1"): "a softmax adds up to one",
}
"""Claims that hold for every network of the kind, learned or not, with the reason."""

MOLECULES = ("CH3CH2OH", "CH3CHO", "CH3CN", "CH3CONH2", "C2H6", "CH3OH", "CH3COCH3", "CH3SH")
RINGS = ("C6H6", "butadiene", "C5H5N", "C4H4NH", "C4H4O", "C4H4S")


def named(atoms: Atoms, name: str) -> Atoms:
    atoms.info["name"] = name
    return atoms


def molecules(names: tuple[str, ...]) -> list[Atoms]:
    return [named(molecule(name), name) for name in names]


def orbitals_of_noise() -> StudyInput:
    models = tuple(make_predictor(t, seed=i) for i, t in enumerate(("homo", "lumo")))
    return StudyInput(models=models, data=dataset(*molecules(RINGS)))


def relative() -> StudyInput:
    models = tuple(make_predictor(t, seed=i) for i, t in enumerate(("homo", "lumo")))
    shuffled = tuple(trained_on_noise(make_predictor(t, seed=9)) for t in ("homo", "lumo"))
    return StudyInput(models=models, data=dataset(*molecules(MOLECULES)), shuffled=shuffled)


def orbits() -> StudyInput:
    models = tuple(make_predictor(t, seed=i) for i, t in enumerate(("homo", "lumo")))
    return StudyInput(models=models, data=dataset(*molecules(("C60", "C6H6", "CH4", "C2H6"))))


def substitution() -> StudyInput:
    sites = [(0, 0, 0), (0.25, 0.25, 0.25), (0.36, 0, 0), (0.28, 0.5, 0)]
    cell = [8.5, 8.5, 4.77, 90, 90, 90]
    host = crystal(
        ["Sm", "Fe", "Fe", "Fe"], sites, spacegroup=139, cellpar=cell, primitive_cell=True
    )
    models = (make_predictor("formation_energy", seed=3),)
    return StudyInput(models=models, data=dataset(named(host, "SmFe12")))


def faithful() -> StudyInput:
    model = make_predictor("homo", seed=4)
    return StudyInput(models=(model,), data=dataset(*molecules(MOLECULES)))


def deformation() -> StudyInput:
    sheets = []
    for i in range(8):
        sheet = graphene(a=1.42 * 3**0.5, size=(3, 3, 1), vacuum=8.0)
        sheet.pbc = True
        sheet.rattle(0.08, seed=i)
        sheets.append(named(sheet, f"sheet {i}"))
    return StudyInput(models=(make_predictor("energy", seed=1),), data=dataset(*sheets))


def motifs() -> StudyInput:
    frameworks = []
    for i, name in enumerate(MOLECULES):
        atoms = molecule(name, cell=[9.0] * 3, pbc=True)
        atoms.center()
        frameworks.append(
            named(atoms + Atoms("Zn", positions=[[0.1 + 0.1 * i, 0.2, 0.3]]), f"{name} with Zn")
        )
    torch.manual_seed(2)
    sizes = {"n_layers": 1, "n_features": 8, "n_edge_features": 8, "n_heads": 1, "n_hidden": 8}
    network = make_model("ae-cgcnn-pool", n_outputs=1, **sizes)
    model = made("ae-cgcnn-pool", network, make_builder("nearest", cutoff=5.0), Target(name="u"))
    return StudyInput(models=(model,), data=dataset(*frameworks))


def salts(n: int = 40) -> list[Atoms]:
    metals, anions = ("Li", "Na", "K", "Mg", "Ca", "Sr", "Mn", "Fe", "Ni", "Cd"), ("O", "S", "Se")
    names = [f"{m}{a}" for a in (*anions, "Te") for m in metals][:n]
    return [named(bulk(x, "rocksalt", a=4.5 + 0.05 * i), x) for i, x in enumerate(names)]


def embeddings() -> StudyInput:
    data = dataset(*salts())
    values = np.random.default_rng(1).normal(size=(len(data), 1))
    data = replace(data, targets=(Target(name="energy", unit="eV/atom"),), values=values)
    models = (finder_predictor("formula"), finder_predictor("structure", seed=8))
    return StudyInput(models=models, data=data)


def edge_attributes() -> StudyInput:
    shuffled = (trained_on_noise(finder_predictor("formula", seed=5)),)
    return StudyInput(models=(finder_predictor("formula"),), data=dataset(), shuffled=shuffled)


def element_attention() -> StudyInput:
    models = (finder_predictor("formula"), finder_predictor("structure"))
    return StudyInput(models=models, data=dataset(*salts(12)))


def enz() -> StudyInput:
    """Members whose permittivities are random numbers."""
    grid = tuple(np.linspace(0.2, 12.6, 60).tolist())
    targets = tuple(Target(name=name, grid=grid) for name in ("eps_re", "eps_im"))
    networks = []
    for seed in range(3):
        torch.manual_seed(seed)
        network = make_model("ridge", n_outputs=2 * len(grid))
        torch.nn.init.normal_(network.linear.weight)
        networks.append(network)
    model = Predictor(
        model_name="ridge",
        models=tuple(networks),
        builder=make_builder("formula", reduce=True),
        scaling=TargetScaling(
            targets=targets, means=(0.0,) * 2, stds=(1.0,) * 2, references=({},) * 2
        ),
        calibration=Calibration.nothing(2 * len(grid)),
        record=TrainingRecord(data="made", split={"train": ("H2O",)}),
    )
    return StudyInput(models=(model,), data=read_candidates(["TiN", "NaCl", "CuAu", "LiF"]))


def made(name: str, network: Any, builder: Any, target: Target) -> Predictor:
    scaling = TargetScaling(targets=(target,), means=(0.0,), stds=(1.0,), references=({},))
    return Predictor(
        model_name=name,
        models=(network.eval(),),
        builder=builder,
        scaling=scaling,
        calibration=Calibration(targets=(None,)),
    )


NOISE: dict[str, Callable[[], StudyInput]] = {
    "relative-attention": relative,
    "orbits": orbits,
    "orbitals": orbitals_of_noise,
    "substitution": substitution,
    "deformation": deformation,
    "motifs": motifs,
    "edge-attributes": edge_attributes,
    "embeddings": embeddings,
    "element-attention": element_attention,
    "enz": enz,
    "faithful": faithful,
}
WITHOUT_CLAIMS = {"truth", "environments"}
"""Studies that judge no statement."""
SETTINGS: dict[str, dict[str, Any]] = {"orbitals": {"method": "huckel", "pictures": 0}}


@pytest.fixture(scope="module")
def result_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], StudyResult]:
    @cache
    def of(name: str) -> StudyResult:
        kind = STUDIES[name]
        settings = dict(SETTINGS.get(name, {}))
        if name == "orbitals":
            settings["folder"] = str(tmp_path_factory.mktemp("orbitals"))
        return kind(kind.Settings(**settings)).run(NOISE[name]())

    return of


def test_every_study_has_its_noise() -> None:
    assert set(NOISE) | WITHOUT_CLAIMS == set(STUDIES)


@pytest.mark.parametrize("name", NOISE)
def test_no_claim_about_what_was_learned_holds_where_nothing_was(
    name: str, result_of: Callable[[str], StudyResult]
) -> None:
    result = result_of(name)
    assert result.n_structures > 0
    for claim in result.claims:
        assert claim.chance, claim.identifier
        if (name, claim.identifier) not in FORCED:
            assert claim.verdict != "holds", f"{claim.identifier}: {claim.evidence}"


@pytest.mark.parametrize("name", NOISE)
def test_what_is_written_for_machines_is_what_is_printed(
    name: str, result_of: Callable[[str], StudyResult], tmp_path: Path
) -> None:
    result = result_of(name)
    result.save(tmp_path)
    written = json.loads((tmp_path / "study.json").read_text())["claims"]
    printed = report(result, tmp_path)
    assert len(written) == len(result.claims)
    for claim, content in zip(result.claims, written, strict=True):
        assert content["verdict"] == claim.verdict
        assert f"{claim.identifier} {claim.verdict}: {claim.statement}" in printed
        for one, of_training in zip(claim.judged, content["judged"], strict=True):
            assert of_training["verdict"] == one.verdict
            assert len(of_training["parts"]) == len(one.parts)


@pytest.mark.parametrize("name", NOISE)
def test_every_effect_has_a_control_where_the_study_has_networks(
    name: str, result_of: Callable[[str], StudyResult], tmp_path: Path
) -> None:
    result = result_of(name)
    assert any(effect.controls for effect in result.effects) or name == "enz"
    assert {path.name for path in result.save(tmp_path)} >= {"study.json"}
