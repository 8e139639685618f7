"""Attention on the classes of atoms: shares by hand, what is left out, the verdict."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import bulk, molecule
from numpy.testing import assert_allclose

from atomlens.errors import StudyError
from atomlens.models import make_model
from atomlens.neighbors import make_builder
from atomlens.predictor import Calibration, Predictor
from atomlens.studies import STUDIES, StudyInput
from atomlens.studies.motifs.numbers import CLASSES, METAL, ModelShares, Shares, highest
from atomlens.studies.motifs.study import MotifsSettings, metals_ignored
from atomlens.targets import Target
from atomlens.targets.scaling import TargetScaling
from study_makers import dataset, make_predictor, trained_on_noise

SIZES = {"n_layers": 1, "n_features": 8, "n_edge_features": 8, "n_heads": 1, "n_hidden": 8}
H, C = CLASSES.index("H"), CLASSES.index("C")


def predictor(model: str = "ae-cgcnn-pool", seed: int = 0) -> Predictor:
    """A small model with random weights and 12 neighbours."""
    torch.manual_seed(seed)
    network = make_model(model, n_outputs=1, **SIZES)
    scaling = TargetScaling(
        targets=(Target(name="uptake", unit="mmol/g"),), means=(0.0,), stds=(1.0,), references=({},)
    )
    return Predictor(
        model_name=model,
        models=(network.eval(),),
        builder=make_builder("nearest", cutoff=5.0),
        scaling=scaling,
        calibration=Calibration(targets=(None,)),
    )


def boxed(name: str, metal: str | None = None) -> Atoms:
    """A molecule in a periodic box, with a metal atom in a corner if wanted."""
    atoms = molecule(name, cell=[9.0] * 3, pbc=True)
    atoms.center()
    if metal is not None:
        atoms += Atoms(metal, positions=[[0.1, 0.2, 0.3]])
    atoms.info["name"] = name
    return atoms


def run(*atoms: Atoms, models: tuple[Predictor, ...] | None = None, **settings: int):
    study = STUDIES["motifs"](MotifsSettings(**settings))
    return study.run(StudyInput(models=models or (predictor(),), data=dataset(*atoms)))


def shares(metal_attention: float, n: int = 4) -> ModelShares:
    """Structures with one metal among four atoms, which gets so much of the attention."""
    atoms, attention = np.zeros((2, n, len(CLASSES)))
    atoms[:, [METAL, C, H]] = 0.25, 0.25, 0.5
    attention[:, [METAL, H]] = metal_attention, 1 - metal_attention
    found = Shares(atoms, attention, attention, attention)
    names = tuple(f"mof {i}" for i in range(n))
    return ModelShares(label="uptake", names=names, trained=found, controls={"untrained": [found]})


def test_enrichment_is_the_share_of_attention_over_the_share_of_atoms() -> None:
    members = np.zeros((len(CLASSES), 4), dtype=np.bool_)
    members[METAL, 0] = members[H, 1:] = True
    found = Shares.of([np.array([0.1, 0.2, 0.3, 0.4])], [members])
    assert found.enrichment[0, METAL] == pytest.approx(0.1 / 0.25)
    assert found.enrichment[0, H] == pytest.approx(0.9 / 0.75)
    assert np.isnan(found.enrichment[0, CLASSES.index("C")])
    assert found.first[0, [METAL, H]].tolist() == [0, 1]


def test_atoms_that_tie_share_the_last_places() -> None:
    assert_allclose(highest(np.array([0.4, 0.2, 0.2, 0.2]), 3), [1 / 3, 2 / 9, 2 / 9, 2 / 9])
    assert_allclose(highest(np.full(4, 0.25), 1), np.full(4, 0.25))
    assert_allclose(highest(np.array([0.7, 0.3]), 3), [0.5, 0.5])


def test_even_attention_enriches_nothing() -> None:
    model = predictor()
    for parameter in model.models[0].pooling.parameters():
        torch.nn.init.zeros_(parameter)
    result = run(boxed("C6H6", "Cu"), boxed("CH3OH"), models=(model,))
    enriched = [e.value for e in result.effects if "enrichment" in e.name]
    assert_allclose(enriched, 1.0, atol=1e-5)
    # one of 13 atoms is a metal, and all tie
    assert result.effect("uptake: metals among the highest atoms").value == pytest.approx(1 / 13)
    assert result.effect("uptake: metals among the three highest").value == pytest.approx(1 / 13)


def test_the_enrichment_weighted_by_the_atoms_is_one_in_each_grouping() -> None:
    rows = run(boxed("C6H6", "Cu")).tables["classes"]
    for network in ("trained", "untrained"):
        for grouping in ("element", "bond graph"):
            own = [r for r in rows if (r["network"], r["grouping"]) == (network, grouping)]
            assert sum(r["atom_share"] * r["enrichment"] for r in own) == pytest.approx(1.0)
            assert sum(r["share_of_first_three"] for r in own) == pytest.approx(1.0)


def test_only_structures_with_a_class_count_for_it() -> None:
    result = run(boxed("C6H6", "Cu"), boxed("CH3OH"), boxed("C6H6", "Zn"))
    assert result.effect("uptake: enrichment of metal").n == 2
    assert result.effect("uptake: enrichment of H").n == 3
    assert result.effect("uptake: enrichment of ring").n == 2
    assert result.counts["without metal"] == 1


def test_a_structure_of_one_element_is_counted_and_the_rest_goes_on() -> None:
    result = run(bulk("Cu", cubic=True), boxed("CH3OH"))
    assert result.n_structures == 1
    assert result.counts["left out, a single element"] == 1


def test_a_bare_formula_is_named_and_the_rest_goes_on() -> None:
    formula = Atoms("NaCl", info={"name": "salt", "is_formula": True})
    result = run(formula, boxed("CH3OH"))
    assert [f.name for f in result.failures] == ["salt"]
    assert result.n_structures == 1


def test_nothing_but_elements_is_refused() -> None:
    with pytest.raises(StudyError, match="Each of the 2 structures has a single element"):
        run(bulk("Cu"), bulk("Al"))


def test_models_without_attention_are_named_and_others_offered() -> None:
    with pytest.raises(StudyError, match=r"uptake \(2\) \(ae-cgcnn\); train one of .*-pool"):
        run(boxed("C6H6"), models=(predictor(), predictor("ae-cgcnn")))


def test_any_model_that_attends_can_be_studied() -> None:
    result = run(boxed("CH3OH"), models=(make_predictor("homo"),))
    assert result.effect("homo: enrichment of chain").value > 0


def test_shuffled_labels_stand_beside_the_trained_model() -> None:
    given = StudyInput(
        models=(predictor(),),
        data=dataset(boxed("C6H6", "Cu")),
        shuffled=(trained_on_noise(predictor(seed=3)),),
    )
    effect = STUDIES["motifs"]().run(given).effect("uptake: enrichment of metal")
    assert set(effect.controls) == {"untrained", "shuffled labels"}


def learned(enrichment: float, controls: float = 1.0, n: int = 30) -> ModelShares:
    """Structures whose metals have about this enrichment; the controls another one."""

    def found(mean: float, seed: int) -> Shares:
        atoms, attention = np.zeros((2, n, len(CLASSES)))
        atoms[:, [METAL, C, H]] = 0.25, 0.25, 0.5
        noise = 1 + 0.05 * np.random.default_rng(seed).normal(size=n)
        attention[:, METAL] = 0.25 * mean * noise
        return Shares(atoms, attention, attention, attention)

    return ModelShares(
        label="uptake",
        names=tuple(map(str, range(n))),
        trained=found(enrichment, 0),
        controls={
            "untrained": [found(controls, seed) for seed in (1, 2, 3)],
            "shuffled labels": [found(controls, 4)],
        },
    )


@pytest.mark.parametrize(
    ("enrichment", "controls", "verdict"),
    [
        (0.3, 1.0, "holds"),
        (0.499, 1.0, "fails"),
        (37.0, 1.0, "fails"),
        (0.3, 0.2, "as much in controls"),
    ],
)
def test_metals_are_ignored_below_the_limit_and_below_the_controls(
    enrichment: float, controls: float, verdict: str
) -> None:
    claim = metals_ignored({"uptake": learned(enrichment, controls)})
    assert (claim.identifier, claim.verdict) == ("A3", verdict)
    assert claim.chance == "1 where attention is even"


def test_metals_of_salts_say_nothing_of_frameworks() -> None:
    rocksalt = bulk("NaCl", "rocksalt", a=5.6)
    (claim,) = run(rocksalt, bulk("TiC", "rocksalt", a=4.3)).claims
    assert claim.verdict == "not tested"
    assert "has a metal and linkers" in claim.evidence
    (claim,) = run(rocksalt, boxed("C6H6", "Cu"), boxed("C6H6", "Zn")).claims
    assert "in 2 structures with linkers" in claim.evidence


def test_one_framework_and_one_without_shuffled_labels_never_hold() -> None:
    assert metals_ignored({"uptake": learned(0.3, n=1)}).verdict == "not tested"
    assert metals_ignored({"uptake": shares(0.1)}).verdict == "as much in controls"


def test_every_model_is_a_training_of_the_claim_in_whatever_order() -> None:
    models = {"uptake (1)": learned(0.3), "uptake (2)": learned(37.0)}
    first, second = metals_ignored(models), metals_ignored(dict(reversed(models.items())))
    assert first.verdict == second.verdict == "fails"
    assert (first.n_held, first.n_trainings) == (second.n_held, second.n_trainings) == (1, 2)


def test_without_metals_the_claim_is_not_tested() -> None:
    (claim,) = run(boxed("CH3OH")).claims
    assert claim.verdict == "not tested"


def test_rings_smaller_than_three_are_refused() -> None:
    with pytest.raises(StudyError, match="largest_ring=2"):
        STUDIES["motifs"](MotifsSettings(largest_ring=2))


def test_the_figures_are_drawn_from_the_tables(tmp_path) -> None:
    result = run(boxed("C6H6", "Cu"), boxed("CH3OH", "Zn"), boxed("CH3OH"), n_pictures=2)
    result = replace(result, tables={k: [dict(r) for r in v] for k, v in result.tables.items()})
    result.save(tmp_path)
    pictures = STUDIES["motifs"](MotifsSettings(n_pictures=2)).draw(result, tmp_path)
    assert [p.name for p in pictures] == ["motifs.png", "motifs-CH3OH.png", "motifs-C6H6.png"]
    assert all(p.stat().st_size > 10_000 for p in pictures)
    assert (tmp_path / "classes.csv").exists()
