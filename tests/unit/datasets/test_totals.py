from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms

from atomlens.datasets import Dataset
from atomlens.datasets.totals import (
    doubts_about_sizes,
    looks_like_totals,
    partly_sums,
    taken_as_totals,
)
from atomlens.structures.arrays import StructureArrays
from atomlens.targets import Target

SIZES = np.tile([1, 2, 4, 8], 5)
NOISE = np.random.default_rng(0).normal(1.0, 0.1, size=20)


def data(values, sizes=SIZES, **target) -> Dataset:
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    n = len(sizes)
    structures = StructureArrays(
        offsets=offsets,
        atomic_numbers=np.full(offsets[-1], 29, dtype=np.uint8),
        positions=np.zeros((offsets[-1], 3)),
        cells=np.zeros((n, 3, 3)),
        pbc=np.zeros((n, 3), dtype=np.bool_),
        names=tuple(map(str, range(n))),
        is_formula=np.zeros(n, dtype=np.bool_),
    )
    about = {"name": "energy", "unit": "eV", "extensive": True} | target
    return Dataset(
        name="made", structures=structures, targets=(Target(**about),), values=values[:, None]
    )


@pytest.mark.parametrize(
    ("values", "sizes", "is_doubted"),
    [
        (-3.5 * NOISE, SIZES, True),
        (-3.5 * NOISE * SIZES, SIZES, False),
        (1e3 - 3.5 * NOISE, np.full(20, 4), False),  # one size: nothing can be seen
        (-3.5 * NOISE[:4], SIZES[:4], False),  # too few
    ],
)
def test_totals_that_look_like_values_per_atom_are_doubted(values, sizes, is_doubted):
    said = list(doubts_about_sizes(data(values, sizes)))
    assert bool(said) == is_doubted
    assert not list(doubts_about_sizes(data(values, sizes, extensive=False)))
    if said:
        assert "(1 to 8)" in said[0]
        assert "--unit eV/atom" in said[0]


def test_values_that_grow_like_totals_are_told_where_they_are_taken_for_something_else():
    totals = data(-3.5 * NOISE * SIZES, extensive=False)
    assert "grow with the number of atoms (1 to 8)" in next(looks_like_totals(totals))
    assert not list(looks_like_totals(data(-3.5 * NOISE * SIZES)))
    assert not list(looks_like_totals(data(-3.5 * NOISE * SIZES, extensive=False, unit="eV/atom")))
    assert not list(looks_like_totals(data(-3.5 * NOISE, extensive=False)))


def test_what_is_taken_for_a_total_is_said():
    assert "energy is taken for a total in eV" in next(iter(taken_as_totals(data(NOISE))))
    assert not list(taken_as_totals(data(NOISE, extensive=False)))


ELEMENTS = {
    "H": -13.6,
    "C": -1030.0,
    "N": -1485.0,
    "O": -2042.0,
    "Li": -1.9,
    "Al": -3.4,
    "Cu": -3.7,
}


def of_formulas(formulas, values, **target) -> Dataset:
    structures = StructureArrays.from_atoms([Atoms(formula) for formula in formulas])
    about = {"name": "Etot", "unit": "eV"} | target
    return Dataset(
        name="made",
        structures=structures,
        targets=(Target(**about),),
        values=np.asarray(values, dtype=np.float64)[:, None],
    )


def isomers_and_others(n=60) -> tuple[list[str], np.ndarray]:
    """Molecules of nearly one size, whose energies go with what they are made of."""
    rng = np.random.default_rng(5)
    counts = rng.integers([2, 2, 0, 0], [13, 9, 4, 4], size=(n, 4))
    formulas = ["".join(f"{e}{c}" for e, c in zip("HCNO", row, strict=True) if c) for row in counts]
    energies = counts @ [ELEMENTS[e] for e in "HCNO"] + rng.normal(0, 0.5, n)
    return formulas, energies


def test_sums_over_elements_are_told_where_sizes_alone_do_not_show_them():
    formulas, energies = isomers_and_others()
    for n in (12, 60):
        (said,) = looks_like_totals(of_formulas(formulas[:n], energies[:n]))
        assert "Etot grow with the number of atoms" in said
        assert "--extensive" in said
    cells = [f"{metal}{n}" for metal in ("Li", "Al", "Cu") for n in (1, 2, 8, 54)]
    totals = [ELEMENTS[metal] * n for metal in ("Li", "Al", "Cu") for n in (1, 2, 8, 54)]
    assert list(looks_like_totals(of_formulas(cells, totals)))
    assert not list(looks_like_totals(of_formulas(cells, totals, extensive=True)))
    assert not list(looks_like_totals(of_formulas(cells[:9], totals[:9])))  # too few


def test_values_that_are_no_sums_are_not_taken_for_some():
    formulas, energies = isomers_and_others()
    rng = np.random.default_rng(7)
    sizes = np.array([len(Atoms(formula)) for formula in formulas])
    gaps = rng.normal(5, 1, len(formulas))
    per_atom = energies / sizes
    for values in (gaps, per_atom, np.full(len(formulas), 3.0), gaps + 0.02 * sizes):
        assert not list(looks_like_totals(of_formulas(formulas, values)))
    chains = [f"C{n}H{2 * n + 2}" for n in range(5, 21)]
    boiling = 50 + 190 * np.log(np.arange(5, 21))
    straight = 220 + 20.0 * np.arange(5, 21)  # linear in counts, and no sum of them
    for values in (boiling, straight):
        assert not list(looks_like_totals(of_formulas(chains, values, name="Tb", unit="K")))
    same = [f"Li{n}Al{12 - n}" for n in range(13)] * 2
    sums = [n * -1.9 + (12 - n) * -340.0 for n in range(13)] * 2
    assert not list(looks_like_totals(of_formulas(same, sums)))  # one size


def test_of_data_sets_of_the_package_it_is_known_what_grows():
    formulas, energies = isomers_and_others()
    own = of_formulas(formulas, energies)
    assert not list(looks_like_totals(replace(own, name="qm9")))
    a_table = replace(own, name="qm9", sources=("qm9.csv",) * len(own))
    assert list(looks_like_totals(a_table))


def test_values_that_sizes_decide_in_part_are_told_of_molecules():
    """As logP, of which elements take and give, and what stands beside it has a say."""
    formulas, energies = isomers_and_others()
    rng = np.random.default_rng(11)
    counts = np.array([[Atoms(f).symbols.count(e) for e in "HCNO"] for f in formulas])
    logp = counts @ [0.12, 0.3, -0.6, -0.5] + rng.normal(0, 0.5, len(formulas))
    data = of_formulas(formulas, logp, name="logp", unit="")
    assert not list(looks_like_totals(data))
    (said,) = partly_sums(data)
    assert said.startswith("logp goes by how many atoms of each element a molecule has")
    assert "--extensive" in said
    assert "model.shares=gates" in said
    assert not list(partly_sums(data.subset(np.arange(29))))  # too few
    assert not list(partly_sums(replace(data, targets=(Target(name="logp", extensive=True),))))
    crystals = replace(data.structures, pbc=np.ones((len(data), 3), dtype=np.bool_))
    assert not list(partly_sums(replace(data, structures=crystals)))
    totals = of_formulas(formulas, energies)
    assert not list(partly_sums(totals))  # `looks_like_totals` speaks of them
    shares = counts / counts.sum(axis=1, keepdims=True)
    for values in (
        shares @ [1.0, 3.0, -6.0, -5.0] + rng.normal(0, 0.1, len(formulas)),
        rng.normal(5, 1, len(formulas)),
    ):
        assert not list(partly_sums(of_formulas(formulas, values)))


def test_two_values_that_large_molecules_have_more_often_are_no_totals():
    sizes = np.repeat([5, 6, 20, 22], 5)
    flags = (sizes > 10).astype(float)
    assert not list(looks_like_totals(data(flags, sizes, unit="", extensive=False)))
    flags = np.where(sizes > 10, 21.0, 5.5)
    assert not list(looks_like_totals(data(flags, sizes, unit="", extensive=False)))
    assert list(looks_like_totals(data(sizes * 1.0, sizes, unit="", extensive=False)))
