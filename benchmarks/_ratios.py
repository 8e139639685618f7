"""How a benchmark hands over its ratios: `--json FILE` writes them for `benchmarks/run`."""

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any, NoReturn

from atomlens.files import whole_file


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """What something costs us and a rival, taken in turns; less is better.

    ``ours`` and ``theirs`` have one figure a round, in ``unit``. A row without figures says in
    ``not_measured`` why it has none.
    """

    what: str
    rival: str
    """Name and version."""
    unit: str = ""
    ours: tuple[float, ...] = ()
    theirs: tuple[float, ...] = ()
    target: float | None = None
    """The least ratio that we want."""
    not_measured: str = ""

    def __post_init__(self) -> None:
        measured = len(self.ours) == len(self.theirs) > 0 and min(self.ours + self.theirs) > 0
        if measured == bool(self.not_measured):
            raise ValueError(f"{self.what}: figures of both sides round by round, or a reason")

    @property
    def ratios(self) -> list[float]:
        """Return theirs over ours of each round, the smallest first; above 1 we are faster."""
        return sorted(b / a for a, b in zip(self.ours, self.theirs, strict=True))

    @property
    def ratio(self) -> float:
        """Return the median of the rounds."""
        return median(self.ratios)

    @property
    def reached(self) -> bool | None:
        """Return whether the target is reached; None without a figure or a target."""
        if self.not_measured or self.target is None:
            return None
        return self.ratio >= self.target


def absent(package: str) -> str:
    """Return why nothing can be measured against a package; empty if it is installed."""
    try:
        version(package)
    except PackageNotFoundError:
        return f"{package} is not installed"
    return ""


def named(package: str) -> str:
    """Return a package's name with its version, without one if it is not installed."""
    return package if absent(package) else f"{package} {version(package)}"


def add_json_option(parser: argparse.ArgumentParser) -> None:
    """Let a benchmark be asked for its rows."""
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the ratios there")


def hand_over(file: Path | None, rows: Iterable[Ratio]) -> None:
    """Write the rows, whole or not at all, if they were asked for."""
    if file is not None:
        with whole_file(file) as stream:
            stream.write(json.dumps([asdict(row) for row in rows], indent=1).encode())


def stop_without(file: Path | None, rows: Sequence[Ratio]) -> NoReturn:
    """Hand over rows of which none could be measured, and end with their reason."""
    hand_over(file, rows)
    sys.exit(f"{rows[0].not_measured}: {rows[0].what} is not measured")


def rows_from(content: Iterable[dict[str, Any]]) -> list[Ratio]:
    """Return the rows that a benchmark wrote."""
    return [
        Ratio(**row | {side: tuple(row[side]) for side in ("ours", "theirs")}) for row in content
    ]
