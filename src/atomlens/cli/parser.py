"""The grammar of the command line. Imports nothing heavy, so that ``--help`` answers at once."""

import argparse
import re
import sys
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from importlib import import_module
from typing import Any, NoReturn

from atomlens.cli.common import Several
from atomlens.cli.guard import say, write_stderr, write_stdout
from atomlens.cli.reading import add_reading
from atomlens.errors import AtomlensError
from atomlens.printing import is_number, short
from atomlens.version import __version__
from atomlens.words import SETTING_WORDS

COMMANDS: tuple[str, ...] = (
    "demo",
    "train",
    "predict",
    "explain",
    "screen",
    "view",
    "evaluate",
    "cv",
    "tune",
    "study",
    "faithful",
    "label",
    "graph",
    "datasets",
    "models",
    "complete",
)
"""Every command, in the order of ``--help``. The module of the same name has SUMMARY, READS (how it
takes the options of reading; None: it reads nothing of the user's), ``add_arguments(parser)`` and
``run(options) -> int``."""

_EXAMPLES = """\
first steps:
  atomlens demo                                      the whole story in a few minutes
  atomlens train table.csv --target gap --out runs/gap
  atomlens predict runs/gap molecules/ "CCO" --out gaps.csv
  atomlens explain runs/gap molecules/ --out pages

An INPUT is a structure file, a folder, a glob, a SMILES or a formula.
Results go to stdout or --out; progress and warnings go to stderr.
Exit codes: 0 all good, 1 some inputs failed (listed), 2 nothing could be done.
"""


_LETTERS = {
    "o": "out",
    "f": "format",
    "m": "model",
    "t": "target",
    "n": "limit",
    "j": "workers",
    "s": "seed",
    "q": "quiet",
    "d": "device",
    "b": "batch-size",
    "e": "epochs",
}
"""Options by the letter that other programs give them."""
_LARGEST = 2**63
"""Numbers of options are smaller."""
_CLOSE = 0.7
"""How like an option a word must be to be taken for it: ``--sead``, not ``--target`` for strict."""


def _is_option(word: str) -> bool:
    """Say whether a word is an option, and no SMILES such as ``-C`` nor a number."""
    return re.match(r"--?[A-Za-z][\w-]*(=|$)", word) is not None


def _key(word: str) -> str:
    return word.lower().replace("-", "").replace("_", "")


class _Last(argparse._StoreAction):
    """An option of one value: the last that is typed holds, and an earlier other one is noted."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        super().__call__(parser, namespace, values, option_string)
        if self.option_strings and isinstance(parser, Parser):
            parser.typed.setdefault(self.option_strings[0], []).append(values)


def _as_written(kind: Callable[[str], Any]) -> Callable[[str], Any]:
    """Return a kind of number without ``1_0``, which is 10 to Python alone."""

    def read(text: str) -> Any:
        if "_" in text:
            raise ValueError(text)
        return kind(text)

    return read


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one sentence and offer the nearest known word."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.typed: dict[str, list[Any]] = {}
        """Values of each option of one value, in the order they were typed."""
        self.register("action", None, _Last)
        self.register("action", "store", _Last)
        for kind in (int, float):
            self.register("type", kind, _as_written(kind))

    def error(self, message: str) -> NoReturn:
        """Print one sentence to stderr and leave with 2."""
        message += self._hint(message)
        write_stderr(f"{self.prog}: {message}. See `{self.prog} --help`.\n")
        raise SystemExit(2)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse, with options anywhere among the arguments.

        A command refuses what it does not know itself, as it knows what is near.
        """
        words = self._one_value_each(sys.argv[1:] if args is None else list(args))
        words = self._with_minus(words)
        self._refuse_early_options(words)
        if not self._mixing:
            self.typed = {}
        found, strange = super().parse_known_args(words, namespace)
        if strange and not any(map(_is_option, strange)) and self._mixes(words):
            self._mixing, self.typed = True, {}
            try:
                found, strange = self.parse_known_intermixed_args(words, None)
            finally:
                self._mixing = False
        if strange and " " in self.prog and not self._mixing:
            if any(map(_is_option, strange)):
                self.error(f"unrecognized arguments: {' '.join(strange)}")
            taken = [str(a.metavar or a.dest) for a in self._get_positional_actions()]
            takes = f"takes {' and '.join(taken)} alone" if taken else "takes options alone"
            takes += self._repeatable(words, strange[0])
            self.error(f"{strange[0]!r} is one too many; {self.prog} {takes}")
        if not self._mixing:
            self._tell_overridden()
        return found, strange

    def _tell_overridden(self) -> None:
        """Say which values of options are not used, as the option was typed again."""
        for option, (*earlier, last) in self.typed.items():
            for value in dict.fromkeys(earlier):
                if value != last:
                    say(f"{option} {value} is not used: a later one says {last}.")

    def _repeatable(self, words: Sequence[str], strange: str) -> str:
        """Say how a second value of an option is given, if the strange word is one."""
        for option, _, word in zip(words, words[1:], words[2:], strict=False):
            action = self._option_string_actions.get(option)
            if word == strange and isinstance(action, argparse._AppendAction):
                return f"; for another {option[2:]} say {option} {word}"
        return ""

    _mixing = False

    def _one_value_each(self, words: list[str]) -> list[str]:
        """Return the words with each number behind an option of several in an option of its own.

        ``--pressure 1 16 mof.cif`` is ``--pressure=1 --pressure=16 mof.cif``: what follows the
        numbers is an argument again.
        """
        several = [
            option
            for option, action in self._option_string_actions.items()
            if isinstance(action, Several)
        ]
        spread: list[str] = []
        option = ""
        for place, word in enumerate(words):
            if word == "--":
                return [*spread, *words[place:]]
            if option and is_number(word):
                if spread[-1] == option:
                    spread.pop()
                spread.append(f"{option}={word}")
                continue
            option, equals, _ = word.partition("=")
            meant = [o for o in self._option_string_actions if o.startswith(option)]
            if option.startswith("--") and len(meant) == 1:
                option = meant[0]
                word = option if not equals else word
            option = option if option in several else ""
            spread.append(word)
        return spread

    def _with_minus(self, words: Sequence[str]) -> list[str]:
        """Return the words with an expression that begins with a minus behind its option.

        ``--by -gap`` is ``--by=-gap``, which argparse takes for two options.
        """
        joined: list[str] = []
        for word in words:
            action = self._option_string_actions.get(joined[-1]) if joined else None
            if action is not None and action.metavar == "EXPR" and re.match("-[^-]", word):
                joined[-1] += f"={word}"
            else:
                joined.append(word)
        return joined

    def _mixes(self, words: Sequence[str]) -> bool:
        """Say whether arguments may go on behind an option: where no action has its own grammar."""
        return not (
            self._mixing
            or "--" in words
            or any(action.nargs == argparse.PARSER for action in self._get_positional_actions())
        )

    def _refuse_early_options(self, words: Sequence[str]) -> None:
        """Refuse options of an action that stand before it."""
        actions = next((a for a in self._actions if a.nargs == argparse.PARSER), None)
        if actions is None or not words or not _is_option(words[0]):
            return
        first = words[0].partition("=")[0]
        known = [o for o in self._option_string_actions if o.startswith(first)]
        named = next((w for w in words if w in (actions.choices or ())), None)
        if not known and named is not None:
            self.error(
                f"{first}: options stand behind the command: {self.prog} {named} ... {first}"
            )

    def _hint(self, message: str) -> str:
        """Return the nearest known option for one that does not exist."""
        strange = re.findall(r"(?<!\S)--?[A-Za-z][\w-]*", message.partition("arguments:")[2])
        if not strange:
            return ""
        word = strange[0].lstrip("-")
        has_settings = "--set" in self._option_string_actions
        if has_settings and _key(word) in SETTING_WORDS:
            return f"; did you mean --set {SETTING_WORDS[_key(word)]}=VALUE"
        known = [
            option.lstrip("-")
            for option, action in self._option_string_actions.items()
            if action.help != argparse.SUPPRESS and option.startswith("--")
        ]
        if word in _LETTERS and _LETTERS[word] in known:
            return f"; did you mean --{_LETTERS[word]}"
        close = get_close_matches(word, known, n=1, cutoff=_CLOSE)
        if close:
            return f"; did you mean --{close[0]}"
        settings = get_close_matches(_key(word), SETTING_WORDS, n=1, cutoff=_CLOSE)
        if has_settings and settings:
            return f"; did you mean --set {SETTING_WORDS[settings[0]]}=VALUE"
        return ""

    def _print_message(self, message: str, file: Any = None) -> None:
        """Print a help or a version; a place that takes nothing is told, as of any result."""
        if file is sys.stdout:
            write_stdout(message)
        else:
            super()._print_message(message, file)

    def _get_value(self, action: argparse.Action, arg_string: str) -> Any:
        """Return the value of an argument; say plainly what is no number, or one beyond all use."""
        try:
            value = super()._get_value(action, arg_string)
        except AtomlensError as problem:
            raise argparse.ArgumentError(action, str(problem).rstrip(".")) from None
        except argparse.ArgumentError:
            if action.type not in (int, float):
                raise
            kind = "whole number" if action.type is int else "number"
            raise argparse.ArgumentError(action, f"{short(arg_string)} is no {kind}") from None
        if isinstance(value, int | float) and not -_LARGEST < value < _LARGEST:
            words = "too large" if value == value else "no number"
            raise argparse.ArgumentError(action, f"{short(arg_string)} is {words}")
        return value

    def _check_value(self, action: argparse.Action, value: object) -> None:
        if action.choices is None or value in action.choices:
            return
        known = [str(choice) for choice in action.choices]
        close = get_close_matches(str(value), known, n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        message = f"there is no {value!r} here; {hint}choose from {', '.join(known)}"
        raise argparse.ArgumentError(action, message)


def as_options(words: Sequence[str]) -> list[str]:
    """Return what was typed, with ``help``, ``help COMMAND`` and ``version`` as the options."""
    first, *rest = words or [""]
    if first == "help":
        return [*rest, "--help"]
    return ["--version"] if first == "version" and not rest else list(words)


def build_parser(words: Sequence[str] | None = None) -> Parser:
    """Return the parser of the command line.

    Args:
        words: What was typed. If it begins with a command, no other is imported, and of the others
            only the name is known; if not, of all commands only what ``--help`` shows. None: all of
            everything.
    """
    first = words[0] if words else ""
    chosen = first if first in COMMANDS else None
    parser = Parser(
        prog="atomlens",
        description="Learn a property from structures or formulas, say how sure the answer is,\n"
        "and show which atoms it rests on.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"atomlens {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    for name in COMMANDS:
        if chosen not in (None, name):
            commands.add_parser(name)
            continue
        module = import_module(f"atomlens.cli.{name}")
        command = commands.add_parser(
            name,
            help=module.SUMMARY,
            description=module.DESCRIPTION,
            epilog=module.EXAMPLES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        if words is None or chosen:
            if module.READS is not None:
                add_reading(command, module.READS)
            module.add_arguments(command)
        command.set_defaults(run=module.run)
    return parser
