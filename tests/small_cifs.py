"""Pieces of CIF for tests: a cell, and the head of a loop of atoms."""

CELL = (
    "_cell_length_a {0}\n_cell_length_b {1}\n_cell_length_c {2}\n"
    "_cell_angle_alpha {3}\n_cell_angle_beta {4}\n_cell_angle_gamma {5}\n"
)
SITES = (
    "loop_\n_atom_site_label\n_atom_site_type_symbol\n"
    "_atom_site_fract_x\n_atom_site_fract_y\n_atom_site_fract_z\n"
)

CRYSTAL = """data_x
_cell_length_a 5.64
_cell_length_b 5.64
_cell_length_c {c}
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_space_group_name_H-M_alt 'P 1'
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
_atom_site_occupancy
Na1 Na 0 0 0 {occupancy}
Cl1 Cl 0.5 0.5 0.5 1
"""
"""A whole file of two atoms: length ``c`` of the cell, ``occupancy`` of the sodium."""


def cubic(a: float) -> str:
    """A cubic cell, Å."""
    return CELL.format(a, a, a, 90, 90, 90)
