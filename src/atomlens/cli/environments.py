"""``atomlens explain --by environment``: mean scores of the local environments of all inputs."""

import argparse
from dataclasses import replace

from atomlens.cli.common import load_model, tell_first_target
from atomlens.cli.outputs import emit, exit_code, usable_folder
from atomlens.cli.progress import ProgressLine
from atomlens.cli.study import load_inputs, report
from atomlens.errors import SettingsError
from atomlens.studies.answering import answer
from atomlens.studies.base import StudyInput
from atomlens.studies.environments.study import Environments, EnvironmentSettings


def by_environment(options: argparse.Namespace) -> int:
    """Average the scores of each local environment over all inputs, write tables and a figure."""
    if options.limit is not None and options.limit < 1:
        raise SettingsError(f"--limit {options.limit}: it must be 1 or more.")
    options.seed = options.seed or 0
    settings = EnvironmentSettings(
        method=options.method or "",
        target=options.target or "",
        least=5 if options.least is None else options.least,
        seed=options.seed,
    )
    study, model = Environments(settings), load_model(options.model)
    tell_first_target(model, options.target)
    folder = usable_folder(options.out)
    data, left_out = load_inputs(study, options, (model,))
    with ProgressLine("explaining", quiet=options.quiet) as progress:
        result = answer(
            study, StudyInput(models=(model,), data=data, left_out=left_out, progress=progress)
        )
    result.save(folder)
    study.draw(result, folder)
    emit(report(replace(result, effects=()), folder))
    n_given = len(data) + len(data.failures)
    return exit_code(result.failures, max(n_given, len(result.failures) + 1))
