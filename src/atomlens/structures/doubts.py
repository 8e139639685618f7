"""Why what is said about a structure should be mistrusted: sentences that know their kind."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    pass

DoubtKind = Literal["", "made", "named", "cut shell"]
"""What a sentence is about: coordinates that were made here, coordinates that a file says are those
of a force field or the like, neighbours chosen among equals; anything else."""


class Doubt(str):
    """A sentence on why an answer should be mistrusted, which knows its kind."""

    __slots__ = ("kind",)
    kind: DoubtKind

    def __new__(cls, text: str, kind: DoubtKind = "") -> "Doubt":
        """Return the sentence."""
        made = super().__new__(cls, text)
        made.kind = kind
        return made


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubts:
    """Why what is said about a structure should be mistrusted: sentences, apart until shown."""

    of_reader: tuple[str, ...] = ()
    """What its reader found; said once when it is read"""
    of_model: tuple[str, ...] = ()
    """What a model finds strange about it"""

    def __bool__(self) -> bool:
        return bool(self.of_reader or self.of_model)

    def __str__(self) -> str:
        return "; ".join((*self.of_reader, *self.of_model))

    def about(self, *kinds: DoubtKind) -> tuple[str, ...]:
        """Return what a model finds strange, of these kinds alone."""
        return tuple(text for text in self.of_model if kind_of_doubt(text) in kinds)

    @classmethod
    def joined(cls, several: "Iterable[Doubts]") -> "Doubts":
        """Return all that is said, each sentence once."""
        listed = list(several)
        return cls(
            of_reader=tuple(dict.fromkeys(text for one in listed for text in one.of_reader)),
            of_model=tuple(dict.fromkeys(text for one in listed for text in one.of_model)),
        )


NO_DOUBTS = Doubts()


def kind_of_doubt(text: str) -> DoubtKind:
    """Return what a sentence is about."""
    return text.kind if isinstance(text, Doubt) else ""
