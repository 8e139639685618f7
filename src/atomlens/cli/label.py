"""``atomlens label``: what a physical simulation says about structures, with its uncertainty."""

import argparse
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

from atomlens.cli.common import Several, add_common_arguments, add_inputs
from atomlens.cli.guard import say
from atomlens.cli.outputs import (
    add_out_table,
    check_table_name,
    emit,
    exit_code,
)
from atomlens.cli.progress import ProgressLine
from atomlens.cli.reading import Reads, reading_options
from atomlens.errors import SettingsError
from atomlens.files import only_writer, place_of

SUMMARY = "compute an uptake of gas by Monte Carlo"
DESCRIPTION = """\
Simulate the adsorption of a gas in rigid crystals by grand-canonical Monte Carlo and
print the loading at each pressure, with the 95 % confidence interval from five blocks.
Partial charges come from the CIF (_atom_site_charge). Needs: pip install "atomlens[gcmc]"."""
EXAMPLES = """\
examples:
  atomlens label mof.cif --with gcmc --gas CO2 --pressure 0.15 --temperature 298
  atomlens label mofs/ --with gcmc --gas CO2 --pressure 0.15 16 --out uptakes.csv
  atomlens label mof.cif --with gcmc --gas CH4 --pressure 5.8 65 --format json
  atomlens label mofs/ --with gcmc --gas CO2 --pressure 0.15 --out uptakes.csv --resume
  atomlens label mofs/ --with gcmc --gas N2 --pressure 0.85 --training-table n2.csv

The time grows with atoms, molecules and cycles: minutes for a crystal of 400 atoms.
"""
READS = Reads(
    refused={"--conformers": "a simulation takes rigid crystals, which have one shape each"}
)
_ON_THE_TERMINAL = {
    "name": "name",
    "gas": "gas",
    "pressure": "bar",
    "temperature": "K",
    "uptake": "mmol/g",
    "uptake_error": "± mmol/g",
    "uptake_mg_per_g": "mg/g",
    "molecules_per_cell": "molecules/cell",
    "heat_of_adsorption_kJ_per_mol": "heat kJ/mol",
    "heat_of_adsorption_error": "± kJ/mol",
    "charges": "charges",
}
"""Heading of each column that is shown."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of this command."""
    add_inputs(parser)
    parser.add_argument("--with", dest="method", choices=("gcmc",), required=True, help="how")
    parser.add_argument("--gas", choices=("CO2", "N2", "CH4"), default="CO2", help="default: CO2")
    parser.add_argument(
        "--pressure",
        type=float,
        action=Several,
        required=True,
        metavar="P",
        help="bar; one or several, as in --pressure 1 16",
    )
    parser.add_argument(
        "--temperature", type=float, default=298.0, metavar="T", help="K (default: 298)"
    )
    add_interactions(parser)
    add_length(parser)
    add_out_table(parser)
    parser.add_argument(
        "--resume", action="store_true", help="take over the finished crystals that stand in --out"
    )
    parser.add_argument(
        "--training-table",
        type=place_of,
        metavar="FILE.csv",
        help="also write one row a structure and one column a pressure, for atomlens train",
    )
    parser.add_argument(
        "--format", choices=("table", "json", "csv"), help="on stdout (default: table)"
    )
    add_common_arguments(parser)


def add_interactions(parser: argparse.ArgumentParser) -> None:
    """Declare what the simulation computes energies from."""
    group = parser.add_argument_group("interactions")
    group.add_argument(
        "--force-field",
        choices=("uff", "dreiding", "trappe-zeo"),
        default="uff",
        help="Lennard-Jones parameters of the crystal (default: uff)",
    )
    group.add_argument(
        "--charges",
        choices=("file", "none"),
        default="file",
        help="partial charges of the crystal: of the file (default; a file without them fails) "
        "or none",
    )
    group.add_argument("--cutoff", type=float, default=12.8, metavar="R", help="Å (default: 12.8)")
    group.add_argument(
        "--shifted", action="store_true", help="shift the potential to zero at the cutoff"
    )
    group.add_argument(
        "--tail-corrections", action="store_true", help="add what lies beyond the cutoff"
    )


def add_length(parser: argparse.ArgumentParser) -> None:
    """Declare how long the simulation runs."""
    group = parser.add_argument_group("length of the simulation")
    group.add_argument(
        "--cycles", type=int, default=5000, metavar="N", help="averaged over (default: 5000)"
    )
    group.add_argument(
        "--equilibration", type=int, default=2000, metavar="N", help="before (default: 2000)"
    )
    group.add_argument("--seed", type=int, default=0, metavar="N", help="default: 0")


def run(options: argparse.Namespace) -> int:
    """Simulate, print or write the rows, list the failures."""
    _check_outputs(options)
    from atomlens.labels import GcmcSettings, label_adsorption
    from atomlens.predictor.inputs.rows import read_atoms

    settings = GcmcSettings(
        temperature=options.temperature,
        cutoff=options.cutoff,
        shifted=options.shifted,
        tail_corrections=options.tail_corrections,
        equilibration=options.equilibration,
        cycles=options.cycles,
        seed=options.seed,
    )
    outputs = [options.out, options.training_table]
    items, _ = read_atoms(options.inputs, reading_options(options, leave_out=outputs))
    holding = nullcontext() if options.out is None else only_writer(options.out)
    with holding, ProgressLine("simulating", quiet=options.quiet) as progress:
        known = _known(options)
        labels = label_adsorption(
            items,
            options.pressure,
            gas=options.gas,
            force_field=options.force_field,
            charges=options.charges,
            settings=settings,
            progress=progress,
            finished=lambda records: _keep(records, known, options),
            known=known,
        )
        _keep(labels.records, known, options)
    _show(labels.records, len(labels.failures) < len(items), options)
    uncharged = options.charges == "none" and options.gas != "CH4"
    if uncharged and len(labels.failures) < len(items):
        say(
            f"warning: without the crystal's partial charges the uptake of {options.gas} is too low"
        )
    return exit_code(labels.failures, len(items))


def _check_outputs(options: argparse.Namespace) -> None:
    """Refuse names of files that cannot be written before hours of work."""
    check_table_name(options.out)
    table = options.training_table
    if table is not None and table.suffix != ".csv":
        raise SettingsError(f"--training-table {table}: the name must end with .csv.")
    if options.resume and options.out is None:
        raise SettingsError("--resume: name the file to go on with by --out.")
    if options.out is not None and options.out.exists() and not options.resume:
        raise SettingsError(
            f"--out {options.out}: this file exists. Go on with what is in it (--resume), or give "
            "another name."
        )


def _known(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Return the rows of an earlier run that is gone on with."""
    from atomlens.reports.tables import read_rows

    if not options.resume or not options.out.exists():
        return []
    rows = [row for row in read_rows(options.out) if not row.get("error")]
    say(f"{options.out} holds {len(rows)} finished rows; what fits is taken over.")
    return rows


def _keep(
    records: Sequence[dict[str, Any]],
    known: Sequence[dict[str, Any]],
    options: argparse.Namespace,
) -> None:
    """Write the rows found so far, so that stopping a long batch loses one crystal at most.

    Finished rows of an earlier run stay, those of other crystals and settings too.
    """
    from atomlens.labels import training_rows
    from atomlens.reports.tables import write_table

    if all("error" in record for record in records) and not known:
        return
    if options.out is not None:
        present = {_key(record) for record in records}
        rest = [row for row in known if _key(row) not in present]
        write_table([*records, *rest], options.out)
    if options.training_table is not None:
        write_table(training_rows(records, options.training_table.parent), options.training_table)


def _key(record: dict[str, Any]) -> tuple[str, ...]:
    """Return what two rows share only if they say the same."""
    names = ("name", "digest", "simulation", "gas", "pressure", "temperature")
    return tuple(str(record.get(name)) for name in names)


def _show(records: Sequence[dict[str, Any]], some: bool, options: argparse.Namespace) -> None:
    """Print the rows as wanted; ``some`` says whether any input succeeded."""
    from atomlens.reports.tables import format_table, to_csv, to_json

    if options.format == "json":
        emit(to_json(records))
    elif some and options.format == "csv":
        emit(to_csv(records))
    elif some and (options.format or options.out is None):
        good = [record for record in records if "error" not in record]
        shown = [{title: r[key] for key, title in _ON_THE_TERMINAL.items()} for r in good]
        emit(format_table(shown))
