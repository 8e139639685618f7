"""One target of a model of several: its answers, its attention, its controls."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from ase.build import molecule

from atomlens.errors import StudyError
from atomlens.models import make_model
from atomlens.neighbors import make_builder
from atomlens.predictor import Calibration, Predictor
from atomlens.studies import STUDIES, StudyInput
from atomlens.studies import networks as measuring
from atomlens.studies.answering import answer
from atomlens.studies.controls import untrained_networks
from atomlens.studies.networks import attention_of, predicts, prepare
from atomlens.studies.one_target import about_target, split_name
from atomlens.targets import Target
from atomlens.targets.scaling import TargetScaling
from study_makers import dataset

MOLECULES = dataset(molecule("CH3CH2OH"), molecule("CH3CONH2"))


def of_several(kind: str = "lens", seed: int = 3, n_members: int = 2) -> Predictor:
    """A model of three targets, one of them extensive, with random weights."""
    torch.manual_seed(seed)
    size = {"n_layers": 1, "n_features": 16, "n_heads": 2, "n_embedding": 8}
    grows = {"extensive": (False, False, True)} if kind == "lens" else {}
    return Predictor(
        model_name=kind,
        models=tuple(
            make_model(kind, n_outputs=3, predict_scale=True, **size, **grows)
            for _ in range(n_members)
        ),
        builder=make_builder("voronoi"),
        scaling=TargetScaling(
            targets=(
                Target(name="homo", unit="eV"),
                Target(name="lumo", unit="eV"),
                Target(name="cv", unit="cal/(mol K)", extensive=True),
            ),
            means=(-6.5, 0.3, 0.1),
            stds=(0.6, 1.2, 0.2),
            references=({}, {}, {0: 0.5, 1: 1.0, 6: 2.0}),
        ),
        calibration=Calibration(targets=(None, None, None)),
        noise="gaussian",
    )


@pytest.mark.parametrize("name", ["homo", "lumo", "cv"])
def test_answers_and_their_errors_stay_as_they_are(name: str) -> None:
    model = of_several()
    whole, one = (m.predict(MOLECULES.structures) for m in (model, about_target(model, name)))
    place = [t.name for t in model.targets].index(name)
    np.testing.assert_allclose(one.values[:, 0], whole.values[:, place], rtol=1e-6)
    np.testing.assert_allclose(one.std[:, 0], whole.std[:, place], rtol=1e-6)
    assert [t.name for t in about_target(model, name).targets] == [name]


def test_the_attention_is_that_of_the_target_alone() -> None:
    model = of_several(n_members=1)
    batch = prepare(model, MOLECULES.structures).store.batch()
    with torch.no_grad():
        own = model.models[0](batch).node_target_attention.double().numpy()
    for k, name in enumerate(("homo", "lumo", "cv")):
        shown = np.concatenate(attention_of(about_target(model, name), MOLECULES.structures).scores)
        np.testing.assert_allclose(shown, own[:, k], rtol=1e-5)
    assert np.abs(own[:, 0] - own[:, 1]).max() > 1e-3


def test_where_all_targets_share_their_attention_it_is_shown() -> None:
    model = of_several("scann-plus", n_members=1)
    whole, one = (
        attention_of(m, MOLECULES.structures).scores for m in (model, about_target(model, "lumo"))
    )
    np.testing.assert_array_equal(np.concatenate(one), np.concatenate(whole))


def test_untrained_networks_of_one_target_are_fresh_and_of_the_same_kind() -> None:
    one = about_target(of_several(), "lumo")
    first, second, _ = untrained_networks(one)
    shown = [attention_of(m, MOLECULES.structures).scores[0] for m in (one, first, second)]
    assert np.abs(shown[0] - shown[1]).max() > 1e-3
    assert np.abs(shown[1] - shown[2]).max() > 1e-3
    assert type(first.models[0].network) is type(one.models[0].network)


def test_a_model_of_one_target_is_that_model() -> None:
    one = about_target(of_several(), "homo")
    assert about_target(one, "homo") is one
    assert predicts(one, "homo")


def test_a_target_that_is_not_there_is_named_with_the_nearest() -> None:
    with pytest.raises(StudyError, match="Did you mean 'homo'"):
        about_target(of_several(), "hommo")


def test_a_study_of_orbitals_accepts_one_target_and_refuses_several() -> None:
    model = of_several()
    study = STUDIES["orbitals"]()
    with pytest.raises(StudyError, match="qm9:homo"):
        study.run(StudyInput(models=(model,), data=MOLECULES.subset([])))
    found = study.run(StudyInput(models=(about_target(model, "homo"),), data=MOLECULES.subset([])))
    assert found.models == ("homo",)
    assert any(c.identifier.startswith("S5") for c in found.claims)


@pytest.mark.parametrize(
    ("given", "model", "target"),
    [
        ("qm9:homo", "qm9", "homo"),
        ("box:qm9:homo", "box:qm9", "homo"),
        ("box:qm9", "box:qm9", ""),
        ("runs/mine", "runs/mine", ""),
        ("runs/mine:gap", "runs/mine", "gap"),
        (r"C:\runs\mine", r"C:\runs\mine", ""),
        ("C:/runs/mine", "C:/runs/mine", ""),
        ("qm9", "qm9", ""),
    ],
)
def test_what_is_typed_is_a_model_and_maybe_a_target(given: str, model: str, target: str) -> None:
    assert split_name(given) == (model, target)


def test_a_folder_with_a_colon_in_its_name_is_a_folder(tmp_path: Path) -> None:
    from atomlens.cli.study import load_one

    folder = of_several().save(tmp_path / "a:homo")
    assert len(load_one(str(folder)).targets) == 3
    assert [t.name for t in load_one(f"{folder}:lumo").targets] == ["lumo"]


def test_a_study_says_that_attention_is_the_mean_over_targets_that_have_their_own() -> None:
    study = STUDIES["orbits"]()

    def notes_of(model: Predictor) -> str:
        return " ".join(answer(study, StudyInput(models=(model,), data=MOLECULES)).notes)

    model = of_several(n_members=1)
    assert "(homo, lumo, cv) has an attention of its own" in notes_of(model)
    assert "an attention of its own" not in notes_of(about_target(model, "homo"))
    assert "an attention of its own" not in notes_of(of_several("scann-plus", n_members=1))


def test_studies_of_attention_are_those_that_measure_it() -> None:
    """A study that asks for attention without a target in its settings says whose it is."""
    package = Path(measuring.__file__).parent
    asks = {name for name, study in STUDIES.items() if study.asks_attention}
    measures = {
        folder.parent.name.replace("_", "-")
        for folder in package.glob("*/study.py")
        if re.search(r"measure_attention|attention_of\b", folder.read_text())
    }
    one_target_alone = {"orbitals", "edge-attributes"}
    assert asks == measures - one_target_alone
