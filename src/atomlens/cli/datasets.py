"""``atomlens datasets``: the data sets that are known by name."""

import argparse

from atomlens.cli.common import add_common_arguments
from atomlens.cli.outputs import emit, to_json
from atomlens.errors import DatasetError, unknown_name

SUMMARY = "list and describe the data sets known by name"
DESCRIPTION = "List the data sets known by name, or describe one with its targets and units."
EXAMPLES = """\
examples:
  atomlens datasets list
  atomlens datasets info qm9
  atomlens train qm9 --target homo --out runs/homo

Your own data needs no name: a table, an extxyz, an ase.db or a folder with id_prop.csv
stands wherever a data set's name does (docs/data-formats.md).
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of this command."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="every data set")
    info = actions.add_parser("info", help="one data set and its targets")
    fetch = actions.add_parser("fetch", help="make sure that a data set is on this machine")
    for action in (info, fetch):
        action.add_argument("name", metavar="NAME")
    for action in (listing, info):
        action.add_argument("--format", choices=("table", "json"), default="table")
    for action in (listing, info, fetch):
        add_common_arguments(action)


def run(options: argparse.Namespace) -> int:
    """List, describe or fetch."""
    from atomlens.datasets import DATASETS

    if options.action == "list":
        rows = [
            {
                "dataset": name,
                "summary": source.summary,
                "targets": [t.name for t in source.available_targets],
            }
            for name, source in DATASETS.items()
        ]
        lines = [
            f"{r['dataset']}: {r['summary']}\n    targets: {', '.join(r['targets'])}" for r in rows
        ]
        emit(to_json(rows) if options.format == "json" else "\n".join(lines))
        return 0
    if options.name not in DATASETS:
        raise DatasetError(unknown_name("data set", options.name, DATASETS))
    source = DATASETS[options.name]
    if options.action == "fetch":
        source().load(limit=1)
        emit(f"{options.name}: nothing to fetch, it is on this machine.")
        return 0
    rows = [
        {"target": t.name, "unit": t.unit, "kind": t.kind, "description": t.description}
        for t in source.available_targets
    ]
    if options.format == "json":
        emit(to_json({"dataset": options.name, "summary": source.summary, "targets": rows}))
    else:
        from atomlens.reports.tables import format_table

        emit(f"{options.name}: {source.summary}\n\n{format_table(rows)}")
    return 0
