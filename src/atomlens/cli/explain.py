"""``atomlens explain``: which atoms a prediction rests on, as pages, pictures and numbers."""

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from atomlens.cli.common import (
    add_chemiscope,
    add_common_arguments,
    add_model_and_inputs,
    add_out_folder,
    add_speed,
    load_model,
    refuse_models,
    tell_first_target,
    tell_idle_speed,
)
from atomlens.cli.guard import say
from atomlens.cli.outputs import emit, exit_code, tell_unfinished, usable_folder
from atomlens.cli.progress import ProgressLine
from atomlens.cli.reading import Reads, reading_options
from atomlens.errors import AtomlensError, Failure, SettingsError, unknown_name
from atomlens.explain import EXPLAINERS

if TYPE_CHECKING:
    from ase import Atoms

    from atomlens.explain import Explanation
    from atomlens.predictor import Predictor
    from atomlens.structures.arrays import Structure

SUMMARY = "show which atoms a prediction rests on"
DESCRIPTION = """\
Explain predictions atom by atom. Writes for every input NAME.html (a page that works
without a network), NAME.png, NAME.extxyz (column `contribution` or `attention`) and NAME.json,
atoms.csv with all atoms of all inputs, and an index.html when there are several. Ordered models
and conformers of one structure (--disorder enumerate, --conformers) are explained one by one."""
EXAMPLES = """\
examples:
  atomlens explain qm9 CCO --out pages --target homo
  atomlens explain runs/homo thymine.xyz --out pages
  atomlens explain qm9 "CC(=O)O" --draw 2d --out pages
  atomlens explain runs/homo "molecules/*.xyz" "CC(=C)C(C)=C" --out pages

Contributions are the terms whose sum the prediction is: signed, in its unit. Attention says
where the model looks; it does not say what would change without that atom, and it can be
compared inside one structure only.
"""

READS = Reads()
COUNTERFACTUAL = "counterfactual"
"""No scores of atoms, hence no entry of ``EXPLAINERS``."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of this command."""
    add_model_and_inputs(parser)
    add_out_folder(parser, required=True, help_text="folder to write")
    parser.add_argument(
        "--method",
        metavar="M",
        help=f"{', '.join(EXPLAINERS)} (default: contribution, attention or occlusion, the first "
        "that the model has); counterfactual: what one exchange of an atom, group, site or element "
        "does to the prediction",
    )
    parser.add_argument(
        "--past",
        type=float,
        metavar="VALUE",
        help="of counterfactual: only changes that move the prediction past it, the smallest first",
    )
    parser.add_argument(
        "--draw",
        choices=("3d", "2d"),
        default="3d",
        help="2d: also write NAME.svg, a drawing of each molecule given as SMILES, MOL or SDF, "
        "hydrogens folded into their atoms",
    )
    parser.add_argument(
        "--by",
        choices=("atom", "environment"),
        default="atom",
        help="environment: over all inputs the mean of each local environment, with intervals",
    )
    parser.add_argument("--target", metavar="T", help="which property, if the model has several")
    parser.add_argument(
        "--at", type=float, metavar="X", help="of a spectrum: the energy (default: its mean)"
    )
    parser.add_argument(
        "--index-only",
        action="store_true",
        help="of several inputs write no page of their own; index.html shows them all",
    )
    parser.add_argument(
        "--limit", type=int, metavar="N", help="with --by environment: draw so many structures"
    )
    parser.add_argument(
        "--least",
        type=int,
        metavar="N",
        help="with --by environment: leave out those that fewer structures have (default 5)",
    )
    parser.add_argument("--seed", type=int, metavar="N", help="draws them (default 0)")
    parser.add_argument(
        "--all", action="store_true", help="of --by environment: use also what was trained on"
    )
    add_chemiscope(parser)
    add_speed(parser, batches=False)
    add_common_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Explain every input, write its files, print a table."""
    refuse_idle(options)
    if options.method == COUNTERFACTUAL:
        from atomlens.cli.counterfactuals import by_counterfactuals

        return by_counterfactuals(options)
    if options.method is not None and options.method not in EXPLAINERS:
        message = unknown_name("explanation method", options.method, EXPLAINERS)
        raise SettingsError(f"--method: {message}")
    if options.by == "environment":
        from atomlens.cli.environments import by_environment

        return by_environment(options)
    from atomlens.machine import choose_device
    from atomlens.predictor.explanation_files import MOST_IN_INDEX, ExplanationWriter
    from atomlens.predictor.inputs.rows import stream_rows
    from atomlens.predictor.reading import inputs_reading
    from atomlens.predictor.tables import need_sources
    from atomlens.predictor.trust.doubts import about_cut_shells
    from atomlens.reports.tables import format_table

    if options.chemiscope is not None:
        from atomlens.reports.chemiscope_file import check_map

        check_map(options.chemiscope)
    choose_device(options.device)
    model = load_model(options.model)
    refuse_models(options.inputs, "explain")
    tell_idle_speed(model, options)
    tell_first_target(model, options.target)
    folder = usable_folder(options.out)
    tell_unfinished(options.model)
    writer = ExplanationWriter(
        folder,
        single_pages=not options.index_only,
        drawings=options.draw == "2d",
        inputs=files_inside(folder, options.inputs),
    )
    tell_among_inputs(folder, options.inputs)
    reading = reading_options(options, leave_out=[folder], n_workers=options.workers)
    found = stream_rows(options.inputs, inputs_reading(model, options.inputs, reading))
    failures: list[Failure] = []
    kept: list[Explanation] = []
    rows: list[dict[str, str]] = []
    sources: list[str] = []
    doubts: list[str] = []
    n = n_cut = 0
    with ProgressLine("explaining", quiet=options.quiet) as progress:
        for row in (row for together in found for row in together):
            n += 1
            one = explained(model, row.item, options, row.cells)
            if isinstance(one, Failure):
                failures.append(one)
            else:
                one = replace(one, source=row.source)
                writer.add(one)
                rows += explanation_rows([one])
                sources.append(one.source)
                # the reader's were told when it was read
                doubt = "; ".join(one.doubts.beside("cut shell"))
                n_cut += bool(one.doubts.about("cut shell"))
                doubts += [f"warning: {one.name}: {doubt}"] if doubt else []
                kept += [one] if options.chemiscope is not None else []
            progress.count(n)
    if options.index_only and n == 1:
        say("--index-only is for several inputs; this one has a page of its own.")
    if rows:
        writer.finish()
        tell_undrawn(writer.undrawn)
        if options.chemiscope is not None:
            from atomlens.predictor.maps import write_explained_map

            write_explained_map(model, kept, options.chemiscope)
        shown = rows
        if need_sources([row["name"] for row in rows], sources):
            both = zip(rows, sources, strict=True)
            shown = [{"name": row["name"], "source": source} | row for row, source in both]
        columns = list(dict.fromkeys(name for row in shown for name in row))
        emit(format_table([{name: row.get(name, "") for name in columns} for row in shown]))
        first = "index" if len(rows) > 1 else writer.names[0]
        most = f" It shows the first {MOST_IN_INDEX} of {len(rows)}."
        emit(f"Open {folder / first}.html in a browser.{most if len(rows) > MOST_IN_INDEX else ''}")
        for sentence in doubts:
            say(sentence)
        if n_cut:
            say(f"warning: {about_cut_shells(n_cut)}")
    return exit_code(failures, n)


def files_inside(folder: Path, inputs: Sequence[str]) -> set[Path]:
    """Return the inputs that are files in a folder, which nothing may take the place of."""
    paths = [Path(one).expanduser() for one in inputs if "\0" not in one]
    own = folder.resolve()
    return {p.resolve() for p in paths if os.path.isfile(p) and p.resolve().parent == own}


def tell_among_inputs(folder: Path, inputs: Sequence[str]) -> None:
    """Say that the structures written into a folder of inputs will be inputs of later runs."""
    place = folder.resolve()
    for one in inputs:
        path = Path(one).expanduser() if "\0" not in one else None
        if path is not None and os.path.isdir(path) and place.is_relative_to(path.resolve()):
            say(
                f"{folder} lies in the folder of inputs {one}: a later run over it also reads the "
                "structures that are written there (NAME.extxyz); give a folder outside of it."
            )
            return


def refuse_idle(options: argparse.Namespace) -> None:
    """Refuse options that have no part in what is asked for.

    Raises:
        SettingsError: there is one.
    """
    given = {
        "--limit": options.limit is not None,
        "--least": options.least is not None,
        "--seed": options.seed is not None,
        "--all": options.all,
        "--at": options.at is not None,
        "--by": options.by != "atom",
        "--draw": options.draw != "3d",
        "--chemiscope": options.chemiscope is not None,
        "--index-only": options.index_only,
        "--past": options.past is not None,
        "--workers": options.workers != 0,
        "--device": options.device != "auto",
    }
    if options.method == COUNTERFACTUAL:
        what, taken = "--method counterfactual", {"--past", "--workers"}
    elif options.by == "environment":
        what, taken = "--by environment", {"--by", "--limit", "--least", "--seed", "--all"}
    else:
        what = ""
        taken = {"--at", "--by", "--draw", "--chemiscope", "--index-only", "--workers", "--device"}
    for name in (name for name, is_given in given.items() if is_given and name not in taken):
        if what:
            raise SettingsError(f"{name} does not go with {what}; leave it out.")
        owner = "--method counterfactual" if name == "--past" else "--by environment"
        raise SettingsError(f"{name}: it belongs to {owner}; leave it out.")


def tell_undrawn(sentences: Sequence[str]) -> None:
    """Say which structures have no drawing, and why, of the first five."""
    for sentence in sentences[:5]:
        say(sentence)
    if len(sentences) > 5:
        say(f"and {len(sentences) - 5} more have no drawing")


def explained(
    model: "Predictor",
    item: "Atoms | Structure | Failure",
    options: argparse.Namespace,
    cells: "Mapping[str, Any]",
) -> "Explanation | Failure":
    """Explain a structure; one that cannot be explained becomes a failure.

    ``cells`` are those of the table that the structure came from; they go with it.
    """
    from atomlens.predictor.explaining import explain_one
    from atomlens.predictor.inputs import gather

    if isinstance(item, Failure):
        return item
    try:
        explanation = explain_one(
            model,
            item,
            method=options.method,
            target=options.target,
            at=options.at,
            device=options.device,
        )
    except SettingsError:
        raise
    except AtomlensError as error:
        return Failure(name=gather(item).names[0], message=str(error))
    taken = {*explanation.atoms.info, *explanation.fact_names()}
    explanation.atoms.info.update(
        {(f"{k}_input" if k in taken else k): v for k, v in cells.items()}
    )
    return explanation


def explanation_rows(explanations: "Sequence[Explanation]") -> list[dict[str, str]]:
    """Return name, prediction with error, and the atoms with the largest scores."""
    from atomlens.reports.wording import prediction_text

    return [
        {
            "name": e.name,
            e.target: prediction_text(e.picture()),
            _largest(e): leading_atoms(e),
            **({"seen_in": e.seen} if e.seen else {}),
        }
        for e in explanations
    ]


def _largest(explanation: "Explanation") -> str:
    """Return the heading over the atoms with the largest scores, with the unit of these."""
    if explanation.method == "attention":
        return "largest shares"
    unit = explanation.score_unit
    return f"largest scores ({unit})" if unit else "largest scores"


def leading_atoms(explanation: "Explanation", n: int = 3) -> str:
    """Return the atoms with the largest scores, such as ``O7 0.211, C3 (×6) 0.154``.

    Atoms of one element whose scores read alike, as equal sites of a crystal do, are one entry
    that names the first of them. Atoms of a formula have no numbers: ``O (×3) 0.178``.
    """
    from atomlens.reports.wording import number, top_atoms

    symbols, scores = explanation.atoms.get_chemical_symbols(), explanation.scores
    alike: dict[tuple[str, str], list[int]] = {}
    for i in top_atoms(scores, len(symbols), explanation.baseline):
        alike.setdefault((symbols[i], number(scores[i])), []).append(i)
    bare, entries = bool(explanation.atoms.info.get("is_formula")), []
    for (symbol, score), atoms in list(alike.items())[:n]:
        times = f" (×{len(atoms)})" if len(atoms) > 1 else ""
        entries.append(f"{symbol}{'' if bare else min(atoms)}{times} {score}")
    return ", ".join(entries)
