"""Layers on plain tensors: they have not heard of atoms."""

from atomlens.nn.readout import READOUTS

__all__ = ["READOUTS"]
