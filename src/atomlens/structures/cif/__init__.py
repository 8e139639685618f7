"""CIF: its tags, sites and symmetry operations, as ase.Atoms."""
