"""Trained models around a network, and questions about made-up graphs, for tests of explainers."""

from atomlens.testing.questions import GivenGraph, asked, structures_of, trained_around

__all__ = ["GivenGraph", "asked", "structures_of", "trained_around"]
