"""``atomlens screen``: any number of candidates through several models, filtered and ranked."""

import argparse
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from atomlens.cli.common import (
    add_common_arguments,
    add_out_folder,
    add_set,
    add_speed,
    add_targets,
    refuse_idle_options,
    tell_hidden,
)
from atomlens.cli.guard import say
from atomlens.cli.outputs import check_folder, emit
from atomlens.cli.progress import ProgressLine
from atomlens.cli.reading import Reads, reading_options
from atomlens.cli.settings import read_assignments
from atomlens.errors import SettingsError
from atomlens.printing import Named, counted

if TYPE_CHECKING:
    from atomlens.screening import ScreenResult, ScreenSettings

SUMMARY = "predict many candidates with several models, filter and rank them"
DESCRIPTION = """\
Screen candidates: predict each with every model, keep those for which a condition holds, the best
first. Equal structures are merged, inputs that cannot be used are listed with the reason. A
screening that was stopped or killed goes on with the same command where it was."""
EXAMPLES = """\
examples:
  atomlens screen mp crystals/ --out stable --where "formation_energy < -1"
  atomlens screen mp runs/bulk "crystals/*.cif" --out hard --by bulk_modulus --top 50
  atomlens screen formula-gap formula-formation-energy formulas.csv --out solar \\
      --where "1.1 < band_gap < 1.6 and 'Pb' not in elements" \\
      --by "abs(band_gap - 1.34)" --lowest --top 20
  atomlens screen --out solar --resume
  atomlens screen runs/eps_re runs/eps_im formulas.csv --out enz --measure enz \\
      --set direction=both --where "enz_passes >= 0.5" --by enz_loss --lowest
  atomlens screen mp million.extxyz --out all --ray auto

Names at the beginning that are models (folders, or names of the box) are models, what follows are
inputs. Columns are called as in `predict`; a column that several models have, such as `unlike`,
gets the name of its model in front. An expression knows: and or not, < <= > >= == != in,
+ - * / % **, numbers, 'texts', [lists], abs sqrt log log10 exp min max mean known, and
`elements`; a name with other signs stands between backticks. What is unknown does not pass.

DIR gets results.parquet (or .csv), failures.csv, duplicates.csv, screen.json and shards/ with
every input. With --ray the shards are worked off by a Ray cluster whose machines share the file
system (extra: atomlens[scale]); the rows are the same.
"""
READS = Reads()
_SHOWN = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of this command."""
    parser.add_argument(
        "given",
        metavar="MODEL... INPUT...",
        nargs="*",
        help="models, then files, folders, globs, tables, SMILES or formulas",
    )
    add_out_folder(parser, required=True, help_text="folder for the results")
    add_targets(parser)
    parser.add_argument("--where", metavar="EXPR", help="keep the structures for which this holds")
    parser.add_argument("--by", metavar="EXPR", help="column or expression to order them by")
    parser.add_argument("--top", type=int, metavar="N", help="keep the N that come first by --by")
    parser.add_argument(
        "--lowest", action="store_true", help="the lowest come first (default: the highest)"
    )
    parser.add_argument(
        "--keep-duplicates", action="store_true", help="do not merge equal structures"
    )
    parser.add_argument(
        "--format", choices=("parquet", "csv"), default="parquet", help="default: parquet"
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="go on with the screening that was begun in DIR, alone or behind its whole command; "
        "with other --where, --by, --lowest, --top: choose anew, nothing is predicted again",
    )
    parser.add_argument(
        "--ray",
        metavar="ADDRESS",
        help="work on a Ray cluster: auto, local, or where it is (default: this machine alone)",
    )
    parser.add_argument(
        "--measure",
        metavar="NAME",
        help="also read off predicted spectra: enz, the zero of the permittivity (columns enz_...)",
    )
    add_set(parser, "FIELD=V", "one setting of --measure; may repeat")
    parser.add_argument(
        "--shard-size", type=int, default=512, metavar="N", help="structures of a shard (512)"
    )
    add_speed(parser)
    add_common_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Screen, show the first results, list the failures."""
    from atomlens.machine import choose_device
    from atomlens.screening.pipeline import run_screening

    check_folder(options.out)
    choose_device(options.device)
    settings = settings_of(options)
    if options.resume and not options.quiet:
        tell_another_choice(options.out, settings)
    with ProgressLine("screening", quiet=options.quiet) as progress:
        result = run_screening(
            settings,
            options.out,
            n_workers=options.workers,
            ray=options.ray,
            resume=options.resume,
            progress=progress.count,
        )
    if result.n_reused and not options.quiet:
        say(f"{result.n_reused} of {result.n_shards} shards were finished by an earlier run.")
    emit(report(result))
    say_doubts(result)
    return exit_code(result)


def settings_of(options: argparse.Namespace) -> "ScreenSettings":
    """Return the screening that was asked for, or without models and inputs the one in the folder.

    What that one chooses among its predictions may be asked for anew; what is not said stays.

    Raises:
        SettingsError: nothing was begun there.
    """
    from atomlens.screening import ScreenSettings
    from atomlens.screening.shards import CHOICE, read_manifest

    if options.resume and not options.given:
        before = ScreenSettings.of_manifest(options.out)
        refuse_idle_options(
            options,
            sys.modules[__name__],
            ("given", "out", "resume", "ray", "workers", "quiet", "debug", *CHOICE),
            "`--resume` alone goes on as it was asked for then; leave {option} out, or begin "
            "in another folder.",
        )
        chosen: dict[str, Any] = {
            name: value
            for name in ("where", "by", "top")
            if (value := getattr(options, name)) is not None
        }
        if options.by is not None or options.lowest:  # which end belongs to the order
            chosen["lowest"] = options.lowest
        return replace(before, **chosen)
    if options.resume and read_manifest(options.out) is None:
        say(f"{options.out}: no screening was begun here, so it begins now.")
    elif not options.given and read_manifest(options.out) is not None:
        raise SettingsError(
            f"{options.out}: name the models and inputs, or go on with what was begun: --resume."
        )
    models, inputs = models_and_inputs(options.given)
    reading = reading_options(options)
    return ScreenSettings(
        models=models,
        inputs=inputs,
        where=options.where,
        by=options.by,
        top=options.top,
        lowest=options.lowest,
        merge_duplicates=not options.keep_duplicates,
        format=options.format,
        disorder=None if reading.forms.said_by == "nobody" else reading.forms.how,
        n_models=reading.forms.n_models,
        conformers=reading.forms.conformers,
        strict=reading.strict,
        reading=reading.places,
        batch_size=options.batch_size,
        device=options.device,
        shard_size=options.shard_size,
        targets=tuple(options.target),
        measure=options.measure,
        measure_settings=read_assignments(options.assignments, ["measure"], "measure").get(
            "measure", {}
        ),
    )


def tell_another_choice(folder: Path, asked: "ScreenSettings") -> None:
    """Say what is chosen otherwise than in the screening that is in the folder, if anything is."""
    from atomlens.screening.shards import CHOICE, read_manifest

    manifest = read_manifest(folder)
    if manifest is None:
        return
    old = {name: manifest["settings"].get(name) for name in CHOICE}
    new = {name: getattr(asked, name) for name in CHOICE}
    said = [
        f"{name} {_choice(new[name])} (before: {_choice(old[name])})"
        for name in CHOICE
        if old[name] != new[name]
    ]
    if said:
        say(f"{folder}: chosen anew among the same predictions: {', '.join(said)}.")


def _choice(value: str | int | bool | None) -> str:
    return "none" if value is None else value if isinstance(value, str) else str(value).lower()


def models_and_inputs(given: list[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the models that were named first, and the inputs behind them.

    Raises:
        ModelError: the first name is no model.
    """
    from atomlens.predictor.folder.box import names_model
    from atomlens.predictor.folder.loading import load_trained

    n = next((i for i, one in enumerate(given) if not names_model(one)), len(given))
    if given and not n:
        load_trained(given[0])  # says what is wrong with it
    for one in given[:n]:
        tell_hidden(one)
    return tuple(given[:n]), tuple(given[n:])


def report(result: "ScreenResult") -> str:
    """Return the first results and the counts as text."""
    from atomlens.reports.tables import format_table

    counts = result.counts
    lines = []
    rows = first_rows(result)
    if rows:
        lines += [format_table(rows).rstrip()]
        if counts["results"] > len(rows):
            lines += [f"and {counts['results'] - len(rows):,} more"]
        lines += [""]
    said = [counted(counts["inputs"], "input"), f"{counts['answered']:,} answered"]
    said += [counted(counts["duplicates"], "duplicate")] if counts["duplicates"] else []
    said += [f"{counts['failed']:,} failed"] if counts["failed"] else []
    said += [f"{counts['left out']:,} left out"] if counts["left out"] else []
    some = "answered by some models only"
    said += [f"{counts[some]:,} {some}"] if counts[some] else []
    lines += [f"{', '.join(said)}; {counts['passed']:,} passed, {counts['results']:,} kept."]
    if n_others := counts["not the first"]:
        are = "result is not the first of its" if n_others == 1 else "results are not the first of"
        lines += [
            f"{n_others:,} {are} duplicates, since the first does not pass or comes later in the "
            "order."
        ]
    lines += [f"Results: {result.table}"]
    return "\n".join(lines)


def say_doubts(result: "ScreenResult") -> None:
    """Say on stderr why the first results should be mistrusted, if they should."""
    shown = read_first(result.table, _SHOWN)
    shared = shared_names(shown)
    said: dict[str, Named] = {}
    for row in shown:
        if row.get("warning"):
            where = f" ({row['source']})" if row["name"] in shared else ""
            said.setdefault(row["warning"], Named()).add(f"{row['name']}{where}")
    for reason, names in said.items():
        say(f"warning: {names}: {reason}")
    if said and result.counts["results"] > _SHOWN:
        say("warning: others may have one as well, in the column `warning` of the table")


def first_rows(result: "ScreenResult") -> list[dict[str, Any]]:
    """Return the first results with the columns that fit on a terminal."""
    from atomlens.predictor.samples import UNKNOWN
    from atomlens.predictor.tables import MARK

    rows = read_first(result.table, _SHOWN)
    hidden = ["structure", "state", "warning", "error", "also"]
    hidden += [] if shared_names(rows) else ["source"]
    empty = (None, "", UNKNOWN)
    filled = {name for row in rows for name, cell in row.items() if cell not in empty}
    names = [
        name
        for name in (rows[0] if rows else {})
        if name in filled
        and name not in hidden
        and not name.endswith("_unit")
        and not _stands_beside(name, rows[0])
        and not isinstance(rows[0][name], list)
    ]
    if all(row.get("n_same") in (1, "1") for row in rows):
        names = [name for name in names if name != "n_same"]
    called = with_units(names, result.folder)
    shown = [{called[name]: _rounded(row, name) for name in names} for row in rows]
    if "warning" in filled:
        marks = ({"warning": MARK if row["warning"] else None} for row in rows)
        shown = [row | mark for row, mark in zip(shown, marks, strict=True)]
    return shown


def _rounded(row: dict[str, Any], name: str) -> Any:
    """Return a cell; a number that has an error with it, in the digits of the error."""
    from atomlens.reports.wording import value_with_error

    value, std = row[name], row.get(f"{name}_std")
    if f"{name}_std" not in row or not isinstance(value, float):
        return value
    return value_with_error(value, std if isinstance(std, float) else None)


def shared_names(rows: list[dict[str, Any]]) -> set[str]:
    """Return the names that several of some rows have."""
    names = Counter(row["name"] for row in rows)
    return {name for name, n in names.items() if n > 1}


def with_units(names: list[str], folder: Path) -> dict[str, str]:
    """Return what columns are called on a terminal: with their unit, as the manifest has it."""
    from atomlens.predictor.tables import called_with_unit
    from atomlens.screening.shards import read_manifest

    manifest = read_manifest(folder) or {}
    units = {column["name"]: column["unit"] for column in manifest.get("columns", ())}
    return {name: called_with_unit(name, units.get(name, "")) for name in names}


def _stands_beside(name: str, row: dict[str, Any]) -> bool:
    """Say whether a column is the error of another, or an end of its interval.

    The terminal shows errors in the cells of their values, and the table has the ends.
    """
    stem, _, ending = name.rpartition("_")
    return (ending == "std" and stem in row) or (ending in ("low", "high") and f"{stem}_std" in row)


def read_first(table: Path, n: int) -> list[dict[str, Any]]:
    """Return the first rows of a table, however long it is."""
    if table.suffix == ".parquet":
        from pyarrow import parquet

        batches = parquet.ParquetFile(table).iter_batches(batch_size=n)
        first = next(batches, None)
        return [] if first is None else first.to_pylist()
    import csv
    from itertools import islice

    with table.open(encoding="utf-8", newline="") as stream:
        return [
            {k: _number(v) for k, v in row.items()} for row in islice(csv.DictReader(stream), n)
        ]


def _number(cell: str) -> float | str:
    try:
        return float(cell)
    except ValueError:
        return cell


def exit_code(result: "ScreenResult") -> int:
    """List the first inputs that failed on stderr and return the exit code that this calls for."""
    from atomlens.screening.merging import FAILURES, first_failures

    n_failed = result.counts["failed"]
    if not n_failed:
        return 0 if result.counts["answered"] else 2
    say(f"{n_failed:,} of {result.counts['inputs']:,} inputs could not be used:")
    first = first_failures(result.folder, 2 * _SHOWN)
    for line in first:
        say(f"  {line}")
    if n_failed > len(first):
        say(f"  and {n_failed - len(first):,} more; all are in {result.folder / FAILURES}")
    return 1 if result.counts["answered"] else 2
