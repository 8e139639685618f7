"""Shares of the atoms in frontier orbitals, from pyscf."""

import sys

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule

from atomlens.errors import MissingDependencyError, StudyError
from atomlens.studies.orbitals.grids import orbital_grid
from atomlens.studies.orbitals.populations import frontier_orbitals, frontier_rows
from atomlens.studies.orbitals.solution import OrbitalSettings
from atomlens.units import BOHR_IN_ANGSTROM

SMALL = OrbitalSettings(basis="sto-3g")


@pytest.fixture
def pyscf() -> None:
    pytest.importorskip("pyscf")


@pytest.mark.usefixtures("pyscf")
class TestCalculations:
    def test_each_atom_of_hydrogen_has_half_of_both_orbitals(self) -> None:
        found = frontier_orbitals(molecule("H2"), SMALL)
        np.testing.assert_allclose(found.homo, 0.5, atol=1e-6)
        np.testing.assert_allclose(found.lumo, 0.5, atol=1e-6)

    @pytest.mark.parametrize("population", ["lowdin", "mulliken"])
    def test_shares_add_up_to_one(self, population: str) -> None:
        settings = OrbitalSettings(basis="sto-3g", population=population)  # type: ignore[arg-type]
        found = frontier_orbitals(molecule("H2O"), settings)
        assert found.homo.sum() == pytest.approx(1.0)
        assert found.lumo.sum() == pytest.approx(1.0)

    def test_no_lowdin_share_is_negative(self) -> None:
        found = frontier_orbitals(molecule("HCN"), OrbitalSettings(basis="6-31g"))
        assert min(found.homo.min(), found.lumo.min()) >= 0

    def test_the_two_lone_pairs_of_hydrogen_fluoride_are_averaged_and_on_fluorine(self) -> None:
        found = frontier_orbitals(molecule("HF"), SMALL)
        assert found.n_homo == 2
        assert found.homo[found.atomic_numbers == 9] == pytest.approx(1.0, abs=1e-6)

    def test_the_highest_occupied_orbital_lies_below_the_lowest_empty_one(self) -> None:
        found = frontier_orbitals(molecule("H2O"), SMALL)
        assert found.homo_energy < found.lumo_energy

    def test_turning_the_molecule_changes_no_share(self) -> None:
        atoms = molecule("H2CO")
        turned = atoms.copy()
        turned.rotate(40, (1, 2, 3))
        first, second = (frontier_orbitals(a, SMALL) for a in (atoms, turned))
        np.testing.assert_allclose(first.homo, second.homo, atol=5e-3)
        np.testing.assert_allclose(first.lumo, second.lumo, atol=5e-3)

    def test_an_odd_number_of_electrons_is_refused_unless_the_charge_mends_it(self) -> None:
        atoms = molecule("NO")
        with pytest.raises(StudyError, match="15 electrons, an odd number"):
            frontier_orbitals(atoms, SMALL)
        atoms.info["charge"] = 1
        assert len(frontier_orbitals(atoms, SMALL).homo) == 2

    def test_an_element_that_the_basis_lacks_is_named(self) -> None:
        atoms = Atoms("HI", [(0, 0, 0), (0, 0, 1.61)])
        with pytest.raises(StudyError, match=r"no basis '6-31g\*' for all of H, I"):
            frontier_orbitals(atoms, OrbitalSettings())

    def test_a_functional_that_does_not_exist_is_refused(self) -> None:
        with pytest.raises(StudyError, match="H2: pyscf cannot calculate it"):
            frontier_orbitals(molecule("H2"), OrbitalSettings(functional="no-such-functional"))

    def test_a_calculation_that_does_not_converge_says_so(self) -> None:
        with pytest.raises(StudyError, match="LiH: the orbitals have not converged"):
            frontier_orbitals(molecule("LiH"), OrbitalSettings(basis="sto-3g", convergence=0.0))

    def test_an_orbital_in_space_is_normalised(self) -> None:
        grid = orbital_grid(molecule("H2"), "homo", SMALL, "H2", spacing=0.2)
        volume = (grid.spacing / BOHR_IN_ANGSTROM) ** 3
        assert (grid.values**2).sum() * volume == pytest.approx(1.0, abs=0.02)


def test_crystals_are_refused() -> None:
    with pytest.raises(StudyError, match="this structure repeats"):
        frontier_orbitals(bulk("Si"))


def test_without_pyscf_the_way_to_install_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyscf", None)
    with pytest.raises(MissingDependencyError, match=r"pip install \"atomlens\[qm\]\""):
        frontier_orbitals(molecule("H2"), SMALL)


def test_degenerate_orbitals_are_taken_only_on_their_own_side_of_the_gap() -> None:
    energies = np.array([-3.0, -1.004, -1.0, -0.995, 2.0])
    assert frontier_rows(energies, 3, "homo", 0.01).tolist() == [1, 2]
    assert frontier_rows(energies, 3, "lumo", 0.01).tolist() == [3]
