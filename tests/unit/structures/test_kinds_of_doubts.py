"""What is done about a doubt rests on its kinds, which go along with it, and never on its words."""

import copy
import pickle
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule

from atomlens.datasets import Dataset
from atomlens.datasets.packed import load_packed, save_packed
from atomlens.predictor import Prediction, load
from atomlens.structures import read_structures
from atomlens.structures.arrays import StructureArrays, warnings_of
from atomlens.structures.disorder import PartialAtoms, ordered_models
from atomlens.structures.doubts import Doubt, Doubts, are_about, as_doubt, of_earlier_file
from atomlens.structures.forms import DisorderChoice, said_of_models
from atomlens.structures.records import add_warning
from atomlens.targets import Target

pytestmark = pytest.mark.filterwarnings("ignore")


def in_bohr() -> Atoms:
    """Ethanol whose lengths look like those of another unit."""
    atoms = molecule("CH3CH2OH")
    atoms.positions *= 1.8897
    return atoms


METHYL = Atoms("CH3", molecule("CH3").positions)
DOUBTED = ["CC[NH3+]", "CC[O]", "CCO.CCN", METHYL, in_bohr()]
KINDS = [{"charge"}, {"unpaired electrons"}, {"set apart"}, {"odd electrons"}]


def doubted() -> StructureArrays:
    found = read_structures(DOUBTED).structures
    return StructureArrays.from_atoms(found)


def kinds(structures: StructureArrays) -> list[set[str]]:
    return [
        {kind for text in said for kind in as_doubt(text).kinds} for said in structures.warnings
    ]


def test_a_reader_says_what_its_sentences_are_about() -> None:
    assert kinds(doubted())[:4] == KINDS
    assert kinds(doubted())[4] >= {"unit", "distances"}


def test_sentences_keep_their_kinds_wherever_they_go(tmp_path: Path) -> None:
    structures = doubted()
    data = Dataset(
        name="d",
        structures=structures,
        targets=(Target(name="y"),),
        values=np.zeros((len(structures), 1)),
    )
    packed = load_packed(save_packed(data, tmp_path / "d.npz")).structures
    atoms = [structures[i].to_atoms() for i in range(len(structures))]
    for sent in (
        pickle.loads(pickle.dumps(structures)),
        copy.deepcopy(structures),
        structures.subset(range(5)),
        StructureArrays.from_atoms([one.copy() for one in atoms]),
        packed,
    ):
        assert sent.warnings == structures.warnings
        assert kinds(sent) == kinds(structures)


def test_answers_are_the_same_whatever_the_words_of_a_reader() -> None:
    model = load("qm9")
    structures = doubted()
    other_words = replace(
        structures,
        warnings=tuple(
            tuple(as_doubt(text).reworded("x" * (k + 1)) for k, text in enumerate(said))
            for said in structures.warnings
        ),
    )
    silent = replace(structures, warnings=())

    def asked(given: StructureArrays) -> Prediction:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return model.predict(given)

    usual, reworded, unheard = map(asked, (structures, other_words, silent))
    of_model = [said.of_model for said in usual.doubts]
    assert [said.of_model for said in reworded.doubts] == of_model
    assert [said.of_model for said in unheard.doubts] != of_model  # so they were heard at all
    np.testing.assert_array_equal(reworded.std, usual.std)
    assert reworded.doubts != usual.doubts


def test_a_sentence_that_has_lost_its_kinds_gets_them_back_from_its_reader() -> None:
    atoms = molecule("CH4")
    atoms.info["warnings"] = ["a", "b"]
    add_warning(atoms, Doubt("a", "unit"))
    assert warnings_of(atoms) == ["a", "b"]
    assert are_about(warnings_of(atoms), "unit")


def test_sentences_of_models_are_told_apart_by_their_kinds() -> None:
    made, cut = Doubt("one", "made"), Doubt("two", "cut shell")
    said = Doubts(of_reader=(Doubt("four", "made"),), of_model=("three", made, cut))
    assert said.about("made") == (made,)
    assert said.about("named", "cut shell") == (cut,)
    assert said.beside("cut shell") == ("three", made)
    assert Doubts.joined([said, said]) == said
    assert [as_doubt(one).kinds for one in Doubts.joined([said]).of_model] == [
        (),
        ("made",),
        ("cut shell",),
    ]


def test_an_ordered_model_knows_how_all_of_them_are_spoken_of() -> None:
    n = 2
    atoms = PartialAtoms(
        numbers=np.array([11, 19]),
        positions=np.zeros((n, 3)),
        cell=np.eye(3) * 5,
        occupancies=np.array([0.5, 0.5]),
        sites=np.zeros(n, dtype=int),
        images=np.zeros(n, dtype=int),
        groups=[None] * n,
    )
    models = ordered_models(atoms, DisorderChoice(how="enumerate", n_models=2))
    said = {one.said for one in models}
    assert len(said) == len(models) == 2
    assert {said_of_models(one) for one in said} == {
        "the structure is disordered; ordered models were drawn by the occupancies"
    }
    assert {said_of_models(as_doubt(one).reworded("x")) for one in said} == set(
        map(said_of_models, said)
    )
    assert said_of_models("another sentence") == "another sentence"


def test_sentences_of_files_that_keep_no_kinds_are_known_by_their_words() -> None:
    for structure in map(doubted().__getitem__, range(len(DOUBTED))):
        for text in structure.warnings:
            assert of_earlier_file(str(text)).kinds == as_doubt(text).kinds
    assert of_earlier_file(
        "the structure is disordered; ordered model 3 of 9, drawn by the occupancies: NaCl for KCl"
    ).pieces == ("the structure is disordered; ordered models were drawn by the occupancies",)
    assert of_earlier_file("its bonds are odd").kinds == ()
