"""What the vector of a whole crystal hides is told: vacuum, squeezed and expanded cells, holes."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111, molecule

from atomlens.graphs import GraphStore
from atomlens.neighbors import build_store, make_builder
from atomlens.predictor import load
from atomlens.predictor.trust.usual_surroundings import UsualSurroundings, empty_layers
from atomlens.structures.arrays import StructureArrays

SALT, SILICON = bulk("NaCl", "rocksalt", 5.64), bulk("Si", "diamond", 5.43)


def scaled(atoms: Atoms, volume: float) -> Atoms:
    changed = atoms.copy()
    changed.set_cell(atoms.cell * volume ** (1 / 3), scale_atoms=True)
    return changed


def slab() -> Atoms:
    found = fcc111("Cu", (1, 1, 3), vacuum=7.0)
    found.pbc = True
    return found


def rattled(atoms: Atoms) -> Atoms:
    changed = atoms.repeat(2)
    changed.rattle(0.3, seed=0)
    return changed


def halved(atoms: Atoms) -> Atoms:
    whole = atoms.repeat(2)
    return whole[np.sort(np.random.default_rng(1).permutation(len(whole))[: len(whole) // 2])]


def graphs(several: list[Atoms]) -> tuple[StructureArrays, GraphStore]:
    structures = StructureArrays.from_atoms(several)
    return structures, build_store(structures, make_builder("voronoi")).store


@pytest.fixture(scope="module")
def of_mp() -> UsualSurroundings:
    familiarity = load("box:mp").familiarity
    assert familiarity is not None
    assert familiarity.surroundings is not None
    return familiarity.surroundings


def test_what_is_ordinary_is_left_alone_and_what_is_not_is_told(of_mp: UsualSurroundings) -> None:
    ordinary = [SALT, SILICON, bulk("Cu"), bulk("MgO", "rocksalt", 4.21), bulk("Fe")]
    strange = {
        "denser": [scaled(SILICON, 0.6), scaled(SALT, 0.6)],
        "looser": [scaled(SILICON, 1.3), scaled(SALT, 1.5), halved(SALT), halved(SILICON)],
        "are usual": [rattled(SALT), rattled(SILICON)],
        "without an atom": [slab(), molecule("H2O", cell=[9.0] * 3, pbc=True)],
        "2 directions only": [fcc111("Cu", (1, 1, 3), vacuum=7.0)],
    }
    several = ordinary + [atoms for own in strange.values() for atoms in own]
    said = of_mp.sentences(*graphs(several))
    assert said[: len(ordinary)] == ("",) * len(ordinary)
    expected = [word for word, own in strange.items() for _ in own]
    for word, sentence in zip(expected, said[len(ordinary) :], strict=True):
        assert word in sentence, sentence
        assert sentence.partition(", so no error")[0].endswith("its answers may be far off")
    assert of_mp.sentences(*graphs([molecule("H2O")])) == ("",)


def test_the_answer_and_its_explanation_carry_the_sentence() -> None:
    model = load("box:mp")
    found = model.predict([SALT, scaled(SALT, 0.6)])
    assert found.warnings[0] == ""
    assert "packed denser" in found.doubts[1].of_model[0]
    assert "packed denser" in model.explain(scaled(SALT, 0.6)).warning


def test_a_layer_is_found_in_any_cell_and_molecules_have_none() -> None:
    skewed = slab()
    skewed.cell[2] += skewed.cell[0] + skewed.cell[1]
    skewed.positions += [0.3, 0.2, 9.0]
    skewed.wrap()
    several = [slab(), skewed, SALT, molecule("H2O")]
    found = empty_layers(StructureArrays.from_atoms(several))
    np.testing.assert_allclose(found, [14.0, 14.0, 5.64 / 3**0.5 / 2, 0.0], atol=1e-6)


def test_those_who_learned_of_slabs_are_not_told_of_them() -> None:
    known = UsualSurroundings.fit(graphs([slab()] * 3), graphs([slab()] * 3))
    assert known.vacuum == 1.0
    assert known.sentences(*graphs([slab()])) == ("",)
    wider = slab()
    wider.center(vacuum=12.0, axis=2)
    assert "none of the training data has one above 14 Å" in known.sentences(*graphs([wider]))[0]
    again = UsualSurroundings.read(known.to_dict(), known.tensors())
    assert again.sentences(*graphs([wider])) == known.sentences(*graphs([wider]))
    with pytest.raises(ValueError, match="do not fit"):
        UsualSurroundings.read(
            known.to_dict(), known.tensors() | {"surroundings.pairs": _no_pairs()}
        )


def _no_pairs() -> object:
    import torch

    return torch.zeros((1, 2), dtype=torch.uint8)
