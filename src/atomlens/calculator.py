"""An ASE calculator over a trained model of an energy: `AtomlensCalculator`."""

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, final

import numpy as np
import torch
from ase import Atoms
from ase.calculators.calculator import (
    Calculator,
    PropertyNotImplementedError,
    all_changes,
)
from ase.units import Hartree, Rydberg, kcal, kJ, mol
from numpy.typing import NDArray

from atomlens.errors import (
    GraphError,
    ModelError,
    SettingsError,
    StructureError,
    unknown_name,
    warn,
)
from atomlens.graphs.store import collate
from atomlens.machine import choose_device
from atomlens.models.lens import Lens
from atomlens.predictor import Predictor, load
from atomlens.predictor.inputs import gather
from atomlens.printing import few
from atomlens.structures.arrays import Structure, StructureArrays, structure_of
from atomlens.targets import Target

__all__ = ["AtomlensCalculator"]

_UNITS = {
    "ev": 1.0,
    "mev": 1e-3,
    "ha": Hartree,
    "hartree": Hartree,
    "eh": Hartree,
    "ry": Rydberg,
    "rydberg": Rydberg,
    "kj/mol": kJ / mol,
    "kcal/mol": kcal / mol,
}
"""Energy units in eV."""
_PER_ATOM = ("/atom", " per atom", " atom-1", " atom⁻¹")
_ATOMS_AT_ONCE = 4096


@final
class AtomlensCalculator(Calculator):  # type: ignore[misc]
    """Energy and, of smooth models, forces for ASE.

    Forces are central differences of the predicted energy, computed in 64 bits: a Voronoi
    tessellation has no gradient that a network could follow. One call costs 6 N structures for N
    atoms. Models whose prediction jumps where a neighbour appears or vanishes (all but ``lens``
    with ``smooth``) have no forces, and say so.

    Args:
        model: A `Predictor`, its folder, or the name of a model in the box.
        target: Which energy; by default the only one that the model predicts.
        step: Å by which each atom is moved to either side. The forces on a molecule should add up
            to nothing; of rattled acetamide and ethanol they left 0.002 to 0.06 eV/Å at 0.005 Å
            (and 0.001 to 0.08 eV of torque), and less than 0.00004 of both at 0.0001 Å. Rounding,
            in 64 bits, shows below 0.00001 Å.
        device: As in `Predictor.predict`.

    Results are in eV and eV/Å. Energies per atom are multiplied by the number of atoms. An energy
    of formation differs from the total energy by what the elements are worth: forces are the same.
    ``results["energy_std"]`` is the standard deviation of the error, where the model knows it.

    Raises:
        ModelError: the model cannot be loaded, or predicts no energy.
        SettingsError: there is no such target, or ``step`` is impossible.

    Source: the protocol of ASE's ``Calculator`` (Larsen et al., J. Phys.: Condens. Matter 29,
    273002, 2017).
    """

    implemented_properties: ClassVar[list[str]] = ["energy", "free_energy", "forces"]

    def __init__(
        self,
        model: "Predictor | str | Path",
        *,
        target: str | None = None,
        step: float = 1e-4,
        device: str = "auto",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not (isinstance(step, int | float) and 0 < step <= 0.1):
            raise SettingsError(f"step={step!r} must be above 0 and at most 0.1 Å.")
        self.model = model if isinstance(model, Predictor) else load(model)
        self.target, self.factor, self.is_per_atom = _energy_of(self.model, target)
        self.step = float(step)
        self.device = device
        self._exact: tuple[Any, ...] | None = None

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = all_changes,
    ) -> None:
        """Predict the energy and, if asked for, the forces.

        Raises:
            StructureError, GraphError: the structure cannot be used.
            PropertyNotImplementedError: forces of a model that is not smooth.
        """
        super().calculate(atoms, properties, system_changes)
        if len(self.atoms) == 0:
            raise StructureError("These Atoms hold no atoms, so they have no energy; add some.")
        wanted = "forces" in properties
        if wanted:
            self._check_forces()
        structure = self._without_box(structure_of(self.atoms))
        energies, std = self._energies([structure])
        self.results: dict[str, Any] = {
            "energy": float(energies[0]),
            "free_energy": float(energies[0]),
        }
        if np.isfinite(std[0]):
            self.results["energy_std"] = float(std[0])
        if wanted:
            self.results["forces"] = self._forces(structure)

    def _without_box(self, structure: Structure) -> Structure:
        """Return what the model takes the structure for, and tell where that is another."""
        inputs = self.model.usable(gather(structure))
        if inputs.remarks and inputs.remarks[0]:
            warn(f"{structure.name}: {inputs.remarks[0]}")
        return structure if inputs.errors[0] else inputs.structures[0]

    def _check_forces(self) -> None:
        network = self.model.models[0]
        mode = getattr(network.config, "mode", "")
        if not isinstance(network, Lens) or not network.config.smooth or mode != "structure":
            why = "reads formulas" if mode == "formula" else "jumps where a neighbour appears"
            raise PropertyNotImplementedError(
                f"{self.model.model_name} has no forces, as its prediction {why}; train `lens` "
                "(smooth=true) on structures for them, or ask for the energy alone."
            )

    def _forces(self, structure: Structure) -> NDArray[np.float64]:
        """(n_atoms, 3) minus the slope of the energy, eV/Å."""
        n = len(structure.atomic_numbers)
        forces = np.zeros((n, 3))
        places = [(i, k) for i in range(n) for k in range(3)]
        at_once = max(1, _ATOMS_AT_ONCE // (2 * n))
        for start in range(0, len(places), at_once):
            chosen = places[start : start + at_once]
            moved = [
                structure._replace(positions=_moved(structure.positions, i, k, sign * self.step))
                for i, k in chosen
                for sign in (1, -1)
            ]
            energies = self._energies(moved)[0].reshape(-1, 2)
            slopes = (energies[:, 0] - energies[:, 1]) / (2 * self.step)
            for (i, k), slope in zip(chosen, slopes.tolist(), strict=True):
                forces[i, k] = -slope
        return forces

    def _energies(
        self, structures: Sequence[Structure]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(n,) energies and (n,) their standard deviations, eV, in 64 bits."""
        graphs = [self.model.builder.build_structure(one) for one in structures]
        device = choose_device(self.device)
        if self._exact is None:
            self._exact = tuple(copy.deepcopy(m).double().to(device) for m in self.model.models)
        largest = max(int(g.atomic_numbers.max()) for g in graphs)
        known = self.model.models[0].knows_elements()
        if largest >= len(known):
            raise GraphError(
                f"{structures[0].name}: the model has never heard of the element {largest}; train "
                "a model on data with it."
            )
        batch = collate(graphs, dtype=torch.float64).to(device)
        with torch.no_grad():
            raw = self.model.raw_of([network(batch) for network in self._exact])
        arrays = StructureArrays.from_structures(structures)
        found = self.model.estimate(raw, arrays)
        column = _column_of(self.model, self.target)
        scale = self.factor * (arrays.n_atoms if self.is_per_atom else 1)
        values: NDArray[np.float64] = found.values[:, column] * scale
        if not np.isfinite(values).all():
            raise ModelError(
                f"{structures[0].name}: the model's answer is no number; the structure is too "
                "unlike its training data, or the model is damaged."
            )
        return values, found.std[:, column] * scale


def _moved(positions: NDArray[np.float64], atom: int, axis: int, by: float) -> NDArray[np.float64]:
    moved = positions.copy()
    moved[atom, axis] += by
    return moved


def _column_of(model: Predictor, target: Target) -> int:
    from atomlens.targets import value_slices

    return int(value_slices(model.targets)[model.targets.index(target)].start)


def _energy_of(model: Predictor, name: str | None) -> tuple[Target, float, bool]:
    """Return the energy that is meant, its unit in eV, and whether it is per atom.

    Raises:
        ModelError: there is no energy, or several.
        SettingsError: there is no such target, or it is no energy.
    """
    known = {t.name: t for t in model.targets}
    if name is not None and name not in known:
        raise SettingsError(unknown_name("target", name, known))
    chosen = [known[name]] if name is not None else [t for t in known.values() if _is_energy(t)]
    if not chosen:
        raise ModelError(
            f"{model.model_name} predicts no energy of a structure, but {few(known)}; an ASE "
            "calculator needs one (name it with target=... if it is one)."
        )
    if len(chosen) > 1:
        names = few(t.name for t in chosen)
        raise ModelError(
            f"{model.model_name} predicts several energies: {names}; choose one with target=..."
        )
    target = chosen[0]
    factor, per_atom = _unit(target.unit)
    if factor is None or target.is_spectrum or target.kind != "regression":
        raise SettingsError(
            f"target {target.name!r} in {target.unit or 'no unit'} is no energy; an ASE calculator "
            f"needs a number in {', '.join(sorted(_UNITS))}, or one of these per atom."
        )
    return target, factor, per_atom and not target.extensive


def _unit(unit: str) -> tuple[float | None, bool]:
    """Return an energy unit in eV, and whether it is per atom; None for other units."""
    text = unit.strip().lower()
    per_atom = False
    for ending in _PER_ATOM:
        if text.endswith(ending):
            text, per_atom = text.removesuffix(ending).strip(), True
    return _UNITS.get(text), per_atom


def _is_energy(target: Target) -> bool:
    """Say whether a target is the energy of a structure, as far as name and unit tell.

    Levels, gaps and the like are energies in eV, too, but no atom feels them as a force field.
    """
    factor, per_atom = _unit(target.unit)
    if factor is None or target.is_spectrum or target.kind != "regression":
        return False
    return per_atom or target.extensive
