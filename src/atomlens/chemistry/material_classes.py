"""What kind of compound a material is, by its formula alone."""

import numpy as np
from numpy.typing import NDArray

_FAMILIES: dict[str, tuple[int, ...]] = {
    "halide": (9, 17, 35, 53, 85),
    "oxide": (8,),
    "chalcogenide": (16, 34, 52),
    "pnictide": (7, 15, 33, 51),
    "tetrelide or boride": (5, 6, 14, 32),
}
"""Elements that play the anion, the more electronegative family first."""
MATERIAL_CLASSES = (*_FAMILIES, "hydride", "intermetallic", "other")
"""All that `material_class` can answer; ``other`` holds a noble gas, or has no atoms."""

_NOBLE_GASES = (2, 10, 18, 36, 54, 86)


def material_class(atomic_numbers: NDArray[np.uint8]) -> str:
    """Return the class of a material, one of ``MATERIAL_CLASSES``.

    The family of nonmetals with the most atoms decides, of equal ones the more electronegative:
    CaCO3 is an oxide, BaTiO2F an oxide, PbFCl a halide. Hydrogen decides if there is no other
    nonmetal. Metals alone are an intermetallic, also a single metal.
    """
    if not len(atomic_numbers) or np.isin(atomic_numbers, _NOBLE_GASES).any():
        return "other"
    members = {
        name: int(np.isin(atomic_numbers, numbers).sum()) for name, numbers in _FAMILIES.items()
    }
    largest = max(members, key=lambda name: members[name])  # the first of equal ones
    if members[largest]:
        return largest
    return "hydride" if (atomic_numbers == 1).any() else "intermetallic"
