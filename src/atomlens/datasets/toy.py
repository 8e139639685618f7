"""Generated structures with a property that is known to rest on certain atoms.

The rule is the textbook picture of a frontier level: every site has a level of its own,
moved by its bonded neighbours, and the property of the whole is the highest level. So the
site that has it and the neighbours that move it decide, and no other atom matters: a
faithful explanation finds these atoms.

    signal = max over sites of (level[element] + sum over neighbours of shift[element])

The numbers are of the right size but invented; nothing here is a measurement.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, final

import numpy as np
from numpy.typing import NDArray

from atomlens.datasets.base import Dataset, DatasetSource
from atomlens.datasets.toy_structures import ToyStructure, random_crystal, random_molecule
from atomlens.elements import ATOMIC_NUMBERS
from atomlens.errors import DatasetError, SettingsError, unknown_name
from atomlens.structures.arrays import Structure, StructureArrays
from atomlens.targets import Target

MOLECULE_LEVELS = {"C": -12.0, "N": -9.0, "O": -10.0}
"""Level of a site (eV); elements left out are no sites."""
MOLECULE_SHIFTS = {"C": 0.3, "N": 0.5, "O": -0.8, "F": -1.2}
"""How far one bonded neighbour moves the level (eV); hydrogen does not."""
CRYSTAL_LEVELS = {"O": -9.0, "S": -8.6}
CRYSTAL_SHIFTS = {"Ca": 0.1, "Sr": 0.2, "Zn": -0.15}
"""Six neighbours a site; magnesium does not move the level."""

_TIE = 1e-9


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Toy(DatasetSource):
    """Random saturated molecules, or rock-salt crystals with mixed elements."""

    name: ClassVar[str] = "toy"
    summary: ClassVar[str] = (
        "generated molecules (or crystals: kind='crystals') whose property rests on known atoms, "
        "for scoring explanations; not a measurement"
    )
    available_targets: ClassVar[tuple[Target, ...]] = (
        Target(name="signal", unit="eV", description="highest level of all sites (generated)"),
    )

    kind: Literal["molecules", "crystals"] = "molecules"
    """``molecules``: 4 to 9 heavy atoms of C, N, O, F and hydrogen. ``crystals``: 16 or 32
    atoms of Mg, Ca, Sr, Zn with O, S."""
    n: int = 1000
    """How many there are; sample i is the same for every n."""
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the settings."""
        if self.kind not in _GENERATORS:
            raise SettingsError(f"toy: {unknown_name('kind', self.kind, _GENERATORS)}")
        if self.n < 1 or self.seed < 0:
            raise SettingsError(
                f"toy: n is {self.n} and seed {self.seed}; n must be 1 or more, seed 0 or more."
            )

    def load(self, targets: Sequence[str] = (), limit: int | None = None) -> Dataset:
        """Generate the samples; ``node_labels`` is 1 for the atoms that decide."""
        for name in targets:
            if name != "signal":
                raise DatasetError(f"toy: {unknown_name('target', name, ['signal'])}")
        if limit is not None and limit < 1:
            raise SettingsError(f"The limit of samples is {limit}; it must be 1 or more.")
        generate, levels, shifts = _GENERATORS[self.kind]
        structures, values, labels = [], [], []
        for i in range(self.n if limit is None else min(limit, self.n)):
            made = generate(np.random.default_rng([self.seed, i]))
            value, deciding = frontier_level(made, levels, shifts)
            structures.append(
                Structure(
                    made.atomic_numbers.astype(np.uint8),
                    made.positions,
                    made.cell,
                    np.full(3, bool(made.cell.any())),
                    f"toy-{i:05d}",
                    False,
                )
            )
            values.append(value)
            labels.append(deciding)
        return Dataset(
            name=self.name,
            structures=StructureArrays.from_structures(structures),
            targets=self.available_targets,
            values=np.array(values)[:, None],
            node_labels=tuple(labels),
        )


def frontier_level(
    structure: ToyStructure, levels: dict[str, float], shifts: dict[str, float]
) -> tuple[float, NDArray[np.float64]]:
    """Return the highest level and, (n_atoms,), 1 for the atoms that decide it.

    These are all sites with the highest level and their neighbours that move it.
    """
    level_of, shift_of = np.full(119, -np.inf), np.zeros(119)
    level_of[[ATOMIC_NUMBERS[symbol] for symbol in levels]] = list(levels.values())
    shift_of[[ATOMIC_NUMBERS[symbol] for symbol in shifts]] = list(shifts.values())
    numbers, (site, neighbour) = structure.atomic_numbers, structure.bonds
    moves = shift_of[numbers[neighbour]]
    level = level_of[numbers] + np.bincount(site, weights=moves, minlength=len(numbers))
    highest = level >= level.max() - _TIE
    deciding = highest.copy()
    deciding[neighbour[highest[site] & (moves != 0)]] = True
    return float(level.max()), deciding.astype(np.float64)


_GENERATORS = {
    "molecules": (random_molecule, MOLECULE_LEVELS, MOLECULE_SHIFTS),
    "crystals": (random_crystal, CRYSTAL_LEVELS, CRYSTAL_SHIFTS),
}
