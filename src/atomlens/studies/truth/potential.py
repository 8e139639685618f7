"""Energies of atoms by a universal potential, CHGNet: another model's opinion, and no truth.

Energies of atoms are not unique: any two ways to share a total energy out are as good. What two
models that never saw each other agree on is worth knowing all the same.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from atomlens.errors import StudyError, missing_package
from atomlens.explain.question import Values
from atomlens.structures.arrays import StructureArrays

POTENTIAL = "chgnet"


def atom_energies(structures: StructureArrays, formation: Values | None) -> tuple[Values, ...]:
    """Return the energy of each atom, (n_atoms, 1) a structure, eV.

    CHGNet (Deng et al., Nat. Mach. Intell. 5, 1031 (2023)), whose weights lie in its package, gives
    total energies. What an atom of an element has by itself is taken off: what the package's
    own fit of compositions says, moved (as little as possible, over all elements) so that the
    structures' mean energies an atom become the formation energies ``formation``, where they are
    known.

    Args:
        structures: Crystals.
        formation: (n,) eV an atom; NaN where unknown. None if none is known.

    Raises:
        MissingDependencyError: chgnet is not installed.
        StudyError: a structure is no crystal.
    """
    for structure in structures:
        if not structure.pbc.all():
            raise StudyError(
                f"truth: potential={POTENTIAL} is for crystals, and {structure.name} does not "
                "repeat in all directions; leave it out."
            )
    try:
        from chgnet.model import CHGNet
    except ImportError:
        raise missing_package(f"potential={POTENTIAL}", "chgnet", "peers") from None
    from ase import Atoms
    from pymatgen.io.ase import AseAtomsAdaptor

    network = CHGNet.load(use_device="cpu", verbose=False)
    crystals = [
        AseAtomsAdaptor.get_structure(Atoms(s.atomic_numbers, s.positions, cell=s.cell, pbc=True))
        for s in structures
    ]
    answers: list[dict[str, Any]] = network.predict_structure(
        crystals, task="e", return_site_energies=True
    )
    own = network.composition_model.fc.weight.detach().numpy()[0].astype(np.float64)
    energies = [
        np.asarray(answer["site_energies"], dtype=np.float64) - own[s.atomic_numbers - 1]
        for answer, s in zip(answers, structures, strict=True)
    ]
    if formation is not None and np.isfinite(formation).any():
        moved = _element_energies(structures, energies, formation)
        energies = [e - moved[s.atomic_numbers] for e, s in zip(energies, structures, strict=True)]
    return tuple(e[:, None] for e in energies)


def _element_energies(
    structures: StructureArrays, energies: list[Values], formation: Values
) -> NDArray[np.float64]:
    """(119,) smallest energies by atomic number that make of means formation energies."""
    known = np.flatnonzero(np.isfinite(formation))
    shares = np.zeros((len(known), 119))
    missing = np.zeros(len(known))
    for row, place in enumerate(known.tolist()):
        numbers = structures[place].atomic_numbers
        shares[row] = np.bincount(numbers, minlength=119) / len(numbers)
        missing[row] = energies[place].mean() - formation[place]
    return np.asarray(np.linalg.lstsq(shares, missing, rcond=1e-6)[0], dtype=np.float64)
