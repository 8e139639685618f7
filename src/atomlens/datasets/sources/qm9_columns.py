"""What QM9 tells of each molecule: columns, units, targets. Both sources of it read these."""

from typing import NamedTuple

from atomlens.targets import Target
from atomlens.units import HARTREE_IN_EV

N_TRAIN, N_TEST = 110_000, 10_000
"""Of the published split; the other 10,831 are for validation."""

PROPERTY_LINE = (
    "RotA_GHz RotB_GHz RotC_GHz Dipole_debye Polarizability_bohr3 HOMO_au LUMO_au "
    "HOMO_LUMO_gap_au R2_bohr2 ZPVE_au InternalEnergy_0K_au InternalEnergy_298K_au "
    "Enthalphy_298K_au GibbsFreeEnergy_298K_au Heatcapacity_Cv_cal_mol_K"
).split()
"""The second line of a deposited file, behind ``gdb NUMBER``, in the words of qm9pack."""


class QM9Column(NamedTuple):
    """One learnable property."""

    header: str
    """Name of its column in qm9pack."""
    factor: float
    """From the deposited unit to that of the target."""
    target: Target


def _column(
    header: str, name: str, unit: str, about: str, factor: float = 1.0, extensive: bool = False
) -> QM9Column:
    target = Target(name=name, unit=unit, extensive=extensive, description=about)
    return QM9Column(header, factor, target)


_EV = HARTREE_IN_EV
QM9_COLUMNS = (
    _column("HOMO_au", "homo", "eV", "highest occupied orbital energy", _EV),
    _column("LUMO_au", "lumo", "eV", "lowest unoccupied orbital energy", _EV),
    _column("HOMO_LUMO_gap_au", "gap", "eV", "LUMO minus HOMO", _EV),
    _column("Polarizability_bohr3", "alpha", "bohr^3", "isotropic polarizability"),
    _column("Heatcapacity_Cv_cal_mol_K", "cv", "cal/(mol K)", "heat capacity at 298.15 K"),
    _column("Dipole_debye", "mu", "D", "dipole moment"),
    _column("R2_bohr2", "r2", "bohr^2", "electronic spatial extent"),
    _column("ZPVE_au", "zpve", "eV", "zero-point vibrational energy", _EV, True),
    _column("InternalEnergy_0K_au", "u0", "eV", "internal energy at 0 K", _EV, True),
    _column("InternalEnergy_298K_au", "u298", "eV", "internal energy at 298.15 K", _EV, True),
    _column("Enthalphy_298K_au", "h298", "eV", "enthalpy at 298.15 K", _EV, True),
    _column("GibbsFreeEnergy_298K_au", "g298", "eV", "free energy at 298.15 K", _EV, True),
)
