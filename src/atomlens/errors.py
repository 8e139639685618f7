"""Errors of atomlens.

    AtomlensError
    ├── StructureError          a file, SMILES or formula that is not a usable structure
    ├── GraphError              a structure from which no graph can be built
    ├── DatasetError            a data set that is missing, damaged or lacks a target
    │   └── MissingTargetError  a data set without some of the targets that were asked for
    ├── SettingsError           a setting that does not exist or has an impossible value
    │   └── WriteError          a place that cannot be written to; an OSError, too
    ├── ModelError              a model folder or checkpoint that cannot be used
    ├── TrainingError           a training that cannot start or go on
    ├── ExplanationError        an explanation that this model or structure does not admit
    ├── StudyError              a study without the models or structures that it needs
    ├── LabelError              a structure for which a simulation cannot give a label
    └── MissingDependencyError  an optional package that is not installed
    KeyboardInterrupt
    └── TrainingStopped         Ctrl-C during a training whose state is kept

Every message names the input, says what is wrong and what to do. The command line prints
the message alone and exits with 2; a traceback means a bug.
"""

import sys
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches

from atomlens.printing import LONGEST_MESSAGE, clean_name, cut, one_line, shown

_MOST_NAMES, _LONGEST_NAME = 40, 60
"""So many names are listed in a message, each no longer than this."""


class AtomlensError(Exception):
    """Base class of every error that atomlens raises on purpose."""

    def __init__(self, message: str = "") -> None:
        said = " ".join(str(message).split())  # first, as blanks alone may fill the room
        super().__init__(cut(one_line(said[: 2 * LONGEST_MESSAGE]), LONGEST_MESSAGE))


class StructureError(AtomlensError):
    """A file, SMILES or formula that is not a usable structure."""


class GraphError(AtomlensError):
    """A structure from which no graph can be built."""


class DatasetError(AtomlensError):
    """A data set that is missing, damaged or lacks a target."""


class MissingTargetError(DatasetError):
    """A data set without some of the targets that were asked for."""

    def __init__(self, where: str, missing: Sequence[str], known: Iterable[object]) -> None:
        self.missing = tuple(missing)
        """All of them, as they were asked for."""
        self.known = tuple(map(str, known))
        """The targets that it has."""
        said = unknown_name("target column", missing[0], self.known)
        super().__init__(f"{where}: {said}")


class SettingsError(AtomlensError):
    """A setting that does not exist or has an impossible value."""


class WriteError(SettingsError, OSError):
    """A place that cannot be written to, or not to the end; an OSError with its number, too."""

    def __init__(self, message: str = "", problem: OSError | None = None) -> None:
        super().__init__(message)
        if problem is not None:
            self.errno, self.strerror = problem.errno, problem.strerror

    def __str__(self) -> str:
        """Return the sentence: what OSError makes of a number is none."""
        return str(self.args[0])


class ModelError(AtomlensError):
    """A model folder or checkpoint that cannot be used."""


class ForeignModelError(ModelError):
    """A trained model whose class is that of another package, which is not imported."""


class TrainingError(AtomlensError):
    """A training that cannot start or go on."""


class TrainingStopped(KeyboardInterrupt):
    """Ctrl-C during a training whose state is kept; says how to go on.

    It is Ctrl-C as Python knows it and no `AtomlensError`: a loop over trainings that goes on after
    an ``except Exception`` shall end.
    """


class ExplanationError(AtomlensError):
    """An explanation that this model or structure does not admit."""


class StudyError(AtomlensError):
    """A study without the models or structures that it needs."""


class StudySettingsError(StudyError, SettingsError):
    """A setting of a study is impossible."""


class LabelError(AtomlensError):
    """A structure for which a simulation cannot give a label."""


class MissingDependencyError(AtomlensError):
    """An optional package that is not installed."""


def missing_package(
    what: str, package: str, extra: str, otherwise: str = ""
) -> MissingDependencyError:
    """Return the error for an optional package that is not installed.

    Args:
        what: What needs it; begins the sentence.
        package: As pip calls it.
        extra: The group of pyproject.toml that brings it in a version that is known to work.
        otherwise: How to go on without it.
    """
    ways = f"; or {otherwise}" if otherwise else ""
    return MissingDependencyError(
        f'{what} needs the package {package}; install it with: pip install "atomlens[{extra}]"'
        f"{ways}."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One input that could not be used, kept so that nothing is dropped without a word."""

    name: str
    """What the user called it: file name, SMILES, formula or row."""
    message: str
    """One sentence: what is wrong and what to do."""
    source: str = field(default="", compare=False)
    """Path of the file, or text, that it came from; empty if unknown."""

    def to_dict(self) -> dict[str, str]:
        """Return what is kept of it in files: name and message."""
        return {"name": self.name, "message": self.message}

    def __post_init__(self) -> None:
        """Make both fit to be shown: names and messages hold what strangers' files say."""
        object.__setattr__(self, "name", clean_name(self.name))
        message = cut(one_line(self.message[: 2 * LONGEST_MESSAGE]), LONGEST_MESSAGE)
        object.__setattr__(self, "message", message)
        object.__setattr__(self, "source", one_line(self.source[:LONGEST_MESSAGE]))


def unknown_name(kind: str, name: object, known: Iterable[object]) -> str:
    """Return a sentence for a name that does not exist, offering the nearest known one."""
    names = sorted(cut(one_line(str(one)), _LONGEST_NAME) for one in known)
    asked = cut(one_line(name), _LONGEST_NAME) if isinstance(name, str) else shown(name)
    close = get_close_matches(asked, names[:500], n=1)
    if not close and len(asked) > 2:  # gap is not like band_gap, letter by letter
        close = [one for one in names if asked.lower() in one.lower()]
    hint = f" Did you mean {close[0]!r}?" if close else ""
    if isinstance(name, str) and close and asked == close[0]:  # blanks alone tell them apart
        asked = name
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    listed = ", ".join(names[:_MOST_NAMES])
    called = repr(asked) if isinstance(name, str) else asked
    if not names:
        return f"There is no {kind} {called}, nor any other."
    return f"There is no {kind} {called}.{hint} Known: {listed}{more}."


_BETWEEN = frozenset((__name__.partition(".")[0], "contextlib", "concurrent", "threading"))
"""Packages whose lines stand between a user's line and a warning."""


def first_of(failures: "Sequence[Failure]") -> str:
    """Return what the first of some failures says, and how many more there are."""
    more = f" (and {len(failures) - 1} more)" if len(failures) > 1 else ""
    return f"{failures[0].message}{more}"


def warn(text: "str | Warning", category: type[Warning] = UserWarning) -> None:
    """Warn as of the line outside of this package from which it was called: the user's."""
    level, frame = 2, sys._getframe(1)
    while frame.f_back is not None and _package_of(frame.f_globals) in _BETWEEN:
        level, frame = level + 1, frame.f_back
    warnings.warn(text, category, stacklevel=level)


def _package_of(names: "dict[str, object]") -> str:
    return str(names.get("__name__", "")).partition(".")[0]
