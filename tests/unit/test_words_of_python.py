"""A message that names an option of the command line names what Python calls it, too."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import atomlens

ROOT = Path(atomlens.__file__).parent
OPTION = re.compile(r"(?<![\w`-])--([a-z][a-z-]+)")
FOR_TYPISTS = ("cli", "web", "__main__.py", "testing")
"""Rooms whose messages only those read who type commands, or ask for pages."""
OF_OTHERS = {"force-reinstall", "no-deps", "nproc-per-node", "head", "debug"}
"""Options of pip, torchrun and ray, and one that Python has no need of."""
KNOWN = {
    "training/loggers.py": {"log"},  # for Python a class, which the command makes
    "studies/controls.py": {"model", "shuffled"},  # begins the sentence about what was given
    "studies/base.py": {"chemiscope"},  # of the command alone
    "screening/expressions/parsing.py": {"where", "by"},  # begins the sentence about what was typed
    "screening/pipeline.py": {"by"},  # what such a sentence begins with
    "predictor/folder/card.py": {"out"},  # commands in the card, above the lines of Python
    "structures/options.py": {"strict"},  # behind a sentence: why it is an error
    "datasets/sampling.py": {"strict"},
    "predictor/prediction.py": {"strict"},
    "selection/space.py": {"search"},  # what was typed there
}


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the texts of a module that are no docstrings, with their lines."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    bare = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    inside: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            inside |= {id(part) for part in node.values}
            parts = (p.value if isinstance(p, ast.Constant) else "{}" for p in node.values)
            yield node.lineno, "".join(map(str, parts))
        elif id(node) not in inside | bare and isinstance(getattr(node, "value", None), str):
            yield node.lineno, node.value  # type: ignore[attr-defined]


def untold(text: str, known: set[str]) -> set[str]:
    """Return the options that a text names without a word of Python."""
    if "Python" in text or "on the command line" in text or "add_argument" in text:
        return set()
    return set(OPTION.findall(text)) - OF_OTHERS - known


def test_a_message_that_names_an_option_says_what_python_calls_it() -> None:
    found = []
    for path in sorted(ROOT.rglob("*.py")):
        place = path.relative_to(ROOT)
        if place.parts[0] not in FOR_TYPISTS:
            known = KNOWN.get(place.as_posix(), set())
            found += [
                f"{place}:{line}: --{option}"
                for line, text in texts(path)
                for option in sorted(untold(text, known))
            ]
    assert not found, "add (in Python ...): " + ", ".join(found)


def test_an_option_without_a_word_of_python_is_found() -> None:
    assert untold("leave --polymorphs out", set()) == {"polymorphs"}
    assert not untold("leave --polymorphs (in Python polymorphs) out", set())
    assert not untold("pip install --force-reinstall", set())
    module = ROOT / "training" / "remarks.py"
    assert any("--split" in text for _, text in texts(module)), "messages are looked at"
    assert not any("Yield a sentence" in text for _, text in texts(module)), "docstrings are not"
