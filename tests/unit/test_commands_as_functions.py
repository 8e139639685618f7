"""The commands as functions: models by name, inputs of any kind, names of options."""

import numpy as np
import pandas as pd
import pytest
from ase.build import molecule
from pymatgen.core import Lattice, Structure

import atomlens as al
from atomlens.cli import main
from atomlens.errors import (
    ExplanationError,
    Failure,
    SettingsError,
    StudyError,
)
from atomlens.explain import AtomScores, Explainer
from atomlens.settings import by_option

PAIRS = [(smiles, float(i)) for i, smiles in enumerate(("CCO", "CCC", "CCN", "CCCC", "C=C", "OCO"))]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("model") / "gap"
    al.train(PAIRS, model="mean", target="gap", unit="eV", out=out, split="random:.5/.25/.25")
    return out


@pytest.fixture(scope="module")
def model(folder):
    return al.load(folder)


DATA = al.load_dataset(PAIRS[:2], "gap")
SALT = Structure(Lattice.cubic(4), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
INPUTS = {
    "a data set": (DATA, ["CCO", "CCC"]),
    "its structures": (DATA.structures, ["CCO", "CCC"]),
    "its samples": (list(DATA), ["CCO", "CCC"]),
    "a sample": (DATA[0], ["CCO"]),
    "a structure": (DATA.structures[0], ["CCO"]),
    "records": ([{"smiles": "CCO"}, {"smiles": "CCC", "y": 1}], ["CCO", "CCC"]),
    "columns": ({"smiles": ["CCO", "CCC"]}, ["CCO", "CCC"]),
    "a DataFrame": (pd.DataFrame({"smiles": ["CCO", "CCC"]}), ["CCO", "CCC"]),
    "a Series": (pd.Series(["CCO", "CCC"]), ["CCO", "CCC"]),
    "an array": (np.array(["CCO", "CCC"]), ["CCO", "CCC"]),
    "values of a dictionary": ({1: "CCO", 2: "CCC"}.values(), ["CCO", "CCC"]),
    "JSON of pymatgen": (SALT.as_dict(), ["NaCl"]),
    "Atoms": (molecule("H2O"), ["H2O"]),
}


@pytest.mark.parametrize(("given", "names"), INPUTS.values(), ids=list(INPUTS))
def test_every_kind_of_input_is_read_alike(model, given, names):
    assert list(model.predict(given).names) == names
    assert [name for part in model.predict_stream(given) for name in part.names] == names
    assert [one.name for one in model.explain_many(given, method="occlusion")] == names
    assert [one.name for one in al.graph(given, builder="radius")] == names


@pytest.mark.parametrize(
    ("given", "said"),
    [(None, "entry 0 .* is empty"), (3, "an int object"), ([("CCO", 1)], "a tuple obj")],
)
def test_what_is_no_structure_is_called_by_its_kind(model, given, said):
    with pytest.warns(UserWarning, match=f"1 of 1 inputs could not be used: {said}"):
        model.predict(given)


def test_a_model_is_given_by_its_folder_and_options_by_their_names(folder, model):
    assert al.predict(folder, "CCO", workers=1, target="gap").targets[0].unit == "eV"
    assert al.evaluate(str(folder), PAIRS, part="test").n_samples == 1
    assert al.counterfactual(model, "CCO").name == "CCO"
    assert al.cv(PAIRS, model="mean", target="gap", folds=2).folds[1].size == 3
    assert isinstance(al.graph("no molecule", builder="radius")[0], Failure)
    with pytest.raises(ExplanationError, match="holds 2"):
        al.counterfactual(model, ["CCO", "CCC"])
    with pytest.raises(SettingsError, match="The model is None"):
        al.predict(None, "CCO")


def test_options_of_speed_are_told_to_be_idle_for_what_is_no_network(folder, capsys):
    assert main(["predict", str(folder), "CCO", "--batch-size", "4"]) == 0
    assert "--batch-size 4: the model 'mean' is no network" in capsys.readouterr().err
    assert main(["predict", str(folder), "CCO"]) == 0
    assert "no network" not in capsys.readouterr().err


def test_a_study_and_its_short_names_take_what_predict_takes(model):
    unseen = [molecule("CH3CH2OH"), molecule("C6H6")]
    result = al.faithful(model, unseen, methods="occlusion")
    assert result.study == "faithful"
    assert result.n_structures == 2
    assert al.environments(model, unseen, least=1, all=True).n_structures == 2
    with pytest.warns(UserWarning, match="3 structures are left out: the models were trained on"):
        assert al.faithful(model, PAIRS).n_structures == 3
    with pytest.raises(SettingsError, match="Did you mean 'orbits'"):
        al.study("orbts", unseen, models=model)
    with pytest.raises(SettingsError, match="Did you mean 'tolerance'"):
        al.study("orbits", unseen, models=model, toleranc=1)
    with pytest.raises(StudyError, match="name the structures"):
        al.faithful(model, [])


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ({"lr": 1e-3}, "it is called learning_rate"),
        ({"n_layers": 2}, r"give it as model_settings=\{'n_layers': 2\}"),
        ({"n_neighbors": 12}, r"give it as builder_settings=\{'n_neighbors': 12\}"),
        ({"epoch": 2}, "Did you mean 'epochs'"),
        ({"freeze": 1, "frozen_layers": 1}, "two names of one thing"),
        ({"unit": "eV", "units": {"gap": "eV"}}, "say the same thing"),
    ],
)
def test_a_word_of_the_command_line_is_understood_or_told(said, meant):
    with pytest.raises(SettingsError, match=meant):
        al.train(PAIRS, target="gap", **said)


def test_what_is_said_about_all_targets_needs_one_that_is_named():
    assert al.load_dataset(PAIRS, "gap", extensive=True, unit="eV").targets[0].extensive
    with pytest.raises(SettingsError, match="name it with target="):
        al.load_dataset(PAIRS, extensive=True)
    with pytest.raises(SettingsError, match="Did you mean 'method'"):
        al.load("qm9").explain("CCO", methd="occlusion")


def test_an_option_may_be_the_contrary_of_an_argument():
    @by_option(no_rest=("rest", lambda no: not no))
    def work(rest: bool = True) -> bool:
        return rest

    assert work()
    assert not work(no_rest=True)


class Even(Explainer):
    """The same share for every atom."""

    name = "even"
    n_members = 1

    def explain(self, question):
        n = len(question.structures.atomic_numbers)
        scores = np.full(n, 1 / n)
        return AtomScores(scores=scores, by_member=np.tile(scores, (self.n_members, 1)))


def test_an_explainer_of_ones_own_is_given_as_class_or_instance(model):
    for method in (Even, Even()):
        found = model.explain("CCO", method=method)
        assert found.method == "even"
        assert found.scores == pytest.approx(np.full(9, 1 / 9))
        assert "has not been tested" in found.tested


def test_an_explainer_that_cannot_be_used_is_refused_in_a_sentence(model):
    class Taken(Even):
        name = "occlusion"

    class Wrong(Even):
        n_members = 2

    for method, said in (
        (Taken, "called 'occlusion' like one of atomlens"),
        (3, "The method is an int object"),
        (dict, "The method is a type object"),
        ("evn", "no explanation method"),
    ):
        with pytest.raises(SettingsError, match=said):
            model.explain("CCO", method=method)
    with pytest.raises(ExplanationError, match=r"by_member of the shape \(2, 9\)"):
        model.explain("CCO", method=Wrong)


def test_a_prediction_is_a_list_of_rows(model):
    found = al.predict(model, ["CCO", "CCC"])
    assert list(found) == found.to_records()
    assert found[-1] == found.to_records()[1]
    with pytest.raises(IndexError):
        found[2]
    with pytest.raises(SettingsError, match="by its name, and this is a slice object"):
        found[:1]


@pytest.mark.parametrize("batch_size", ["a", 0, -1, 2.5, True])
def test_a_batch_size_is_a_whole_number(model, batch_size):
    with pytest.raises(SettingsError, match="must be a whole number"):
        model.predict("CCO", batch_size=batch_size)


def test_a_slice_of_a_data_set_is_a_data_set():
    data = al.load_dataset(PAIRS, "gap")
    assert [one.identifier for one in data[1:3]] == ["CCC", "CCN"]
    assert data[1:3].values[:, 0].tolist() == [1.0, 2.0]
    assert data[-1].identifier == "OCO"


def test_molecules_of_rdkit_are_called_by_their_title_or_smiles(model):
    from rdkit import Chem

    named = Chem.MolFromSmiles("CCO")
    named.SetProp("_Name", "ethanol")
    given = [Chem.MolFromSmiles("OCC"), Chem.AddHs(Chem.MolFromSmiles("COC")), named]
    assert al.predict(model, given).names == ("CCO", "COC", "ethanol")


def test_a_list_of_smiles_leaves_no_doubt_about_one_that_is_a_formula_too(model, recwarn):
    both = "valid as SMILES and as formula"
    assert both not in str(model.predict(["CCO", "CO", "C"]).warnings)
    assert not any(both in str(w.message) for w in recwarn)
    for alone in ("CO", ["CO", "C"], ["CO", "SiO2"]):
        with pytest.warns(UserWarning, match=both):
            model.predict(alone)
