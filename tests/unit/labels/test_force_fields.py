"""Parameters of force fields and gases against other sources and measured moments."""

import pytest
from rdkit import Chem
from rdkit.Chem.rdForceFieldHelpers import GetUFFVdWParams

from atomlens.elements import SYMBOLS
from atomlens.errors import LabelError
from atomlens.labels import FORCE_FIELDS, GASES
from atomlens.labels.force_fields import KCAL_PER_MOL_IN_KELVIN, LennardJones

DEBYE_PER_ELECTRON_ANGSTROM = 4.80320


@pytest.mark.parametrize("symbol", ["H", "C", "N", "O", "F", "Si", "P", "S", "Cl", "Br", "I"])
def test_uff_agrees_with_rdkit(symbol: str) -> None:
    molecule = Chem.AddHs(Chem.MolFromSmiles("[H][H]" if symbol == "H" else f"C[{symbol}]"))
    last = molecule.GetNumAtoms() - 1 if symbol == "H" else 1
    atom = molecule.GetAtomWithIdx(last)
    assert atom.GetSymbol() == symbol
    minimum, depth = GetUFFVdWParams(molecule, last, last)
    ours = FORCE_FIELDS["uff"].of(symbol)
    assert ours.epsilon == pytest.approx(depth * KCAL_PER_MOL_IN_KELVIN)
    assert ours.sigma == pytest.approx(minimum / 2 ** (1 / 6))


@pytest.mark.parametrize(
    ("force_field", "symbol", "epsilon", "sigma"),
    [
        ("uff", "Cu", 2.5161, 3.11369),
        ("dreiding", "O", 48.1581, 3.03315),
        ("dreiding", "C", 47.8562, 3.47299),
        ("dreiding", "H", 7.64893, 2.84642),
        ("dreiding", "Cu", 2.5161, 3.11369),
    ],
)
def test_parameters_are_those_of_the_raspa_manual(
    force_field: str, symbol: str, epsilon: float, sigma: float
) -> None:
    """As printed in its example of CO2 in Cu-BTC (K, Å)."""
    found = FORCE_FIELDS[force_field].of(symbol)
    assert found == pytest.approx(LennardJones(epsilon, sigma), rel=2e-5)


def test_uff_covers_the_periodic_table_up_to_lawrencium() -> None:
    assert set(FORCE_FIELDS["uff"].parameters) == set(SYMBOLS[1:104])


def test_an_element_without_parameters_is_named() -> None:
    with pytest.raises(LabelError, match=r"trappe-zeo has no parameters for Zn"):
        FORCE_FIELDS["trappe-zeo"].of("Zn")


@pytest.mark.parametrize("name", GASES)
def test_a_gas_is_neutral(name: str) -> None:
    assert sum(site.charge for site in GASES[name].sites) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize(("name", "measured"), [("CO2", -4.3), ("N2", -1.47)])
def test_the_quadrupole_is_near_the_measured_one(name: str, measured: float) -> None:
    """Along the axis of a linear molecule, debye ångström (Buckingham's definition)."""
    moment = sum(site.charge * site.height**2 for site in GASES[name].sites)
    assert moment * DEBYE_PER_ELECTRON_ANGSTROM == pytest.approx(measured, rel=0.1)


@pytest.mark.parametrize(("name", "mass"), [("CO2", 44.009), ("N2", 28.014), ("CH4", 16.043)])
def test_a_gas_has_its_molar_mass(name: str, mass: float) -> None:
    assert GASES[name].mass == pytest.approx(mass, abs=1e-3)
