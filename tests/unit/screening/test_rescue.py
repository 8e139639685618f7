"""What is left of a shard whose processes are ended again and again."""

from collections.abc import Callable, Sequence
from typing import Any, cast

from atomlens.predictor.inputs.pieces import Piece
from atomlens.screening.jobs import rescued
from atomlens.structures.workers import Outcome, Task, Worker, WorkerDiedError

PIECES = [Piece("text", text, text, text) for text in ("CCO", "CCN", "CCC")]


class Mortal:
    """A worker whose process ends whenever somebody says so."""

    def __init__(self, dies: Callable[[int, Sequence[Piece]], bool]) -> None:
        self.dies, self.n_asked = dies, 0

    def run(self, tasks: Sequence[Task]) -> list[Outcome]:
        found = []
        for function, arguments in tasks:
            self.n_asked += 1
            ended = self.dies(self.n_asked, arguments[1])
            error = WorkerDiedError("it ended the process") if ended else None
            found.append(Outcome(None if ended else function(*arguments), error))
        return found


def kinds(_job: Any, pieces: Sequence[Piece]) -> list[tuple[str, str]]:
    return [(piece.kind, piece.source) for piece in pieces]


def left(dies: Callable[[int, Sequence[Piece]], bool]) -> list[str]:
    rows = rescued(cast(Worker, Mortal(dies)), (kinds, (None, PIECES)))
    assert [source for _, source in rows] == ["CCO", "CCN", "CCC"]
    return [kind for kind, _ in rows]


def test_the_culprit_alone_fails() -> None:
    def dies(_: int, pieces: Sequence[Piece]) -> bool:
        return any(piece.kind == "text" and piece.source == "CCN" for piece in pieces)

    assert left(dies) == ["text", "failed", "text"]


def test_pieces_that_only_together_end_a_process_are_answered_one_by_one() -> None:
    assert left(lambda _, pieces: len(pieces) > 1) == ["text"] * 3


def test_where_every_process_is_ended_every_piece_fails_and_the_screening_goes_on() -> None:
    assert left(lambda *_: True) == ["failed"] * 3


def test_one_that_is_ended_late_fails_alone() -> None:
    assert left(lambda asked, pieces: len(pieces) > 1 or asked == 6) == ["text", "failed", "text"]
