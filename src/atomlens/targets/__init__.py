"""What a model predicts: a name, a unit, and how it behaves when the system grows.

Two ways to count: a row of a data set or prediction has ``n_values`` columns a target, a row of
a model's outputs ``n_outputs``. Only classes differ, whose number is one value.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from itertools import pairwise
from typing import Any, Literal

from atomlens.errors import SettingsError
from atomlens.printing import clean_name, shown
from atomlens.units import share_of

LARGEST_VALUE = 1e30
"""In any unit; beyond it stands no measured value, and sums of squares are no numbers."""


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
    grid: tuple[float, ...] = ()
    """For a spectrum: where its values stand, ascending; empty for a single number."""
    grid_name: str = "energy"
    """What the grid is of."""
    grid_unit: str = "eV"

    def __str__(self) -> str:
        return f"{self.name} [{self.unit}]" if self.unit else self.name

    def __post_init__(self) -> None:
        """Make the texts fit to be shown; check that the kind agrees with classes and grid."""
        for field in ("name", "unit", "description", "grid_name", "grid_unit"):
            object.__setattr__(self, field, clean_name(getattr(self, field)))
        if not self.name:
            raise SettingsError("A target has no name that can be shown; give it one.")
        if self.grid:
            object.__setattr__(self, "grid", tuple(map(float, self.grid)))
            _check_grid(self)
        if self.kind == "classification" and len(self.classes) < 2:
            raise SettingsError(
                f"Target {self.name!r}: a classification needs at least two classes, "
                f"got {list(self.classes)}."
            )
        if self.kind == "classification" and self.extensive:
            raise SettingsError(f"Target {self.name!r}: a class label cannot be extensive.")
        if self.kind == "classification" and self.nonnegative:
            raise SettingsError(
                f"Target {self.name!r}: a class label is no number, so leave out nonnegative."
            )
        if self.extensive and (share := share_of(self.unit)):
            raise SettingsError(
                f"Target {self.name!r}: a value in {self.unit} is one per {share}, which does not "
                "grow with the structure; leave extensive out, or give values of whole structures."
            )

    @property
    def is_spectrum(self) -> bool:
        """Whether it has a value at each point of a grid."""
        return bool(self.grid)

    @property
    def n_values(self) -> int:
        """Number of columns of a data set or prediction that belong to this target."""
        return len(self.grid) or 1

    @property
    def n_outputs(self) -> int:
        """Number of model outputs that belong to this target."""
        return len(self.classes) if self.kind == "classification" else self.n_values

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON; the grid only if there is one."""
        content = asdict(self) | {"classes": list(self.classes), "grid": list(self.grid)}
        if not self.grid:
            for name in ("grid", "grid_name", "grid_unit"):
                del content[name]
        return content

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "Target":
        """Take back what `to_dict` returned; raises TypeError, KeyError for other content."""
        lists = {"classes": tuple(content["classes"]), "grid": tuple(content.get("grid", ()))}
        made = {**content, **lists}
        for field in fields(cls):
            kind = {"extensive": bool, "nonnegative": bool}.get(field.name, str)
            if field.name in made and field.name not in lists:
                _check_type(field.name, made[field.name], kind)
        for name in lists["classes"]:
            _check_type("classes", name, str)
        if made.get("kind", "regression") not in ("regression", "classification"):
            raise TypeError(f"a target of the kind {shown(made['kind'])}")
        target = cls(**{**made, "unit": ""})
        object.__setattr__(target, "unit", clean_name(made.get("unit", "")))
        return target  # folders of earlier days may call what is per atom extensive


def output_slices(targets: tuple[Target, ...]) -> tuple[slice, ...]:
    """Return where each target's outputs stand in a row of model outputs."""
    return _slices([target.n_outputs for target in targets])


def value_slices(targets: tuple[Target, ...]) -> tuple[slice, ...]:
    """Return where each target's values stand in a row of a data set or prediction."""
    return _slices([target.n_values for target in targets])


def target_places(targets: tuple[Target, ...]) -> dict[Target, slice]:
    """Return each target with its place in a row of a data set or prediction."""
    return dict(zip(targets, value_slices(targets), strict=True))


def _slices(sizes: list[int]) -> tuple[slice, ...]:
    slices, start = [], 0
    for size in sizes:
        slices.append(slice(start, start + size))
        start += size
    return tuple(slices)


def _check_type(name: str, value: Any, kind: type) -> None:
    if not isinstance(value, kind):
        raise TypeError(f"`{name}` of a target is {shown(value)}")


def _check_grid(target: Target) -> None:
    if target.kind == "classification":
        raise SettingsError(f"Target {target.name!r}: classes have no grid.")
    finite = all(map(math.isfinite, target.grid))
    if len(target.grid) < 2 or not finite or any(b <= a for a, b in pairwise(target.grid)):
        raise SettingsError(
            f"Target {target.name!r}: a grid needs at least two finite points in ascending order."
        )
