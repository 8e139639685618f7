"""What a model predicts: a name, a unit, and how it behaves when the system grows."""

from dataclasses import dataclass
from typing import Literal

from atomlens.errors import SettingsError


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One property to be learned."""

    name: str
    """Short name, also the column name in tables (for example ``homo``)."""
    unit: str = ""
    """Unit of the values as given and as predicted; empty for dimensionless or unknown."""
    kind: Literal["regression", "classification"] = "regression"
    extensive: bool = False
    """Grows with the number of atoms: learned per atom and multiplied at prediction."""
    classes: tuple[str, ...] = ()
    """Names of the classes, in the order of the outputs; empty for regression."""
    nonnegative: bool = False
    """Cannot be below zero (band gaps): the output passes a straight-through ReLU."""
    description: str = ""

    def __post_init__(self) -> None:
        """Check that the kind and the classes agree."""
        if self.kind == "classification" and len(self.classes) < 2:
            raise SettingsError(
                f"Target {self.name!r}: a classification needs at least two classes, "
                f"got {list(self.classes)}."
            )
        if self.kind == "classification" and self.extensive:
            raise SettingsError(f"Target {self.name!r}: a class label cannot be extensive.")

    @property
    def n_outputs(self) -> int:
        """Number of model outputs that belong to this target."""
        return len(self.classes) if self.kind == "classification" else 1


def output_slices(targets: tuple[Target, ...]) -> tuple[slice, ...]:
    """Return where each target's outputs stand in a row of model outputs."""
    slices, start = [], 0
    for target in targets:
        slices.append(slice(start, start + target.n_outputs))
        start += target.n_outputs
    return tuple(slices)
