"""Small graphs made by hand, for tests that need no structure files."""

from atomlens.testing.graphs import doubled, lone_atom, random_graph, shuffled

__all__ = ["doubled", "lone_atom", "random_graph", "shuffled"]
