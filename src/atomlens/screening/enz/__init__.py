"""Epsilon near zero: formulas ranked by where their permittivity passes through zero."""
