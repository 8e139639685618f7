"""The orbitals that come with atomlens."""

from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from atomlens.studies.orbitals.sample import PAPER_MOLECULES, load_sample, save_sample

SAMPLE = load_sample()


def test_there_are_six_hundred_molecules_of_qm9_and_the_papers_four() -> None:
    names = [o.name for o in SAMPLE.orbitals]
    assert sum(name.startswith("dsgdb9nsd_") for name in names) >= 600
    assert {paper.name for paper in PAPER_MOLECULES} <= set(names)
    assert len(set(names)) == len(names)


def test_every_orbital_adds_up_to_one() -> None:
    for orbitals in SAMPLE.orbitals:
        assert orbitals.homo.sum() == pytest.approx(1.0, abs=1e-4)
        assert orbitals.lumo.sum() == pytest.approx(1.0, abs=1e-4)


def test_the_file_says_how_it_was_made_and_is_small() -> None:
    assert SAMPLE.provenance["settings"]["functional"] == "b3lyp"
    assert {"pyscf", "date", "made_by", "geometries"} <= set(SAMPLE.provenance)
    folder = resources.files("atomlens.studies.orbitals").joinpath("data")
    sizes = [len(path.read_bytes()) for path in folder.iterdir() if "orbitals" in path.name]
    assert sum(sizes) < 500_000


def test_the_highest_orbitals_are_the_known_ones() -> None:
    by_name = {o.name: o for o in SAMPLE.orbitals}
    butadiene = by_name["2,3-dimethylbutadiene"]
    ends = np.sort(butadiene.homo)[-2:]
    np.testing.assert_allclose(ends, ends.mean(), atol=0.03)  # the two CH2 groups
    acrylate = by_name["methyl acrylate"]
    assert acrylate.atomic_numbers[np.argmax(acrylate.lumo)] == 6  # the far end of C=C


def test_each_of_the_papers_orbitals_is_there_in_space() -> None:
    assert set(SAMPLE.grids) == {paper.name for paper in PAPER_MOLECULES}
    for grid in SAMPLE.grids.values():
        edge = np.abs(grid.values[[0, -1]]).max()
        assert edge < 0.05 * np.abs(grid.values).max()


def test_a_saved_sample_comes_back(tmp_path: Path) -> None:
    save_sample(tmp_path / "few.npz", SAMPLE.orbitals[-2:], {}, {"note": "é"})
    back = load_sample(tmp_path / "few.npz")
    assert [o.name for o in back.orbitals] == [o.name for o in SAMPLE.orbitals[-2:]]
    np.testing.assert_array_equal(back.orbitals[1].homo, SAMPLE.orbitals[-1].homo)
    assert back.provenance["note"] == "é"
