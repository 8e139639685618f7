"""`lens`: local attention and a readout made to be read."""

from atomlens.models.lens.model import Lens, LensConfig

__all__ = ["Lens", "LensConfig"]
