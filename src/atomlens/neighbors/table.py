"""Where the compiled loops put their neighbour pairs, and how they say what went wrong."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

MOST_IMAGES = 2_000_000
"""More images than this (or 30 an atom) in one search mean a cell too thin for the radius."""
MOST_PAIRS = 10_000_000
"""Neighbour pairs of one structure; they take 700 MB."""

FINE = 0
DEGENERATE_CELL = 1
CLOSE_ATOMS = 2
OPEN_CELL = 3
TOO_MANY_IMAGES = 4
TOO_MANY_PAIRS = 5
MORE_EDGES = -1
"""The loop stopped because an array is full; it can go on with a larger one."""
MORE_IMAGES = -2
MORE_FACES = -3


class EdgeTable(NamedTuple):
    """Neighbour pairs of many structures, with room for more."""

    ends: NDArray[np.int32]
    """(5, room) target, source, and translation of the source in lattice vectors"""
    values: NDArray[np.float64]
    """(6, room) vector from target to source (Å), distance (Å), solid angle (sr), weight"""
    counts: NDArray[np.int64]
    """(n_structures,) number of pairs of each"""
    status: NDArray[np.int64]
    """(n_structures, 3) FINE or what happened, and to which atoms"""
    progress: NDArray[np.int64]
    """(3,) number of structures done, number of pairs so far, and of rows at the end that hold
    the cut shells of the structure at hand"""
    is_cut: NDArray[np.bool_]
    """(n_structures,) see `graphs.FIELDS`, ``cut_shell``"""


def empty_table(n_structures: int, room: int) -> EdgeTable:
    """Return a table without pairs."""
    return table_in(np.empty((5, room), np.int32), np.empty((6, room)), n_structures)


def table_in(ends: NDArray[np.int32], values: NDArray[np.float64], n_structures: int) -> EdgeTable:
    """Return a table without pairs in arrays that are there."""
    return EdgeTable(
        ends,
        values,
        np.zeros(n_structures, np.int64),
        np.zeros((n_structures, 3), np.int64),
        np.zeros(3, np.int64),
        np.zeros(n_structures, np.bool_),
    )


def enlarge_table(table: EdgeTable, room: int) -> EdgeTable:
    """Return a table with the same pairs and more room."""
    done = int(table.progress[1])
    ends, values = np.empty((5, room), np.int32), np.empty((6, room))
    ends[:, :done], values[:, :done] = table.ends[:, :done], table.values[:, :done]
    return table._replace(ends=ends, values=values)
