"""Scores against a known truth, and the published tasks read from both kinds of files."""

import json
import pickle
from collections import OrderedDict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from ase.build import bulk

from atomlens.chemistry.bonds import find_bonds, near_pairs
from atomlens.cli import main
from atomlens.datasets import load_dataset
from atomlens.datasets.sources.attribution import read_task, task_dataset
from atomlens.errors import DatasetError, StudyError
from atomlens.neighbors import make_builder
from atomlens.predictor import Predictor
from atomlens.predictor.inputs import gather
from atomlens.structures.arrays import StructureArrays
from atomlens.studies.base import StudyInput
from atomlens.studies.faithful.asked import Asked
from atomlens.studies.truth.known import known_of
from atomlens.studies.truth.scores import auroc, kendall, pearson, top_one
from atomlens.studies.truth.study import ASIDE, TAUGHT, TruthSettings, TruthStudy
from atomlens.studies.truth.taught import taught_on_the_others
from atomlens.studies.truth.transfers import Transfers
from atomlens.targets import Target
from atomlens.testing.questions import trained_around
from model_makers import small_model

SMILES = ("CC(=O)CF", "CCO", "c1ccccc1C(=O)CF", "CCN", "FCC(=O)OC", "CC#N")
Y = np.array([1.0, 0, 1, 0, 1, 0])
RATIONALES = (
    np.array([[0, 1, 1, 0, 1]]).T,
    np.zeros((3, 1)),
    np.array([[0, 0, 0, 0, 0, 0, 1, 1, 0, 1], [1, 1, 1, 1, 1, 1, 0, 0, 0, 0]]).T,
    np.zeros((3, 1)),
    np.array([[1, 0, 1, 1, 0, 0]]).T,
    np.zeros((3, 1)),
)
METALS = ("Li", "Be", "Na", "Mg", "K", "Ca", "Sc", "Ti", "V", "Cr", "Mn", "Fe", "Co", "Ni", "Zn")
TRAIN, TEST = np.array([0, 1]), np.array([2, 3, 4, 5])


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    path = tmp_path / "ketone.npz"
    np.savez(
        path,
        smiles=np.array([s.encode() for s in SMILES]),
        y=Y,
        train=TRAIN,
        test=TEST,
        n_atoms=np.array([len(r) for r in RATIONALES]),
        n_rationales=np.array([r.shape[1] for r in RATIONALES]),
        attribution=np.concatenate([r.ravel() for r in RATIONALES]).astype(np.int8),
    )
    return path


def repository(folder: Path, dictionaries: list[object]) -> Path:
    task = folder / "ketone"
    task.mkdir()
    rows = [f"name {i},{s}" for i, s in enumerate(SMILES)]
    (task / "ketone_smiles.csv").write_text("\n".join(["id,smiles", *rows]) + "\n")
    np.savez(task / "ketone_traintest_indices.npz", train_index=TRAIN, test_index=TEST)
    np.savez(task / "y_true.npz", y=Y[:, None])
    objects = np.empty(len(dictionaries), dtype=object)
    objects[:] = dictionaries
    np.savez(task / "true_raw_attribution_datadicts.npz", datadict_list=objects)
    return task


def test_both_kinds_of_files_hold_the_same_task(packed: Path, tmp_path: Path) -> None:
    given = [
        {"nodes": r.astype(float), "n_node": np.int32(len(r)), "edges": None} for r in RATIONALES
    ]
    found = [read_task(packed), read_task(f"attribution-tasks:{repository(tmp_path, given)}")]
    for task in found:
        assert task.name == "ketone"
        assert task.smiles == SMILES
        assert task.is_classification
        np.testing.assert_array_equal(task.y, Y)
        np.testing.assert_array_equal(task.test, TEST)
        for own, expected in zip(task.rationales, RATIONALES, strict=True):
            np.testing.assert_array_equal(own, expected)


class Evil:
    def __reduce__(self) -> tuple[object, ...]:
        return (print, ("this must not be printed",))


@pytest.mark.parametrize("odd", [Evil(), OrderedDict(nodes=np.zeros((3, 1)))])
def test_nothing_but_arrays_is_unpickled(
    odd: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = repository(tmp_path, [odd] * 6)
    with pytest.raises(DatasetError, match="no array"):
        read_task(folder)
    assert "must not" not in capsys.readouterr().out
    assert pickle.loads(pickle.dumps(1)) == 1  # the ordinary reader would have run it


def test_a_task_whose_answers_are_sums_over_atoms_is_extensive(packed: Path) -> None:
    task = read_task(packed)
    terms = tuple(np.random.default_rng(0).normal(size=(len(r), 1)) for r in RATIONALES)
    sums = np.array([own.sum() for own in terms])
    assert not task.is_sum
    assert replace(task, y=sums, rationales=terms).is_sum
    assert task_dataset(replace(task, y=sums, rationales=terms)).targets[0].extensive
    assert not replace(task, y=sums + 1, rationales=terms).is_sum


def test_files_that_do_not_belong_together_are_refused(packed: Path, tmp_path: Path) -> None:
    with np.load(packed) as file:
        content = dict(file)
    np.savez(tmp_path / "short.npz", **{**content, "y": Y[:3]})
    with pytest.raises(DatasetError, match="do not belong together"):
        read_task(tmp_path / "short.npz")
    np.savez(tmp_path / "cut.npz", **{**content, "attribution": content["attribution"][:5]})
    with pytest.raises(DatasetError, match=r"cut\.npz"):
        read_task(tmp_path / "cut.npz")
    with pytest.raises(DatasetError, match="no attribution task"):
        load_dataset("attribution-tasks:nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match=r"there is no empty_smiles\.csv"):
        read_task(tmp_path / "empty")


def test_a_task_is_a_data_set_with_its_published_split(packed: Path) -> None:
    data = load_dataset(f"attribution-tasks:{packed}")
    assert len(data) == 6
    assert data.targets[0].kind == "classification"
    np.testing.assert_array_equal(data.values[:, 0], Y)
    np.testing.assert_array_equal(data.splits["test"], TEST)
    for structure, rationale in zip(data.structures, RATIONALES, strict=True):
        n_heavy = len(rationale)  # heavy atoms first, in the order of the SMILES
        assert (structure.atomic_numbers[:n_heavy] > 1).all()
        assert (structure.atomic_numbers[n_heavy:] == 1).all()


def test_the_best_rationale_counts_and_a_molecule_without_one_does_not() -> None:
    two = np.array([[1, 0], [1, 0], [0, 1], [0, 0]])
    assert auroc(two, np.array([0.0, 0.1, 0.9, 0.2])) == 1.0
    assert auroc(two, np.array([0.9, 0.8, 0.1, 0.2])) == 1.0
    assert auroc(two[:, :1], np.array([0.1, 0.3, 0.2, 0.4])) == pytest.approx(0.25)
    assert auroc(two[:, :1], np.full(4, 0.5)) == pytest.approx(0.5)
    assert np.isnan(auroc(np.zeros((4, 1)), np.arange(4.0)))
    truth = np.array([[1.0], [2.0], [3.0]])
    assert kendall(truth, np.array([1.0, 3.0, 2.0])) == pytest.approx(1 / 3)
    assert pearson(truth, np.array([-1.0, -2.0, -3.0])) == pytest.approx(-1)


@pytest.mark.parametrize("name", ["emt-alloys", "crippen-logp"])
def test_true_terms_add_up_to_the_value(name: str) -> None:
    data = load_dataset(name, limit=8)
    assert len(data) == 8
    assert data.targets[0].extensive
    for structure, own, value in zip(data.structures, data.node_labels, data.values, strict=True):
        assert len(own) == len(structure.atomic_numbers)
        assert own.sum() == pytest.approx(value[0], rel=1e-9)
    again = load_dataset(name, limit=4)
    np.testing.assert_array_equal(again.values, data.values[:4])


def lens_predictor(**target: object) -> Predictor:
    n_outputs = len(target.get("classes", ("",)))
    found = trained_around(
        small_model("lens", n_outputs=n_outputs).float(),
        builder=make_builder("voronoi"),
        targets=(Target(**{"name": "y", **target}),),
    )
    return replace(found, model_name="lens")


def test_a_model_that_says_the_true_terms_scores_one(monkeypatch: pytest.MonkeyPatch) -> None:
    data = load_dataset("emt-alloys", limit=4)
    truth = np.concatenate(data.node_labels)
    monkeypatch.setattr(Asked, "scores", lambda self, method: (2 * truth + 1, truth[None]))
    study = TruthStudy(TruthSettings(methods="contribution"))
    result = study.run(
        StudyInput(models=(lens_predictor(name="energy", extensive=True),), data=data)
    )
    rows = {
        (r["method"], r["metric"]): r for r in result.tables["truth"] if r["method"] != "random"
    }
    assert rows["contribution", "pearson"]["value"] == pytest.approx(1)
    assert rows["contribution", "tau"]["value"] == pytest.approx(1)
    table = rows["table of the truth by element", "pearson"]["value"]
    assert 0 < table < 1
    assert rows["contribution", "pearson"]["table by element"] == pytest.approx(table)
    assert "transfers aside' is left out" in " ".join(result.notes)  # four alloys are too few


def test_what_hydrogens_hand_to_their_atoms_does_not_count_with_hydrogens_folded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = load_dataset("crippen-logp", limit=6)
    said = []
    for structure, own in zip(data.structures, data.node_labels, strict=True):
        handed, amount = own.copy(), np.random.default_rng(0).normal(size=len(own))
        for first, second in find_bonds(structure).tolist():
            if structure.atomic_numbers[first] == 1 != structure.atomic_numbers[second]:
                handed[[first, second]] += (amount[first], -amount[first])
        said.append(handed)
    scores = np.concatenate(said)
    monkeypatch.setattr(Asked, "scores", lambda self, method: (scores, scores[None]))
    model = lens_predictor(name=data.targets[0].name, extensive=True)
    found = TruthStudy(TruthSettings(methods="contribution")).run(
        StudyInput(models=(model,), data=data)
    )
    rows = [r for r in found.tables["truth"] if r["method"] == "contribution"]
    by = {r["hydrogens"]: r["value"] for r in rows if r["metric"] == "pearson"}
    assert by["folded"] == pytest.approx(1)
    assert by["as they are"] < 0.9


def test_the_published_score_is_taken_over_molecules_with_the_answer_yes(packed: Path) -> None:
    study = TruthStudy(TruthSettings(methods="contribution,attention"))
    data = study.read([f"attribution-tasks:{packed}"])
    assert data is not None
    model = lens_predictor(name="ketone", kind="classification", classes=("no", "yes"))
    result = study.run(StudyInput(models=(model,), data=data))
    rows = [r for r in result.tables["truth"] if r["method"] == "contribution"]
    assert {r["hydrogens"] for r in rows} == {"as they are", "folded"}
    assert all(r["metric"] == "auroc" and r["n"] == 2 for r in rows)
    assert all(0 <= r["value"] <= 1 for r in rows)
    assert "is right on" in " ".join(result.notes)
    assert "times as far in molecules without anything to find" in " ".join(result.notes)


@pytest.mark.filterwarnings("ignore:.*(deuterium|set 3 Å apart|as SMILES and as formula)")
def test_atoms_of_salts_and_hydrogens_that_rdkit_keeps_have_their_attributions(
    packed: Path,
) -> None:
    smiles = ("[2H]OC", "[Na+].[2H]OC(C)=O", "[H][H]", "C", "[H]OCC")
    given = [np.eye(n)[:, :2] for n in (3, 6, 2, 1, 3)]  # two ways to explain each
    task = replace(
        read_task(packed), smiles=smiles, y=np.ones(5), rationales=tuple(given), test=np.arange(5)
    )
    data = task_dataset(task)
    assert not data.failures
    (known,) = known_of(data, task)
    for own, expected in zip(known.truth, given, strict=True):
        np.testing.assert_array_equal(own, expected)
    wrong = replace(task, rationales=(np.ones((2, 1)), *given[1:]))  # without the deuterium
    with pytest.raises(StudyError, match=r"ketone-0 has 6 atoms.*about 2"):
        known_of(data, wrong)


def test_a_task_without_a_test_molecule_that_has_something_to_find_is_refused(
    packed: Path, tmp_path: Path
) -> None:
    with np.load(packed) as file:
        np.savez(
            tmp_path / "no.npz",
            **{**file, "train": np.array([0, 2]), "test": np.array([1, 3, 5])},
        )
    with pytest.raises(StudyError, match="none of the 3 test molecules of no has the answer yes"):
        TruthStudy().read([f"attribution-tasks:{tmp_path / 'no.npz'}"])


def test_orbitals_are_a_truth_for_each_of_their_targets_in_a_model(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A score that is the share of the HOMO is right for the HOMO and not for the LUMO."""
    monkeypatch.setattr("atomlens.studies.truth.study.LEAST", 10)
    study = TruthStudy(TruthSettings(methods="contribution,attention"))
    data = study.read(["orbitals"])
    assert data is not None
    assert all((np.diff(s.atomic_numbers == 1) >= 0).all() for s in data.structures)
    some = data.subset(np.arange(0, len(data), 40))
    homo, lumo = known_of(some, None)
    assert (homo.target, lumo.target) == ("homo", "lumo")
    for own, structure in zip(homo.truth, some.structures, strict=True):
        assert len(own) == (structure.atomic_numbers > 1).sum()
        assert 0.5 < own.sum() < 1.01
    trained = trained_around(
        small_model("lens", n_outputs=2).float(),
        builder=make_builder("voronoi"),
        targets=(Target(name="lumo", unit="eV"), Target(name="homo", unit="eV")),
    )
    result = study.run(StudyInput(models=(trained,), data=some))
    rows = result.tables["truth"]
    assert {r["model"].split(", ")[1] for r in rows} == {"homo", "lumo"}
    assert {r["metric"] for r in rows} == {"spearman", "top one"}
    assert {
        "number of neighbours",
        "random",
        "table of the truth by element",
        TAUGHT,
        f"{TAUGHT}, untrained network",
    } <= {r["method"] for r in rows}


def test_sizes_count_where_the_truth_has_no_sign(monkeypatch: pytest.MonkeyPatch) -> None:
    study = TruthStudy(TruthSettings(methods="contribution"))
    data = study.read(["orbitals"])
    assert data is not None
    data = data.subset(np.arange(3))
    homo = known_of(data, None)[0]
    flat = []
    for own, structure in zip(homo.truth, data.structures, strict=True):
        hydrogens = np.zeros(len(structure.atomic_numbers) - len(own))
        flat.append(-np.concatenate([own[:, 0], hydrogens]))
    scores = np.concatenate(flat)
    monkeypatch.setattr(Asked, "scores", lambda self, method: (scores, scores[None]))
    model = trained_around(
        small_model("lens").float(),
        builder=make_builder("voronoi"),
        targets=(Target(name="homo", unit="eV"),),
    )
    rows = study.run(StudyInput(models=(model,), data=data)).tables["truth"]
    values = {r["metric"]: r["value"] for r in rows if r["method"] == "contribution"}
    assert values["spearman"] == pytest.approx(1)
    assert values["top one"] == 1


def test_molecules_that_a_split_names_as_trained_on_are_left_out() -> None:
    study = TruthStudy(TruthSettings(methods="attention"))
    data = study.read(["orbitals"])
    assert data is not None
    some = data.subset(np.arange(4))
    names = some.structures.names
    model = trained_around(
        small_model("lens").float(),
        builder=make_builder("voronoi"),
        targets=(Target(name="homo", unit="eV"),),
    )
    for split, n in (({"train": names[:1]}, 3), ({"test": names[:2]}, 2), ({"test": ["x"]}, 4)):
        own = replace(model, record=replace(model.record, split=split))
        rows = study.run(StudyInput(models=(own,), data=some)).tables["truth"]
        assert rows[0]["n"] == n


def test_a_model_of_neither_orbital_is_named() -> None:
    study = TruthStudy()
    data = study.read(["orbitals"])
    assert data is not None
    with pytest.raises(StudyError, match="has no target homo or lumo"):
        study.run(StudyInput(models=(lens_predictor(),), data=data.subset(np.arange(2))))


def test_equal_largest_scores_share_the_first_place() -> None:
    truth = np.array([[0.1], [0.6], [0.3]])
    assert top_one(truth, np.array([0.0, 2.0, 1.0])) == 1
    assert top_one(truth, np.array([0.0, 2.0, 2.0])) == 0.5
    assert top_one(truth, np.array([1.0, 0.0, 0.0])) == 0
    assert np.isnan(top_one(np.full((3, 1), 0.2), np.arange(3.0)))


def test_an_atom_that_symmetry_exchanges_with_the_leading_one_leads_as_well() -> None:
    """The two nitrogens of dicyanogen, say, as a grid that is not symmetric shares them out."""
    truth = np.array([[0.297], [0.203], [0.205], [0.295]])
    for leading in (0, 3):
        assert top_one(truth, np.eye(4)[leading]) == 1
    assert top_one(truth, np.eye(4)[1]) == 0
    assert top_one(np.array([[0.3], [0.294]]), np.array([0.0, 1.0])) == 0


def test_handing_terms_to_neighbours_changes_no_total_and_nothing_that_is_judged() -> None:
    data = load_dataset("emt-alloys", limit=60)
    transfers = Transfers(data.structures)
    assert transfers.usable
    truth = np.concatenate(data.node_labels)
    rest = transfers.aside(truth)
    cuts = data.structures.offsets[1:-1]
    for before, after in zip(np.split(truth, cuts), np.split(rest, cuts), strict=True):
        assert after.sum() == pytest.approx(before.sum(), abs=1e-8)
    # what an atom of one element hands to every near atom of another, by distance
    handed = np.zeros(len(truth))
    for start, own in zip(data.structures.offsets, data.structures, strict=False):
        near = near_pairs(own.positions, own.cell, own.pbc, np.full(len(own.atomic_numbers), 2.0))
        kinds = own.atomic_numbers.astype(int)
        sign = np.sign(kinds[near.second] - kinds[near.first])
        amount = (1 + np.cos(np.pi * near.distances / 4)) / 2
        amount *= np.exp(-(((near.distances - 2.8) / 0.35) ** 2))
        np.add.at(handed, start + near.first, sign * amount)
    assert np.abs(handed).max() > 1
    np.testing.assert_allclose(transfers.aside(truth + 3 * handed), rest, atol=1e-8)
    assert rest.std() < truth.std() / 3


def test_transfers_in_molecules_go_along_bonds() -> None:
    data = load_dataset("crippen-logp", limit=40)
    transfers = Transfers(data.structures)
    assert transfers.usable
    truth = np.concatenate(data.node_labels)
    handed = np.zeros(len(truth))  # every hydrogen gives to its atom
    for start, own in zip(data.structures.offsets, data.structures, strict=False):
        for first, second in find_bonds(own).tolist():
            if own.atomic_numbers[first] == 1 and own.atomic_numbers[second] == 6:
                handed[start + first] -= 1
                handed[start + second] += 1
    np.testing.assert_allclose(transfers.aside(truth + handed), transfers.aside(truth), atol=1e-8)
    assert not Transfers(data.structures.subset(np.arange(2))).usable
    formulas = gather(["NaCl", "TiO2"]).structures
    assert not Transfers(formulas).usable


def test_so_many_elements_that_everything_could_be_handed_on_are_left_out() -> None:
    crystals = [bulk(f"{a}{b}", "rocksalt", a=5.0) * (2, 2, 2) for a in METALS for b in "OSN"]
    transfers = Transfers(StructureArrays.from_atoms(crystals))
    assert not transfers.usable
    few = [bulk("NaCl", "rocksalt", a=5.6) * (2, 2, 2)] * 3
    assert Transfers(StructureArrays.from_atoms(few)).usable
    terms = np.arange(16.0 * len(crystals))
    np.testing.assert_array_equal(transfers.aside(terms), terms)


def test_what_totals_determine_is_judged_beside_all_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The truth but for transfers is right in this score, and wrong in the other."""
    data = load_dataset("emt-alloys", limit=60)
    rest = Transfers(data.structures).aside(np.concatenate(data.node_labels))
    monkeypatch.setattr(Asked, "scores", lambda self, method: (rest, rest[None]))
    study = TruthStudy(TruthSettings(methods="contribution"))
    result = study.run(
        StudyInput(models=(lens_predictor(name="energy", extensive=True),), data=data)
    )
    rows = {r["metric"]: r for r in result.tables["truth"] if r["method"] == "contribution"}
    assert rows[ASIDE]["value"] == pytest.approx(1)
    assert rows["pearson"]["value"] < 0.9
    assert rows[ASIDE]["table by element"] < 0.9
    assert not rows[ASIDE]["main"]


def test_a_read_out_learns_what_features_know_and_never_from_the_molecule_that_it_scores() -> None:
    draw = np.random.default_rng(0)
    n_atoms = 5
    features = torch.from_numpy(draw.normal(size=(60 * n_atoms, 3)))
    said = np.exp(2 * features[:, 0].numpy()).reshape(60, n_atoms)
    shares = said / said.sum(axis=1, keepdims=True)
    truth = [own[:4, None] for own in shares]  # the last atom is nobody that the truth is about
    offsets = np.arange(0, 61 * n_atoms, n_atoms)
    found = taught_on_the_others(features, truth, offsets, seed=0).reshape(60, n_atoms)
    assert np.mean([top_one(t, s[:4]) for t, s in zip(truth, found, strict=True)]) > 0.95
    blind = taught_on_the_others(features[:, 1:], truth, offsets, seed=0).reshape(60, n_atoms)
    assert np.mean([top_one(t, s[:4]) for t, s in zip(truth, blind, strict=True)]) < 0.5
    others = [truth[0][::-1].copy(), *truth[1:]]
    again = taught_on_the_others(features, others, offsets, seed=0).reshape(60, n_atoms)
    np.testing.assert_allclose(again[0], found[0], rtol=1e-4)
    assert np.abs(again - found).max() > 1e-3


def test_data_of_which_nothing_is_known_is_refused() -> None:
    data = replace(load_dataset("toy", limit=3), node_labels=None)
    with pytest.raises(StudyError, match="nothing is known of the atoms"):
        TruthStudy().run(StudyInput(models=(lens_predictor(),), data=data))


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ({"name": "gap", "unit": "eV"}, r"lens predicts gap \(eV\), and .* toy is about signal"),
        ({"name": "signal", "unit": "meV"}, r"predicts signal \(meV\), .* signal \(eV\); give a"),
        ({"name": "signal", "kind": "classification", "classes": ("no", "yes")}, "2 classes"),
    ],
)
def test_the_truth_of_another_property_than_the_model_predicts_is_refused(target, words) -> None:
    data = load_dataset("toy", limit=3)
    with pytest.raises(StudyError, match=words):
        TruthStudy().run(StudyInput(models=(lens_predictor(**target),), data=data))


def test_of_a_model_of_several_targets_the_one_that_is_known_is_asked() -> None:
    model = trained_around(
        small_model("lens", n_outputs=2).float(),
        builder=make_builder("voronoi"),
        targets=(Target(name="gap", unit="K"), Target(name="signal", unit="eV")),
    )
    data = load_dataset("toy", limit=3)
    study = TruthStudy(TruthSettings(methods="contribution"))
    result = study.run(StudyInput(models=(replace(model, model_name="lens"),), data=data))
    assert {row["model"] for row in result.tables["truth"]} == {"lens, signal"}


def test_the_command_scores_a_model_on_toy_data(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = lens_predictor(name="Signal").save(tmp_path / "model")
    given = ["study", "truth", "toy", "--limit", "6", "--model", str(folder)]
    assert main([*given, "--out", str(tmp_path / "out"), "--quiet"]) == 0
    assert {p.name for p in (tmp_path / "out").iterdir()} == {
        "study.json",
        "inputs.csv",
        "truth.csv",
        "truth.png",
    }
    assert "auroc" in capsys.readouterr().out
    assert json.loads((tmp_path / "out" / "study.json").read_text())["study"] == "truth"
