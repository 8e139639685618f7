"""Finder: self-attention over formulas or crystal graphs."""

from atomlens.models.finder.model import Finder, FinderConfig

__all__ = ["Finder", "FinderConfig"]
