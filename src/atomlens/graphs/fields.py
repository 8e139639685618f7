"""What a graph can hold besides its atoms and its pairs: one row a field.

Stores, batches, caches, packing and occlusion read this table. A new feature of atoms, pairs or
whole graphs is a row here, a line in the builder that makes it (``EdgeArrays(..., name=array)``)
and its name in the ``edge_fields`` of the models that read it (``batch.name``); nothing in
between has to know of it.
"""

from collections.abc import Mapping
from copy import copy
from dataclasses import Field, dataclass
from dataclasses import fields as fields_of
from typing import Any, Literal, TypeVar

from atomlens.errors import GraphError

Scope = Literal["node", "edge", "graph"]
Counts = Mapping[Scope, int | None]
"""Rows of the fields of each scope. None: a single row, without an axis for it; a scope that is
missing has any number."""
T = TypeVar("T")
Holder = TypeVar("Holder", bound="HasFields")


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphField:
    """One optional field of graphs."""

    scope: Scope
    """Whether it has one row a node, one an edge, or one a graph."""
    shape: tuple[int, ...] = ()
    """Of one row."""
    dtype: str = "float32"
    """In stores and on disk; floating-point fields of single graphs and batches follow the rest."""
    meaning: str
    """With its unit."""
    always: bool = False
    """Stays in batches whether the model names it or not."""
    filler: int | float = 0.0
    """Value in the made-up graph that fills a batch of fixed size (see `graphs.padding`)."""
    cached: bool = True
    """Whether it is kept with the graphs; if not, it is taken from the structures as it is."""


FIELDS: dict[str, GraphField] = {
    "edge_vectors": GraphField(
        scope="edge", shape=(3,), meaning="from target to source, Å", filler=1.0
    ),
    "solid_angles": GraphField(
        scope="edge",
        meaning="solid angle of the shared Voronoi face seen from the target, sr",
        filler=2.0,
    ),
    "edge_weights": GraphField(
        scope="edge",
        meaning="solid angle over the largest of the target; 1 for builders without faces",
        filler=1.0,
    ),
    "edge_presence": GraphField(
        scope="edge",
        meaning="0 to 1, what reaches the target of what the neighbour says; missing: all of it",
        filler=1.0,
        cached=False,
    ),
    "node_weights": GraphField(
        scope="node",
        meaning="amount of each node in a formula graph; missing where every node is one atom",
        always=True,
        filler=1.0,
    ),
    "ring_flags": GraphField(
        scope="node", shape=(2,), meaning="1 where an atom is in a ring, and where it is aromatic"
    ),
    "charges": GraphField(
        scope="node", meaning="partial charges, e; 0 where unknown", cached=False
    ),
    "node_rows": GraphField(
        scope="node",
        dtype="int64",
        meaning="which of a store's nodes each one is, for training that knows more of atoms",
        filler=-1.0,
        cached=False,
    ),
    "cell": GraphField(
        scope="graph",
        shape=(3, 3),
        meaning="rows are lattice vectors, Å; zero rows where there is none",
        cached=False,
    ),
    "reduced_cell": GraphField(
        scope="graph",
        shape=(3, 3),
        meaning="Niggli cell of what repeats in all directions, Å; else as the cell",
        cached=False,
    ),
    "cut_shell": GraphField(
        scope="graph",
        dtype="bool",
        meaning="whether an atom has some of several neighbours equally far, which are unlike",
    ),
}
"""Every field by name. Plain: whoever has one more puts it in."""


class HasFields:
    """Gives the fields as attributes; one that is not there is None."""

    __slots__ = ()
    fields: Mapping[str, Any]

    def __getattr__(self, name: str) -> Any:
        """Return a field by its name in ``FIELDS``."""
        if name in FIELDS:
            return self.fields.get(name)
        raise AttributeError(f"a {type(self).__name__} has no {name!r}")

    def with_fields(self: Holder, **fields: Any) -> Holder:
        """Return the same with more fields, or with none where one is None."""
        return type(self)(**self._own(), fields={**self.fields, **fields})  # type: ignore[call-arg]

    def parts(self) -> dict[str, Any]:
        """Return everything it holds by name, fields included."""
        return self._own() | dict(self.fields)

    def _own(self) -> dict[str, Any]:
        names = [f.name for f in fields_of(self)]  # type: ignore[arg-type]
        return {n: getattr(self, n) for n in names if n != "fields" and n not in FIELDS}

    def fill(self, **values: object) -> None:
        """Set the attributes of a frozen object that is being made."""
        for name, value in values.items():
            object.__setattr__(self, name, value)


class _AllFields:
    """Rows of a dataclass that names each of ``FIELDS`` beside its own."""

    def __init__(self, own: dict[str, Field[Any]]) -> None:
        own["fields"].init = False
        self.own = own

    def __get__(self, instance: object, kind: type | None = None) -> dict[str, Field[Any]]:
        more = {}
        for name in FIELDS:
            row = more[name] = copy(self.own["fields"])
            row.name, row.init, row.default = name, True, None
        return self.own | more


def names_its_fields(kind: type[Holder]) -> type[Holder]:
    """Let ``dataclasses.fields`` and ``replace`` see all that an object of this class holds.

    So a script that builds a graph anew from ``dataclasses.fields`` keeps all of it, and
    ``replace(graph, edge_vectors=...)`` works as for its own parts.
    """

    def state(self: Holder) -> dict[str, Any]:
        return self._own() | {"fields": self.fields}

    def restore(self: Holder, state: dict[str, Any]) -> None:
        self.fill(**state)

    for name, value in {
        "__dataclass_fields__": _AllFields(kind.__dataclass_fields__),  # type: ignore[attr-defined]
        "__getstate__": state,
        "__setstate__": restore,
    }.items():
        setattr(kind, name, value)
    return kind


def given_fields(
    fields: Mapping[str, T], more: Mapping[str, T | None], counts: Counts
) -> dict[str, T]:
    """Return fields without those that are None, after a check of their names and shapes.

    Args:
        fields: By name.
        more: The same, as named arguments; they win.
        counts: Rows of the fields of each scope.

    Raises:
        GraphError: a name that is not in the table, or another shape than it has there.
    """
    chosen = {name: value for name, value in {**fields, **more}.items() if value is not None}
    for name, value in chosen.items():
        if name not in FIELDS:
            raise GraphError(
                f"{name!r} is no field of graphs; put it into atomlens.graphs.FIELDS, which has "
                f"{', '.join(FIELDS)}."
            )
        row = FIELDS[name]
        found: tuple[int, ...] = tuple(value.shape)  # type: ignore[attr-defined]
        count = counts.get(row.scope, found[0] if found else 0)
        expected = row.shape if count is None else (count, *row.shape)
        if found != expected:
            raise GraphError(f"The field {name!r} has the shape {found} instead of {expected}.")
    return chosen


def common_fields(parts: list[Mapping[str, T]]) -> dict[str, list[T]]:
    """Return the fields of graphs from one builder, part by part.

    Fields of whole graphs that only some have are left out.

    Raises:
        GraphError: only some have a field of nodes or edges.
    """
    found = {}
    for name in dict.fromkeys(name for part in parts for name in part):
        values = [part[name] for part in parts if name in part]
        if len(values) == len(parts):
            found[name] = values
        elif FIELDS[name].scope != "graph":
            raise GraphError(
                f"Some graphs have {name} and some do not; build all with one builder."
            )
    return found
