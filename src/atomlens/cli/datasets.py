"""``atomlens datasets``: the data sets that are known by name."""

import argparse
from typing import TYPE_CHECKING, Any

from atomlens.cli.common import add_common_arguments
from atomlens.cli.guard import say
from atomlens.cli.outputs import emit
from atomlens.cli.progress import ProgressLine
from atomlens.errors import AtomlensError, DatasetError, unknown_name
from atomlens.files import to_json
from atomlens.printing import counted

if TYPE_CHECKING:
    from atomlens.datasets import DatasetSource

SUMMARY = "list and describe the data sets known by name"
DESCRIPTION = "List the data sets known by name, or describe one with its targets and units."
EXAMPLES = """\
examples:
  atomlens datasets list
  atomlens datasets info qm9
  atomlens datasets fetch fullerene-md
  atomlens train qm9 --target homo --out runs/homo

Your own data needs no name: a table, an extxyz, an ase.db or a folder with id_prop.csv
stands wherever a data set's name does (docs/data-formats.md).
"""
READS = None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of this command."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="every data set")
    info = actions.add_parser("info", help="one data set and its targets")
    fetch = actions.add_parser("fetch", help="download a data set if it is not on this machine")
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
        return _list(options)
    if options.name not in DATASETS:
        raise DatasetError(unknown_name("data set", options.name, DATASETS))
    return _fetch(options) if options.action == "fetch" else _info(options)


def _list(options: argparse.Namespace) -> int:
    from atomlens.datasets import DATASETS

    rows = [
        {
            "dataset": name,
            "summary": kind.summary,
            "targets": [t.name for t in kind.available_targets],
            **_whereabouts(kind()),
        }
        for name, kind in DATASETS.items()
    ]
    lines = [
        f"{r['dataset']}: {r['summary']}\n    targets: {', '.join(r['targets'])}\n"
        f"    {_whereabouts_line(r)}"
        for r in rows
    ]
    emit(to_json(rows) if options.format == "json" else "\n".join(lines))
    return 0


def _info(options: argparse.Namespace) -> int:
    from atomlens.datasets import DATASETS

    kind = DATASETS[options.name]
    where = _whereabouts(kind())
    rows = [
        {"target": t.name, "unit": t.unit, "kind": t.kind, "description": t.description}
        for t in kind.available_targets
    ]
    if options.format == "json":
        record = {"dataset": options.name, "summary": kind.summary, "targets": rows, **where}
        emit(to_json(record))
    else:
        from atomlens.reports.tables import format_table

        head = f"{options.name}: {kind.summary}\n{_whereabouts_line(where)}"
        emit(f"{head}\n\n{format_table(rows)}")
    return 0


def _fetch(options: argparse.Namespace) -> int:
    """Bring the files here and read them once, so that the next command starts at once."""
    from atomlens.datasets import DATASETS

    source = DATASETS[options.name]()
    was_here = _whereabouts(source)["here"]
    with ProgressLine(f"fetching {options.name}", quiet=options.quiet) as line:
        files = source.fetch(lambda done, total: _show_bytes(line, done, total))
    if was_here:
        source.load(limit=1)
        emit(f"{options.name}: nothing to fetch, it is on this machine ({source.origin}).")
        return 0
    if not options.quiet:
        say(f"reading {options.name}; this is done once.")
    read = source.load()
    lost = f" ({len(read.failures)} more cannot be used)" if read.failures else ""
    emit(f"{options.name}: {counted(len(read), 'sample')}{lost}, in {files[0].parent}.")
    return 0


def _show_bytes(line: ProgressLine, done: int, total: int) -> None:
    share = done / total if total else 0.0
    line.show(share, f"{done / 1e6:.1f}/{total / 1e6:.1f} MB")


def _whereabouts(source: "DatasetSource") -> dict[str, Any]:
    """Say whether a data set is on this machine, how large, from where and how licensed."""
    try:
        files = source.files()
    except AtomlensError:
        here, n_bytes = False, 0
    else:
        here, n_bytes = True, sum(path.stat().st_size for path in files)
    return {
        "here": here,
        "n_bytes": n_bytes,
        "origin": source.origin,
        "licence": source.stated_licence(),
    }


def _whereabouts_line(where: dict[str, Any]) -> str:
    if where["here"]:
        size = f" ({where['n_bytes'] / 1e6:.1f} MB)" if where["n_bytes"] else ""
        here = f"on this machine{size}"
    else:
        here = "not on this machine"
    return f"{here}; source: {where['origin']}; licence: {where['licence']}"
