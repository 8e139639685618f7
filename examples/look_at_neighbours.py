"""Neighbours as a model sees them: rock salt and C60."""

from collections import Counter

from ase.build import bulk, molecule

from atomlens.neighbors import BUILDERS

builder = BUILDERS["voronoi"](cutoff=6.0)

rock_salt = builder.build(bulk("NaCl", "rocksalt", a=5.64))
print("rock salt: neighbours of each atom", Counter(rock_salt.edge_index[1].tolist()))
print(f"  all at {rock_salt.distances.min():.3f} to {rock_salt.distances.max():.3f} Å")
print(f"  each seen under {rock_salt.solid_angles.mean():.3f} sr, a sixth of the full sphere")

c60 = BUILDERS["voronoi"](cutoff=4.0).build(molecule("C60"))
print(f"C60: {c60.n_edges} directed bonds, {c60.n_edges // c60.n_nodes} an atom")
short = int((c60.distances < 1.41).sum())
print(f"  {short} between two hexagons, {c60.n_edges - short} between a hexagon and a pentagon")
