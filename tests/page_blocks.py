"""The blocks of code in the pages of the documentation, and what the pages say of running them.

A page may say why a block is not run, in a comment that readers do not see::

    <!-- not run: it trains for an hour -->            the next block
    <!-- not run, models verify: it takes minutes -->  lines of the next block that say this
    <!-- not run on this page: REASON -->              every console block from here on
"""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
_MARK = re.compile(r"<!-- not run(?P<page> on this page)?(?:, (?P<lines>[^:]+))?: (?P<why>.+?) -->")
SYNOPSIS = r"\[-|\[\w+\.\.\.|COMMAND| \| |\w\|\w"
_PROGRAMS = {"atomlens", "python", "pip", "make", "git", "curl", "ssh", "torchrun", "srun"}


@dataclass(frozen=True, kw_only=True)
class Block:
    """One block of code."""

    page: Path
    line: int
    kind: str
    """The language of a fence; of indented ones console, python, sh or text."""
    text: str
    not_run: str = ""
    """Why the tests do not run it; empty if they do."""
    left_out: str = ""
    """Of a console block that is run: lines that hold this are not."""

    @property
    def name(self) -> str:
        """Page and line, as an editor opens them."""
        return f"{self.page.relative_to(ROOT).as_posix()}:{self.line}"

    @property
    def commands(self) -> list[str]:
        """Return the commands of a console block or script, continued lines joined."""
        text = re.sub(r"\s*\\\n\s*", " ", self.text)
        lines = (_without_remark(line) for line in text.splitlines())
        return [line for line in lines if line and line.split()[0] in _PROGRAMS]

    @property
    def is_synopsis(self) -> bool:
        """Return whether it shows a grammar, with options in brackets, instead of commands."""
        return self.kind == "console" and bool(re.search(SYNOPSIS, self.text))


def _without_remark(line: str) -> str:
    """Return a line without what it says about itself, behind a # or three spaces."""
    return re.sub(r"(?: {3,}\S| +# ).*$", "", line.strip())


def words_of(command: str) -> list[str]:
    """Return the words of a command as a shell would."""
    return shlex.split(command)


def blocks_of(page: Path) -> list[Block]:
    """Return every block of code of a page, in its order."""
    return list(_blocks(page, page.read_text(encoding="utf-8").splitlines()))


def _blocks(page: Path, lines: list[str]) -> Iterator[Block]:
    of_page, number = "", 0
    mark: re.Match[str] | None = None
    while number < len(lines):
        line = lines[number]
        start = number
        if found := _MARK.fullmatch(line.strip()):
            if found["page"]:
                of_page = found["why"]
            else:
                mark = found
            number += 1
        elif line.startswith("```"):
            number = next(k for k in range(start + 1, len(lines)) if lines[k].startswith("```")) + 1
            text = "\n".join(lines[start + 1 : number - 1])
            yield _block(page, start + 1, line[3:].strip() or "text", text, mark, "")
            mark = None
        elif (
            line.startswith("    ") and line.strip() and (not start or not lines[start - 1].strip())
        ):
            while number < len(lines) and (
                lines[number].startswith("    ") or _inside(lines, number)
            ):
                number += 1
            text = "\n".join(lines[start:number])
            yield _block(page, start + 1, _kind(text), text, mark, of_page)
            mark = None
        else:
            if line.strip():
                mark = None
            number += 1


def _inside(lines: list[str], number: int) -> bool:
    """Return whether an empty line has indented ones of the same block after it."""
    after = lines[number + 1] if number + 1 < len(lines) else ""
    return not lines[number].strip() and after.startswith("    ") and bool(after.strip())


def _block(
    page: Path, line: int, kind: str, text: str, mark: re.Match[str] | None, of_page: str
) -> Block:
    reason = of_page if kind in ("console", "python") else ""
    left_out = ""
    if mark is not None:
        left_out = mark["lines"] or ""
        reason = "" if left_out else mark["why"]
    return Block(page=page, line=line, kind=kind, text=text, not_run=reason, left_out=left_out)


def _kind(text: str) -> str:
    first = text.split()[0]
    if first.startswith("#!"):
        return "sh"
    if first in ("from", "import"):
        return "python"
    told = (line.split()[0] for line in text.splitlines() if line.strip())
    return "console" if any(word in _PROGRAMS for word in told) else "text"
