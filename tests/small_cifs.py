"""Pieces of CIF for tests: a cell, and the head of a loop of atoms."""

CELL = (
    "_cell_length_a {0}\n_cell_length_b {1}\n_cell_length_c {2}\n"
    "_cell_angle_alpha {3}\n_cell_angle_beta {4}\n_cell_angle_gamma {5}\n"
)
SITES = (
    "loop_\n_atom_site_label\n_atom_site_type_symbol\n"
    "_atom_site_fract_x\n_atom_site_fract_y\n_atom_site_fract_z\n"
)


def cubic(a: float) -> str:
    """A cubic cell, Å."""
    return CELL.format(a, a, a, 90, 90, 90)
