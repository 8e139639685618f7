"""What the command line says of data, models and answers, a Python caller hears as a warning."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.calculators.singlepoint import SinglePointCalculator

import atomlens as al
from atomlens.datasets import Dataset
from atomlens.structures.arrays import StructureArrays
from atomlens.structures.records import DEUTERIUM_NOTICE
from atomlens.targets import Target
from atomlens.training import TrainingProgress
from hearing import heard

ALKANES = ["C" * n for n in range(1, 25)]
LENGTHS = np.arange(1.0, 25.0)


def of(said: list[str], words: str) -> str:
    (one,) = [text for text in said if words in text]
    return one


def frames(n: int) -> list[Atoms]:
    made = [molecule("CH3CH2OH") for _ in range(n)]
    for seed, atoms in enumerate(made):
        atoms.rattle(0.03, seed=seed)
    return made


def in_memory(atoms: list[Atoms], values: np.ndarray, **about: object) -> Dataset:
    return Dataset(
        name="own",
        structures=StructureArrays.from_atoms(atoms),
        targets=(Target(name="y", **about),),
        values=np.asarray(values, dtype=np.float64)[:, None],
    )


def test_what_training_finds_in_the_data_is_a_warning() -> None:
    data = in_memory(frames(20), np.cos(np.arange(20.0)))
    said = heard(lambda: al.train(data, model="mean", split="random:.6/.2/.2", epochs=3))
    assert "4 of 4 samples of the test part" in of(said, "other geometries")
    assert of(said, "epochs is ignored")


def test_totals_are_told_under_any_name_and_unasked_ones_of_ase() -> None:
    table = {"smiles": ALKANES, "Etot": (-3.0 - 40 * LENGTHS).tolist()}
    said = heard(lambda: al.train(table, target="Etot", model="ridge"))
    assert of(said, "grow with the number of atoms")
    cells = [bulk("Cu").repeat((n, 1, 1)) for n in range(1, 13)]
    for n, atoms in enumerate(cells, 1):
        atoms.calc = SinglePointCalculator(atoms, energy=-3.7 * n + 0.01 * np.cos(n))
    words = "energy is taken for a total"
    assert of(heard(lambda: al.train(cells, target="energy", model="mean")), words)
    asked = heard(lambda: al.train(cells, target="energy", model="mean", extensive=True))
    assert not [text for text in asked if words in text]


def test_a_model_that_is_no_better_than_the_mean_is_told_and_by_a_listener_once() -> None:
    noise = np.random.default_rng(1).normal(size=24)
    table = {"smiles": ALKANES, "y": noise.tolist()}
    words = "no better than predicting the mean"
    assert of(heard(lambda: al.train(table, target="y", model="ridge")), words)

    class Ear(TrainingProgress):
        def __init__(self) -> None:
            self.said: list[str] = []

        def verdict(self, text: str) -> None:
            self.said.append(text)

    ear = Ear()
    said = heard(lambda: al.train(table, target="y", model="ridge", progress=ear))
    assert not [text for text in said if words in text]
    assert of(ear.said, words)


def test_folds_tell_each_sentence_once_and_what_all_are_worth() -> None:
    data = in_memory(frames(20), np.random.default_rng(1).normal(size=20))
    said = heard(lambda: al.cross_validate(data, model="ridge", n_folds=4, epochs=3))
    assert of(said, "epochs is ignored")
    assert "over all folds" in of(said, "no better than")
    assert len(set(said)) == len(said)


def test_answers_to_mistrust_are_counted_in_one_warning() -> None:
    model = al.train(
        {"smiles": ALKANES[:10], "n": LENGTHS[:10].tolist()}, target="n", model="ridge"
    )
    asked = ["smiles:CC", "smiles:" + "C" * 40, "smiles:" + "C" * 41]
    text = of(heard(lambda: model.predict(asked)), "mistrusted")
    assert text.startswith("2 of 3 answers should be mistrusted:")
    assert "40 atoms" not in text
    assert "(and 1 more" in text
    assert not heard(lambda: model.predict(asked[:1]))


def test_an_evaluation_says_what_its_figures_mean() -> None:
    table = {"smiles": ALKANES, "n": LENGTHS.tolist()}
    model = al.train(table, target="n", model="ridge", split="random:.7/.3/0")
    other = {"smiles": ALKANES, "n": (1000 + LENGTHS).tolist()}
    said = heard(lambda: model.evaluate(other))
    assert of(said, "may be in another unit")
    assert of(said, "no better than predicting the mean")
    noisy = heard(lambda: model.evaluate(table))
    assert not [text for text in noisy if "no better" in text]


@pytest.mark.parametrize("n", [3])
def test_the_estimator_of_scikit_learn_tells_of_answers_to_mistrust(n: int) -> None:
    pytest.importorskip("sklearn")
    from atomlens.sklearn import AtomlensRegressor

    estimator = AtomlensRegressor("ridge", epochs=n)
    smiles = [f"smiles:{one}" for one in ALKANES[:10]]
    assert of(heard(lambda: estimator.fit(smiles, LENGTHS[:10])), "epochs is ignored")
    assert of(heard(lambda: estimator.predict(["smiles:" + "C" * 40])), "1 of 1 answer should")


def test_what_readers_remark_is_said_once(tmp_path: Path) -> None:
    heavy = [f"[2H]{'C' * n}" for n in range(1, 13)]
    rows = [f"{smiles},{n}" for n, smiles in enumerate([*ALKANES[:12], *heavy])]
    (tmp_path / "t.csv").write_text("\n".join(["smiles,y", *rows]) + "\n")
    said = heard(lambda: al.train(tmp_path / "t.csv", model="ridge", split="random:.6/.2/.2"))
    assert "(and 11 more remarks)" in of(said, DEUTERIUM_NOTICE)
    with pytest.warns(UserWarning, match="deuterium"):
        data = al.load_dataset(tmp_path / "t.csv")
    own = replace(data, remarks=())  # as where nobody has told of them
    said = heard(lambda: al.train(own, model="ridge", split="random:.6/.2/.2"))
    assert "12 of 24 structures were read with a warning" in of(said, DEUTERIUM_NOTICE)
