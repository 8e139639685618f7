"""``atomlens explain --method counterfactual``: what one exchange does to a prediction."""

import argparse
from dataclasses import replace

from atomlens.cli.common import load_model, refuse_models, tell_first_target
from atomlens.cli.outputs import emit, exit_code, usable_folder
from atomlens.cli.progress import ProgressLine
from atomlens.cli.reading import reading_options
from atomlens.errors import AtomlensError, Failure, SettingsError
from atomlens.files import unique_stems
from atomlens.predictor.inputs import gather
from atomlens.predictor.inputs.rows import read_rows
from atomlens.predictor.reading import inputs_reading
from atomlens.predictor.tables import need_sources
from atomlens.reports.tables import format_table
from atomlens.reports.wording import value_with_error
from atomlens.screening.counterfactuals import (
    counterfactual_lines,
    counterfactuals,
    write_counterfactuals,
)
from atomlens.units import unit_text


def by_counterfactuals(options: argparse.Namespace) -> int:
    """Exchange atoms, groups, sites or elements of every input, write ranked tables and pages."""
    model = load_model(options.model)
    refuse_models(options.inputs, "explain")
    tell_first_target(model, options.target)
    folder = usable_folder(options.out)
    reading = reading_options(options, leave_out=[folder], n_workers=options.workers)
    given = read_rows(options.inputs, inputs_reading(model, options.inputs, reading))
    found, failures = [], []
    with ProgressLine("exchanging", quiet=options.quiet) as progress:
        for done, row in enumerate(given, start=1):
            item = row.item
            if isinstance(item, Failure):
                failures.append(item)
                continue
            try:
                own = counterfactuals(model, item, target=options.target, past=options.past)
                found.append(replace(own, source=row.source))
            except SettingsError:
                raise
            except AtomlensError as error:
                failures.append(Failure(name=gather(item).names[0], message=str(error)))
            progress(done, len(given))
    with_source = need_sources([f.name for f in found], [f.source for f in found])
    stems = unique_stems([f.name for f in found], taken=("index",))
    for stem, own in zip(stems, found, strict=True):
        written = write_counterfactuals(own, model, folder, stem)
        unit = f" {unit_text(own.unit)}".rstrip()
        start = value_with_error(own.start, own.std)
        called = f"{own.name} ({own.source})" if with_source else own.name
        emit(f"{called}: {own.target} = {start}{unit}; {own.n_tried} exchanges were tried.")
        if own.found:
            emit(format_table(counterfactual_lines(own)))
        else:
            emit(f"None of them moves the prediction past {own.past:g}{unit}.")
        emit(" ".join(own.notes))
        emit(f"Written: {', '.join(str(path) for path in written)}")
    return exit_code(failures, len(given))
