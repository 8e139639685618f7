"""Conversion factors (CODATA 2014 values as used by the published QM9 work)."""

HARTREE_IN_EV = 27.211386
BOHR_IN_ANGSTROM = 0.529177210903
EV_NANOMETRE = 1239.841984
"""Photon energy (eV) times vacuum wavelength (nm): h c / e."""
