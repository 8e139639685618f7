"""An evaluation says what training says: of frames and strained cells, and of totals."""

import warnings
from dataclasses import replace

import numpy as np
from ase import Atoms
from ase.build import bulk, molecule

import atomlens as al
from atomlens.datasets import Dataset
from atomlens.datasets.geometries import lasting_numbers
from atomlens.predictor import load
from atomlens.structures.arrays import StructureArrays
from atomlens.targets import Target

MOLECULES = [molecule(n) for n in ("CH3CH2OH", "CH3OCH3", "C2H6", "CH4", "NH3", "H2O", "CH3OH")]
OTHERS = [molecule(n) for n in ("C2H4", "HCN", "H2CO", "C2H2", "CH3Cl")]
CRYSTALS = [bulk("NaCl", "rocksalt", a=5.64), bulk("MgO", "rocksalt", a=4.21), bulk("Si")]


def shaken(atoms: Atoms, seed: int) -> Atoms:
    moved = atoms.copy()
    moved.rattle(0.03, seed=seed)
    moved.rotate(50 * seed, "x", rotate_cell=True)
    return moved


def data_of(atoms: list[Atoms], values: np.ndarray | None = None, **about: object) -> Dataset:
    values = np.cos(np.arange(len(atoms))) if values is None else values
    return Dataset(
        name="own",
        structures=StructureArrays.from_atoms(atoms),
        targets=(Target(name="y", **about),),
        values=values[:, None],
    )


def heard(model: al.Predictor, data: Dataset, part: str = "all") -> list[str]:
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        model.evaluate(data, part=part)
    return [str(w.message) for w in found]


def test_what_lasts_is_the_same_in_any_company_and_differs_between_isomers() -> None:
    alone = [int(lasting_numbers(StructureArrays.from_atoms([one]))[0]) for one in MOLECULES]
    assert len(set(alone)) == len(MOLECULES)
    moved = [shaken(one, seed) for seed, one in enumerate(MOLECULES)]
    assert lasting_numbers(StructureArrays.from_atoms(moved)).tolist() == alone


def test_frames_and_strained_cells_of_learned_structures_are_told(tmp_path) -> None:
    known = [*MOLECULES, *CRYSTALS]
    model = al.train(data_of(known), model="mean", split="random:1./0/0")
    model.save(tmp_path / "model")
    frames = [shaken(one, 1) for one in MOLECULES]
    strained = [one.copy() for one in CRYSTALS]
    for one in strained:
        one.set_cell(1.03 * one.cell, scale_atoms=True)
    for own in (model, load(tmp_path / "model")):
        said = "\n".join(heard(own, data_of([*frames, *strained, *OTHERS])))
        assert "7 of 15 structures are other geometries of a structure in the training" in said
        assert "3 of 15 structures have the atoms of a structure in the training part" in said
    others = "\n".join(heard(model, data_of(OTHERS)))
    assert "too small" not in others
    same = "\n".join(heard(model, data_of(known)))
    assert "were known to the model" in same
    assert "geometr" not in same


def test_polymorphs_among_other_crystals_are_not_told() -> None:
    model = al.train(data_of(CRYSTALS), model="mean", split="random:1./0/0")
    polymorph = bulk("NaCl", "cesiumchloride", a=3.5)
    new = [bulk("Cu"), bulk("Ge"), bulk("LiF", "rocksalt", a=4.0)]
    assert not any("same order" in s for s in heard(model, data_of([polymorph, *new])))
    (said,) = (s for s in heard(model, data_of([polymorph])) if "same order" in s)
    assert "if they are frames or strained cells of it, and no polymorphs" in said


def test_the_test_part_of_frames_is_told_and_a_folder_of_earlier_days_says_nothing() -> None:
    frames = data_of([shaken(MOLECULES[0], seed) for seed in range(20)])
    model = al.train(frames, model="mean", split="random:.6/.2/.2")
    assert any("4 of 4 structures are other geom" in s for s in heard(model, frames, "test"))
    assert not any("other geom" in s for s in heard(model, frames, "train"))
    samples = replace(model.record.samples, lasting=None)
    earlier = replace(model, record=replace(model.record, samples=samples))
    assert not any("other geom" in s for s in heard(earlier, frames, "test"))


def test_totals_beside_a_model_of_values_per_atom_are_told_and_the_reverse() -> None:
    cells = [bulk("Cu").repeat((n, 1, 1)) for n in range(1, 13)]
    sizes = np.arange(1.0, 13.0)
    each = -3.7 + 0.01 * np.cos(sizes)
    per_atom = al.train(data_of(cells, each, unit="eV/atom"), model="mean")
    total = al.train(data_of(cells, each * sizes, unit="eV", extensive=True), model="mean")
    words = "grow with the number of atoms (1 to 12) as totals do; the model has learned"
    assert any(words in s for s in heard(per_atom, data_of(cells, each * sizes)))
    declared = data_of(cells, each * sizes, extensive=True)
    assert any("total in these data" in s for s in heard(per_atom, declared))
    assert any("look like values per atom" in s for s in heard(total, data_of(cells, each)))
    for model, values in ((per_atom, each), (total, each * sizes)):
        said = "\n".join(heard(model, data_of(cells, values)))
        assert "total" not in said
        assert "per atom" not in said


def test_totals_that_were_learned_as_they_are_are_no_surprise_and_others_name_the_range() -> None:
    cells = [bulk("Cu").repeat((n, 1, 1)) for n in range(1, 21)]
    sizes = np.arange(1.0, 21.0)
    known = data_of(cells, -3.7 * sizes)
    model = al.train(known, model="mean", split="random:.8/.1/.1")
    assert not any("as totals do" in s for s in heard(model, known))
    assert not any("in these data" in s for s in heard(model, replace(known, targets=TOTAL)))
    larger = data_of([c.repeat((30, 1, 1)) for c in cells], -3.7 * 30 * sizes)
    (said,) = (s for s in heard(model, larger) if "as totals do" in s)
    assert "the model has learned values from -74 to " in said
    earlier = replace(model, record=replace(model.record, lowest=(), highest=()))
    assert any("has learned no totals; if its values" in s for s in heard(earlier, known))
    assert not any("as totals do" in s for s in heard(model, data_of([])))


def test_words_in_brackets_behind_a_name_do_not_hide_it(tmp_path) -> None:
    smiles, values = ["C" * n + "O" for n in range(1, 13)], np.arange(12.0)
    table = {"smiles": smiles, "logS": values}
    for unit in ("", "exp"):  # folders of earlier days took the word for a unit
        model = al.train(table, target="logS", units={"logS": unit} if unit else {}, model="mean")
        for header in ("logS (exp)", "LogS [shake-flask]"):
            found = model.evaluate({"smiles": smiles, header: values}).targets["logS"]
            assert found.n == 12
            two = {"smiles": smiles, header: values + 5, "logS": values}
            assert model.evaluate(two).targets["logS"].mae == found.mae


TOTAL = (Target(name="y", extensive=True),)
