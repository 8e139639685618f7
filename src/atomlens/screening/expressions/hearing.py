"""What an expression hears of the rows: what could be said of none, which cells are no numbers."""

from dataclasses import dataclass
from typing import Any

from atomlens.datasets.tables.cells import is_missing, shown_cell
from atomlens.datasets.tables.numerals import advice_on
from atomlens.printing import counted
from atomlens.screening.expressions.cells import is_number, plain_value

NEITHER = "nothing that is true or false"


@dataclass(slots=True)
class Meeting:
    """How often two things met that can be compared or calculated with, and how often not."""

    where: str
    columns: str
    follows: str
    advice: str
    n_fits: int = 0
    n_misfits: int = 0

    def hear(self, fits: bool) -> None:
        """Count a row."""
        if fits:
            self.n_fits += 1
        else:
            self.n_misfits += 1

    def said(self) -> str:
        """Return the sentence about it."""
        return (
            f"{self.columns} has {self.follows} in any of {counted(self.n_misfits, 'row')}; "
            f"{self.advice}."
        )


@dataclass(slots=True)
class KnownHeard:
    """Of how many rows a condition is true or false, or something else, and of how many nothing."""

    n_known: int = 0
    n_unknown: int = 0

    def hear(self, is_known: bool) -> None:
        """Count a row."""
        if is_known:
            self.n_known += 1
        else:
            self.n_unknown += 1


@dataclass(slots=True)
class CellsHeard:
    """How many cells of a column that is asked for as a number are numbers, and how many not."""

    where: str
    column: str
    n_numbers: int = 0
    n_others: int = 0
    example: Any = None

    def hear(self, cell: Any) -> None:
        """Count the cell of a row, None where it is empty."""
        if cell is None or is_missing(cell):
            return
        if is_number(plain_value(cell)):
            self.n_numbers += 1
            return
        self.example = cell if self.n_others == 0 else self.example
        self.n_others += 1

    def said(self) -> str:
        """Return the sentence about it."""
        n = counted(self.n_numbers + self.n_others, "row")
        advice = advice_on(self.example) if isinstance(self.example, str) else "correct it"
        return (
            f"{self.where}: {self.column!r} is no number in {self.n_others:,} of {n} that have "
            f"something there, such as {shown_cell(self.example)}, and counts as unknown in "
            f"{'it' if self.n_others == 1 else 'them'}; {advice}."
        )
