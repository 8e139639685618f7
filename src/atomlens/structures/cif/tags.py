"""The tags of a CIF and their values, by the grammar of CIF 1.1.

Hall, Allen and Brown, Acta Cryst. A47, 655 (1991); https://www.iucr.org/resources/cif.
Two habits of careless programs are understood as well: values with blanks and without
quotes (``_symmetry_space_group_name_H-M P 21``), and tags in front of the first block.
``docs/decisions/0004-cif-tags.md`` says why this is not left to ase or pymatgen.
"""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from atomlens.errors import StructureError
from atomlens.printing import counted, short

Tags = Mapping[str, Any]
"""Lower-case tag, dots as underscores -> text, or list of texts for a loop."""

_SPECIAL = frozenset("_dDlLgGsS")
"""First letters of tags and of what is neither tag nor value."""
_WORD = re.compile(r"\S+")
_CLOSING = {"'": re.compile(r"'(?=\s|$)"), '"': re.compile(r'"(?=\s|$)')}


class _Quoted(str):
    """A value in quotes or between semicolons: never a tag or keyword."""


_DECIDES = re.compile(
    r"_cell_(length|angle|volume|formula_units_z)|_chemical_formula_sum$"
    r"|_atom_site_(label|type_symbol|fract_[xyz]|cartn_[xyz]|occupancy)$"
    r"|_space_group_(it_number|name_h-m_alt|symop_operation_xyz)$"
    r"|_symmetry_(int_tables_number|space_group_name_h-m|equiv_pos_as_xyz)$"
)
"""Tags that decide which atoms there are; of others the last value holds."""

_Line = tuple[int, list[str]]
"""Number of a line and its words, or one text between semicolons."""


def read_tags(text: str) -> list[tuple[str, Tags]]:
    """Return (name, tags) of each data block.

    Raises StructureError, with the line, where the text breaks off or breaks the rules.
    """
    try:
        reader = _loop_by_loop(text)
    except StructureError:
        reader = None
    reader = reader or _line_by_line(text)  # which knows the line of what is wrong
    return [(name, tags) for name, tags in reader.blocks if tags]


def _line_by_line(text: str) -> "_Reader":
    reader = _Reader()
    for line in _lines(text):
        if reader.rows and _is_value(line[1][0]):
            reader.rows.append(line)
        else:
            reader.add(*line)
    reader.end_loop()
    if reader.tag:
        raise StructureError(f"the file breaks off after {reader.tag}; get a complete copy")
    return reader


_LOOP = "\nloop_\n"
_PAIR = re.compile(
    r"^[ \t]*(_[^\s'\"#]+)[ \t]+"
    r"(?:'([^'\"#\n]*)'|((?!(?i:data|global|loop|save|stop)_)[^\s'\"#_][^\s'\"#]*))[ \t]*$",
    re.MULTILINE,
)
"""A line with a tag and its value."""
_HEADING = re.compile(r"(?:[ \t]*_[^\s'\"#]+[ \t]*\n)+")
_LONGEST_KNOWN = 20_000
"""Letters; the 192 operations of the largest groups have 6,000."""
_OF_SYMMETRY = re.compile(r"[ \t]*_(?:symmetry_equiv|space_group_symop)_", re.IGNORECASE)


def _loop_by_loop(text: str) -> "_Reader | None":
    """Read a text of one data block as most programs write it; None of any other.

    Lines of a tag and its value come first, then loops, whose rows are split all at once where no
    letter in them means anything else than itself. What is found is what `_line_by_line` finds.
    """
    first, *loops = text.split(_LOOP)
    if not loops or ";" in (text[:1], *(part[:1] for part in loops)) or "\n;" in text:
        return None
    before, mark, pairs = first.partition("\n_")
    found = _PAIR.findall(mark[1:] + pairs)
    if len(found) == first.count("\n", len(before)) and "loop_" not in before.lower():
        reader = _line_by_line(before)
        for tag, quoted, word in found:
            reader.store(_tag_of(tag), quoted or word, 0)
    else:
        reader = _line_by_line(first)
    for loop in loops:
        heading = _HEADING.match(loop)
        names = _names_of(heading[0]) if heading else ("_xyz",)
        rows = loop[heading.end() :] if heading else loop
        if "_" in rows or "'" in rows or '"' in rows or "#" in rows or names[-1].endswith("_xyz"):
            is_known = _OF_SYMMETRY.match(loop) and len(loop) < _LONGEST_KNOWN
            columns = _known_loop(loop) if is_known else _one_loop(loop)
            if columns is None:
                return None
            for tag, value in columns.items():
                reader.store(tag, value.copy() if isinstance(value, list) else value, 0)
            continue
        words, n = rows.split(), len(names)
        if len(words) % n:
            return None
        for i, tag in enumerate(names if words else ()):
            reader.store(tag, words[i::n], 0)
    return reader


def _one_loop(text: str) -> Tags | None:
    """Return the columns of a loop, and the tags behind it; None if a data block begins there."""
    blocks = _line_by_line(f"loop_\n{text}").blocks
    return blocks[0][1] if len(blocks) == 1 else None


_known_loop = lru_cache(maxsize=256)(_one_loop)
"""Of the operations of a space group, which many files list in the same words"""


@lru_cache(maxsize=256)
def _names_of(heading: str) -> tuple[str, ...]:
    return tuple(map(_tag_of, heading.split()))


def _tag_of(word: str) -> str:
    return word.lower().replace(".", "_")


MAGNETIC = re.compile(r"^_((parent_)?space_group_(symop_)?magn|parent_)", re.MULTILINE)
"""Tags of magnetic structures, of which the other symmetry is that of the parent."""


def first_tag(tags: Tags, pattern: re.Pattern[str]) -> str:
    """Return what a pattern (``^...``, re.MULTILINE) finds first in the tags; empty if nothing."""
    found = pattern.search("\n".join(tags))
    return found[0] if found else ""


def _lines(text: str) -> Iterator[_Line]:
    """Yield the lines that hold something, split into words."""
    lines = enumerate(text.split("\n"), start=1)
    for number, line in lines:
        if line.startswith(";"):
            content = [line[1:]]
            for _, following in lines:
                if following.startswith(";"):
                    break
                content.append(following)
            else:
                raise StructureError(
                    f"the text that begins with ';' in line {number} has no end, so the file is "
                    "cut off; get a complete copy"
                )
            yield number, [_Quoted("\n".join(content).strip())]
            line = following[1:]
        plain = not ("'" in line or '"' in line or "#" in line)
        words = line.split() if plain else _one_quoted(line) or _words(line)
        if words:
            yield number, words


def _one_quoted(line: str) -> list[str]:
    """Split a line with two ' between blanks and nothing else that is special; empty otherwise."""
    before, *more = line.split("'")
    if len(more) != 2 or '"' in line or "#" in line:
        return []
    inside, after = more
    if (before and not before[-1].isspace()) or (after and not after[0].isspace()):
        return []
    return [*before.split(), _Quoted(inside), *after.split()]


def _words(line: str) -> list[str]:
    """Split a line; a quote that nothing closes is part of an ordinary word."""
    words: list[str] = []
    unclosed: set[str] = set()
    found = _WORD.search(line)
    while found and line[found.start()] != "#":
        start = found.start()
        sign = line[start]
        end = None
        if sign in _CLOSING and sign not in unclosed:
            end = _CLOSING[sign].search(line, start + 1)
            if end is None:
                unclosed.add(sign)
        words.append(found[0] if end is None else _Quoted(line[start + 1 : end.start()]))
        found = _WORD.search(line, (end or found).end())
    return words


class _Reader:
    """What has been read so far, and what the next word belongs to."""

    def __init__(self) -> None:
        self.blocks: list[tuple[str, dict[str, Any]]] = [("", {})]
        self.tag = ""
        """A tag that waits for its value."""
        self.loop: list[str] | None = None
        """The tags of the loop that is being read."""
        self.rows: list[_Line] = []
        """The lines of values of that loop."""

    def add(self, number: int, words: list[str]) -> None:
        """Take the words of a line that does not go on with the rows of a loop."""
        if len(words) == 2 and not _is_value(words[0]) and _is_value(words[1]):  # most lines
            self._start(words[0], number)
            self._give(words[1:], number)
            return
        i = 0
        while i < len(words):
            if not _is_value(words[i]):
                self._start(words[i], number)
                i += 1
                continue
            end = next((j for j in range(i, len(words)) if not _is_value(words[j])), len(words))
            self._give(words[i:end], number)
            i = end

    def _give(self, values: list[str], number: int) -> None:
        """Give values to the tag or loop that waits for them."""
        if self.tag:
            self.store(self.tag, " ".join(values), number)
            self.tag = ""
        elif self.loop:
            self.rows.append((number, values))
        else:
            raise StructureError(
                f"line {number}: {short(values[0])} belongs to no tag of the CIF; correct the line"
            )

    def store(self, tag: str, value: Any, number: int) -> None:
        """Keep the value of a tag; refuse one that was given with another value before."""
        tags = self.blocks[-1][1]
        before = tags.get(tag)
        if before is not None and before != value and _DECIDES.match(tag):
            raise StructureError(
                f"line {number}: {tag} is given a second time in one data block, with another "
                f"value ({_shown(before)} before, {_shown(value)} now); remove the wrong one"
            )
        tags[tag] = value

    def _start(self, word: str, number: int) -> None:
        """Begin a block, a loop, or a tag."""
        lower = word.lower()
        if self.tag:
            raise StructureError(
                f"line {number}: {self.tag} has no value; write '?' if it is unknown"
            )
        if lower.startswith("_"):
            tag = _tag_of(word)
            if self.loop is not None and not self.rows:
                self.loop.append(tag)
            else:
                self.end_loop()
                self.tag = tag
            return
        self.end_loop()
        if lower == "loop_":
            self.loop = []
        elif lower.startswith(("data_", "global_")):
            self.blocks.append((word.partition("_")[2], {}))

    def end_loop(self) -> None:
        """Store the columns of the loop that ends here."""
        loop, rows = self.loop, self.rows
        self.loop, self.rows = None, []
        if not loop or not rows:
            return
        n = len(loop)
        words = [own for _, own in rows]
        if loop[-1].endswith("_xyz") and any(len(row) != n for row in words):
            words = [[*row[: n - 1], " ".join(row[n - 1 :])] for row in words]
        flat = [word for row in words for word in row]
        if len(flat) % n == 0:
            for i, tag in enumerate(loop):
                self.store(tag, flat[i::n], rows[0][0])
        elif loop[0].startswith("_atom_site_") and "aniso" not in loop[0]:
            raise StructureError(
                f"the loop of atoms ends within a row in line {rows[-1][0]} ({len(flat)} "
                f"values for {counted(n, 'column')}), so the file is cut off or a value is "
                "missing; get a complete copy"
            )


def _shown(value: Any) -> str:
    return counted(len(value), "row") if isinstance(value, list) else short(value)


def _is_value(word: str) -> bool:
    first = word[:1]
    if first not in _SPECIAL or isinstance(word, _Quoted):
        return True
    if first == "_":
        return False
    return not word.lower().startswith(("data_", "loop_", "global_", "save_", "stop_"))
