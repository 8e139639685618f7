"""``atomlens graph``: the neighbours of every atom, as a model would see them."""

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from atomlens.cli.common import (
    add_common_arguments,
    add_inputs,
    add_set,
)
from atomlens.cli.outputs import emit, exit_code
from atomlens.cli.progress import ProgressLine
from atomlens.cli.reading import Reads, reading_options
from atomlens.cli.settings import read_assignments
from atomlens.errors import AtomlensError, Failure, SettingsError, unknown_name
from atomlens.files import place_of, to_json

if TYPE_CHECKING:
    from ase import Atoms

    from atomlens.neighbors.base import GraphBuilder

SUMMARY = "show the neighbours of every atom"
DESCRIPTION = """\
Find the neighbours of every atom and print them: target, source, distance (Å), solid
angle (sr) and weight (solid angle over the largest of the target). The last two are
null for builders without Voronoi faces. Atoms are counted from 0."""
EXAMPLES = """\
examples:
  atomlens graph water.xyz
  atomlens graph NaCl.cif --set cutoff=6 --format json
  atomlens graph NaCl.cif --builder nearest --set n_neighbors=12
  atomlens graph "CCO" --builder radius --set cutoff=5
"""

READS = Reads()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of this command."""
    add_inputs(parser)
    parser.add_argument(
        "--builder", default="voronoi", help="voronoi (default), nearest, radius or formula"
    )
    add_set(parser, "FIELD=V", "a setting of the builder; may be repeated")
    parser.add_argument(
        "--format", choices=("table", "json"), help="default: table, json in a file NAME.json"
    )
    parser.add_argument(
        "--out", type=place_of, metavar="FILE", help="write here instead of to stdout: .json, .txt"
    )
    parser.set_defaults(out_is_all=True)
    add_common_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Print the neighbour pairs of every input."""
    out = options.out
    if out is not None and out.suffix not in (".json", ".txt"):
        raise SettingsError(f"--out {out}: the name must end with .json or .txt (the table).")
    builder = _builder(options.builder, options.assignments)
    from atomlens.files import write_text
    from atomlens.predictor.inputs.rows import read_atoms

    reading = reading_options(options, leave_out=[out])
    items, sources = read_atoms(options.inputs, reading)
    records, failures = describe_graphs(builder, items, sources, quiet=options.quiet)
    named_json = out is not None and out.suffix == ".json"
    as_json = options.format == "json" or (options.format is None and named_json)
    if as_json or len(failures) < len(items):
        text = f"{to_json(records) if as_json else _table(records)}\n"
        if out is None:
            emit(text)
        else:
            write_text(text, out)
    return exit_code(failures, len(items))


def describe_graphs(
    builder: "GraphBuilder",
    items: "Sequence[Atoms | Failure]",
    sources: Sequence[str],
    *,
    quiet: bool,
) -> tuple[list[dict[str, Any]], list[Failure]]:
    """Return one record per input, in order, and the inputs that failed.

    ``sources`` are the file or text that each input came from.
    """
    from atomlens.structures.arrays import name_of

    records: list[dict[str, Any]] = []
    failures: list[Failure] = []
    with ProgressLine("neighbours", quiet=quiet) as progress:
        for done, (item, source) in enumerate(zip(items, sources, strict=True), start=1):
            failure = item if isinstance(item, Failure) else None
            if not isinstance(item, Failure):
                try:
                    records.append(graph_record(builder, item, source))
                except AtomlensError as error:
                    failure = Failure(name=name_of(item), message=str(error))
            if failure is not None:
                failures.append(failure)
                records.append(
                    {"name": failure.name, "source": source or None, "error": failure.message}
                )
            progress(done, len(items))
    return records, failures


def graph_record(builder: "GraphBuilder", atoms: "Atoms", source: str) -> dict[str, Any]:
    """Return the name, the source, the number of atoms and the neighbour pairs of a structure."""
    from atomlens.structures.arrays import warnings_of

    graph = builder.build(atoms)
    n_edges = graph.n_edges
    angles = graph.solid_angles
    weights = graph.edge_weights
    columns = (
        graph.edge_index[1].tolist(),
        graph.edge_index[0].tolist(),
        graph.distances.tolist(),
        [None] * n_edges if angles is None else angles.tolist(),
        [None] * n_edges if weights is None else weights.tolist(),
    )
    edges = [list(edge) for edge in zip(*columns, strict=True)]
    record = {
        "name": graph.name,
        "source": source or None,
        "n_atoms": len(atoms),
        "edges": edges,
    }
    said = warnings_of(atoms)
    return record | ({"warning": "; ".join(said)} if said else {})


def _builder(name: str, assignments: list[str]) -> "GraphBuilder":
    from atomlens.neighbors import BUILDERS, make_builder
    from atomlens.settings import typed_values

    if name not in BUILDERS:
        raise SettingsError(f"--builder: {unknown_name('builder', name, BUILDERS)}")
    given = read_assignments(assignments, ["builder"], "builder").get("builder", {})
    return make_builder(name, **typed_values(BUILDERS[name], given, f"--builder {name}"))


def _table(records: list[dict[str, Any]]) -> str:
    lines = []
    for record in records:
        if "error" in record:
            continue
        lines.append(f"{record['name']}: {record['n_atoms']} atoms, {len(record['edges'])} pairs")
        lines.append("  target  source  distance/Å  solid angle/sr  weight")
        for target, source, distance, angle, weight in record["edges"]:
            shown = "-" if angle is None else f"{angle:.4f}"
            share = "-" if weight is None else f"{weight:.4f}"
            lines.append(f"  {target:6d}  {source:6d}  {distance:10.4f}  {shown:>14}  {share:>6}")
    return "\n".join(lines)
