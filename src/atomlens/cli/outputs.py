"""Where results go, and which exit code they call for."""

import argparse
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from atomlens.cli.guard import check_stdout, say, write_stderr, write_stdout
from atomlens.errors import Failure, SettingsError
from atomlens.files import TABLE_SUFFIXES, make_folder, place_of
from atomlens.printing import file_stem, printable

_FILES = ("out", "plot", "embedding", "chemiscope", "training_table")
"""Options that may name a file to write, of any command."""


def emit(text: str) -> None:
    """Write a result to stdout, without what a terminal would obey."""
    write_stdout(printable(text if text.endswith("\n") else f"{text}\n"))


def check_folder(path: Path | None) -> None:
    """Refuse a folder for results that cannot be one, before any work is done.

    Raises:
        SettingsError: it is a file, or the folder of a trained model.
    """
    if path is None:
        return
    if path.exists() and not path.is_dir():
        raise SettingsError(f"--out {path}: this is a file, a folder is needed. Give another name.")
    if _is_model(path):
        raise SettingsError(
            f"--out {path}: this is the folder of a trained model, whose files would be "
            "overwritten. Give another folder."
        )


def usable_folder(path: Path) -> Path:
    """Return a folder for results, made if need be."""
    check_folder(path)
    return make_folder(path)


def _is_model(folder: Path) -> bool:
    from atomlens.predictor.folder import SETTINGS, weights_place

    return (folder / SETTINGS).is_file() and weights_place(folder).is_file()


def default_folder(*words: str) -> Path:
    """Return the folder of a run that was given none, whatever its data and targets are called."""
    return Path("runs") / file_stem("-".join(word.replace("/", "_") for word in words))


def add_out_table(parser: argparse.ArgumentParser) -> None:
    """Add ``--out FILE``, which takes all results unless ``--format`` asks to print them too."""
    parser.add_argument(
        "--out", type=place_of, metavar="FILE", help=f"write here: {', '.join(TABLE_SUFFIXES)}"
    )
    parser.set_defaults(out_is_all=True)


def check_table_name(out: Path | None) -> None:
    """Refuse an output whose name is none of a table.

    Raises:
        SettingsError: it is none.
    """
    if out is not None and out.suffix not in TABLE_SUFFIXES:
        raise SettingsError(
            f"--out {out}: the name must end with one of {', '.join(TABLE_SUFFIXES)}."
        )


def refuse_to_overwrite(out: Path, inputs: Sequence[str]) -> None:
    """Refuse an output that is one of the inputs, before any work is done.

    Raises:
        SettingsError: it is, or it is a file of a trained model.
    """
    from atomlens.predictor.folder import is_file_of_model

    if _is_model(out.parent) and is_file_of_model(out.name):
        raise SettingsError(
            f"--out {out}: this is a file of a trained model; give the output another name."
        )
    for one in inputs:
        path = place_of(one)
        if path.is_file() and out.exists() and path.samefile(out):
            raise SettingsError(f"--out {out}: this is an input; give the output another name.")


def check_results_have_a_place(options: argparse.Namespace) -> None:
    """Refuse a standard output that takes nothing, if results of a command go there.

    Where they go to one file alone, as by ``predict --out FILE``, nothing is printed.

    Raises:
        SettingsError: it is closed, or where it goes is full.
    """
    given = vars(options)
    out = given.get("out")
    in_one_file = given.get("out_is_all", False) and out is not None and not given.get("format")
    if not in_one_file:
        check_stdout()


@contextmanager
def replaced_files_told(options: argparse.Namespace) -> Iterator[None]:
    """Refuse files to write that are inputs; say in the end which of them replaced another."""
    given = vars(options)
    inputs = [one for one in (*(given.get("inputs") or ()), given.get("data")) if one]
    outs = [out for name in _FILES if (out := given.get(name)) is not None and not out.is_dir()]
    for out in outs:
        refuse_to_overwrite(out, inputs)
    before = {out: _file_at(out) for out in outs}
    yield
    for out, old in before.items():
        if old and _file_at(out) != old and not given.get("quiet") and not given.get("resume"):
            say(f"{out} stood there and was replaced.")


@contextmanager
def empty_folders_removed(options: argparse.Namespace) -> Iterator[None]:
    """Take away the folders of ``--out`` that a command made, and in the end had nothing for."""
    out = vars(options).get("out")
    missing = [] if out is None else [p for p in (out, *out.parents) if not os.path.exists(p)]
    try:
        yield
    finally:
        for place in missing:
            with suppress(OSError):  # it holds something, is a file, or was never made
                place.rmdir()


def _file_at(path: Path) -> tuple[int, ...]:
    """Return what is another where a file was written anew; nothing where there is none."""
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_ino, found.st_mtime_ns, found.st_size


def tell_unfinished(model: str) -> None:
    """Say that the training of a model was stopped and could go on."""
    from atomlens.predictor.folder import TRAINING

    if (Path(model) / TRAINING).is_dir():
        say(
            f"{model}: the training of this model was stopped before its end; this is the best "
            "model until then. Go on with its command and --resume."
        )


def exit_code(failures: Sequence[Failure], n_inputs: int) -> int:
    """List the inputs that failed on stderr and return the exit code that this calls for."""
    if not failures:
        return 0
    lines = [f"{failure_sentence(f)}" for f in failures]
    if len(lines) == n_inputs == 1:
        say(lines[0])
    else:
        say(f"{len(lines)} of {n_inputs} inputs could not be used:")
        for line in lines:
            write_stderr(f"  {printable(line)}\n")
    return 2 if len(lines) >= n_inputs else 1


def failure_sentence(failure: Failure) -> str:
    """Return the name and the reason; most reasons name their input already."""
    if failure.name in failure.message:
        return failure.message
    return f"{failure.name}: {failure.message}"
