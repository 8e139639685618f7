"""`lens`: local attention and a readout made to be read."""

from atomlens.models.lens.model import Absence, Lens, LensConfig

__all__ = ["Absence", "Lens", "LensConfig"]
