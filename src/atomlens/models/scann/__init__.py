"""SCANN and SCANN+: attention over Voronoi neighbours, and over the atoms of a structure."""

from atomlens.models.scann.model import Scann, ScannConfig

__all__ = ["Scann", "ScannConfig"]
