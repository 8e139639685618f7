"""Conditions over the columns of a table, as typed: ``gap > 1 and formation_energy < 0``.

Python's own parser takes the text apart; of what it finds, only what stands in this package means
something. Nothing is evaluated by Python itself.
"""

from atomlens.screening.expressions.parsing import Expression, parse

__all__ = ["Expression", "parse"]
