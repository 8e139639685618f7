"""Why what is said about a structure should be mistrusted: sentences that know what they are about.

Who makes a sentence says of which kinds it is, and nobody asks its words: a sentence can be put
better without a change of what is done about it. Kinds go along wherever sentences do: in
``info["warnings"]``, to other processes, and in files (`Doubt.to_plain`).
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from atomlens.printing import one_line

DoubtKind = Literal[
    "unit",
    "distances",
    "hydrogens",
    "set apart",
    "charge",
    "unpaired electrons",
    "odd electrons",
    "ordered model",
    "made",
    "named",
    "taken",
    "cut shell",
]
"""What a sentence is about. Of readers: lengths that may be in another unit; distances that cannot
be right, said so well that nobody says it again; hydrogens, likewise; molecules that were set
apart; what models do not see of electrons; which ordered model it is. Of models: coordinates
that were made here, that a file says are those of a force field or the like, that are taken to be
such; neighbours chosen among equals."""


class Doubt(str):
    """A sentence on why an answer should be mistrusted, which knows its kinds."""

    __slots__ = ("kinds", "pieces")
    kinds: tuple[DoubtKind, ...]
    pieces: tuple[str, ...]
    """What who says it of several structures at once needs of it: of ``ordered model`` how it is
    said of all of them; of ``made`` what follows for the error; of ``named`` and ``taken`` whose
    coordinates they are, and what follows"""

    def __new__(cls, text: str, *kinds: DoubtKind, pieces: tuple[str, ...] = ()) -> "Doubt":
        """Return the sentence."""
        made = super().__new__(cls, text)
        made.kinds, made.pieces = kinds, pieces
        return made

    def reworded(self, text: str) -> "Doubt":
        """Return another sentence about the same."""
        return Doubt(text, *self.kinds, pieces=self.pieces)

    def to_plain(self) -> dict[str, list[str]]:
        """Return what a file keeps beside the sentence."""
        return {"kinds": list(self.kinds), "pieces": list(self.pieces)}

    @classmethod
    def from_plain(cls, text: str, content: Mapping[str, Any]) -> "Doubt":
        """Take back what `to_plain` returned; kinds that nobody knows are left out."""
        kinds = [kind for kind in content.get("kinds", ()) if kind in get_args(DoubtKind)]
        pieces = tuple(one_line(str(piece)) for piece in content.get("pieces", ()))
        return cls(text, *kinds, pieces=pieces)


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

    def about(self, *kinds: DoubtKind) -> tuple[Doubt, ...]:
        """Return what a model finds strange, of these kinds alone."""
        return tuple(as_doubt(text) for text in self.of_model if are_about([text], *kinds))

    def beside(self, *kinds: DoubtKind) -> tuple[str, ...]:
        """Return what a model finds strange, without these kinds."""
        return tuple(text for text in self.of_model if not are_about([text], *kinds))

    @classmethod
    def joined(cls, several: "Iterable[Doubts]") -> "Doubts":
        """Return all that is said, each sentence once."""
        listed = list(several)
        return cls(
            of_reader=tuple(dict.fromkeys(text for one in listed for text in one.of_reader)),
            of_model=tuple(dict.fromkeys(text for one in listed for text in one.of_model)),
        )


NO_DOUBTS = Doubts()


def as_doubt(text: str) -> Doubt:
    """Return a sentence with its kinds; one that says none has none."""
    return text if isinstance(text, Doubt) else Doubt(text)


def are_about(sentences: Iterable[str], *kinds: DoubtKind) -> bool:
    """Say whether one of some sentences is of one of these kinds."""
    return any(kind in kinds for text in sentences for kind in as_doubt(text).kinds)


_EARLIER: dict[DoubtKind, re.Pattern[str]] = {
    "unit": re.compile("unit, which must be Å"),
    "distances": re.compile(
        r"closer than 0\.5 Å|in nm;|in bohr|atomic units|lengths in Å|is .* Å long, and no bond is"
    ),
    "hydrogens": re.compile("hydrogen"),
    "set apart": re.compile(r"its molecules \(a salt or solvent\?\) were set "),
    "charge": re.compile(r"no model sees its .*charge of |charge of .*no model sees"),
    "unpaired electrons": re.compile(r"no model sees.*unpaired electrons \("),
    "odd electrons": re.compile(r"it has an odd number of electrons \(.*no model sees"),
    "ordered model": re.compile(
        r"ordered model \d+ of \d+( \(\d+ different\))?, drawn by the occupancies.*"
    ),
}
"""Words that sentences of each kind had when files kept no kinds of them."""


def of_earlier_file(text: str) -> Doubt:
    """Return a sentence, or several that were joined, of a file that keeps no kinds of them."""
    kinds: list[DoubtKind] = [kind for kind, words in _EARLIER.items() if words.search(text)]
    of_all = _EARLIER["ordered model"].sub(r"ordered models\1 were drawn by the occupancies", text)
    return Doubt(text, *kinds, pieces=(of_all,) if "ordered model" in kinds else ())
