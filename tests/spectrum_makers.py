"""Spectra of made-up materials: a Lorentz oscillator a formula, whose numbers follow from it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from atomlens.datasets.base import Dataset
from atomlens.structures.arrays import StructureArrays
from atomlens.structures.formulas import from_formula
from atomlens.targets import Target

Values = NDArray[np.float64]
FORMULAS = [
    f"{metal}{n}{other}"
    for metal in ("Na", "K", "Mg", "Ca", "Al", "Ti", "Zn", "Ga")
    for other in ("O", "S", "Cl", "N2")
    for n in ("", "2")
]
GRID = tuple(np.linspace(0.5, 6.0, 23).tolist())
SPECTRA = ("optical-nk", "jarvis-optical")
"""Data sets of spectra that read files."""


def oscillator(formula: str, energies: Values) -> tuple[Values, Values]:
    """Real and imaginary part of 1 + 20 / (E0² - E² - i E / 2), E0 by the mean atomic number."""
    numbers = from_formula(formula).get_atomic_numbers()
    resonance = 7.0 - 0.15 * float(numbers.mean())
    eps = 1 + 20 / (resonance**2 - energies**2 - 0.5j * energies)
    return eps.real, eps.imag


def oscillators(grid: tuple[float, ...] = GRID) -> Dataset:
    """Both parts on a grid."""
    values = [np.concatenate(oscillator(f, np.array(grid))) for f in FORMULAS]
    return Dataset(
        name="oscillators",
        structures=StructureArrays.from_atoms([from_formula(f) for f in FORMULAS]),
        targets=(
            Target(name="eps_re", grid=grid),
            Target(name="eps_im", grid=grid, nonnegative=True),
        ),
        values=np.array(values),
    )


def write_lines(path: Path, records: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def write_table(path: Path, n_points: int = 12) -> Path:
    """A table in which every second material is measured at points of its own."""
    records = []
    for i, formula in enumerate(FORMULAS):
        energies = np.linspace(0.4, 6.2 + 0.01 * (i % 2), n_points)
        real, imaginary = oscillator(formula, energies)
        records.append(
            {
                "formula": formula,
                "energy": energies.tolist(),
                "eps_re": real.tolist(),
                "eps_im": imaginary.tolist(),
                "gap": float(i),
            }
        )
    return write_lines(path, records)


def put_spectra(name: str, folder: Path) -> None:
    """Write a small file of a data set of spectra to where it is looked for."""
    folder.mkdir(parents=True, exist_ok=True)
    write_lines(folder / "small.jsonl", {"optical-nk": indices, "jarvis-optical": pages}[name]())


def indices() -> list[dict[str, Any]]:
    """n and k over wavelength."""
    wavelengths = np.linspace(0.2, 1.0, 30)
    records = []
    for formula in FORMULAS:
        real, imaginary = oscillator(formula, 1.239841984 / wavelengths)
        root = np.sqrt(real + 1j * imaginary)
        columns = {"wavelength_um": wavelengths, "n": root.real, "k": root.imag}
        lists = {key: column.tolist() for key, column in columns.items()}
        records.append({"id": f"{formula}/A", "formula": formula, **lists})
    return records


def pages() -> list[dict[str, Any]]:
    """Records of JARVIS, under the names that Finder's authors had."""
    energies = np.linspace(0.0, 32.0, 40)
    records = []
    for i, formula in enumerate(FORMULAS):
        real, imaginary = oscillator(formula, energies)
        records.append(
            {
                "jid": f"JVASP-{i}",
                "full_formula": formula,
                "form_enp": -0.1 * i,
                "opt_en": energies.tolist(),
                "opt_realxx": real.tolist(),
                "opt_imagxx": imaginary.tolist(),
            }
        )
    return records
