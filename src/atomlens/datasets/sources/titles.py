"""Values in the title line of extended XYZ frames, whatever the title calls them.

Two forms are read: ``key=value`` pairs, whose keys are compared without regard to case, signs
and units, and bare numbers in a documented order.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from atomlens.datasets.sources.archives import DAMAGE, open_members
from atomlens.errors import Failure
from atomlens.structures.arrays import Structure, structure_of
from atomlens.structures.formats.xyz import read_xyz

Aliases = Mapping[str, tuple[str, ...]]
"""What a value may be called, by our name, in small letters and digits alone. The order is that
of the numbers in a title without keys."""


class Frame(NamedTuple):
    """One frame: its structure and what its title says."""

    structure: Structure
    values: dict[str, float]
    """By our names; what the title does not say is left out."""
    title: str
    """What the title holds, in words for a message."""


def read_frames(path: Path, aliases: Aliases) -> Iterator[Frame | Failure]:
    """Yield every frame of the XYZ files in an archive, or why it cannot be used.

    A frame is called by its file's path in the archive without the first folder, with a number
    if the file has several.
    """
    for member, open_member in open_members(path, ".xyz"):
        stem = _stem(member)
        try:
            text = open_member().read().decode("utf-8", errors="replace")
        except DAMAGE as problem:
            reason = f"{path.name}: {member} is damaged ({problem}); get a complete copy."
            yield Failure(name=stem, message=reason)
            continue
        entries = read_xyz(text)
        for i, entry in enumerate(entries):
            name = stem if len(entries) == 1 else f"{stem}-{i:04d}"
            if entry.atoms is None:
                yield Failure(name=name, message=f"{name}: {entry.problem}.")
                continue
            info = dict(entry.atoms.info)
            entry.atoms.info["name"] = name
            yield Frame(structure_of(entry.atoms), title_values(info, aliases), _shown(info))


def title_values(info: Mapping[str, Any], aliases: Aliases) -> dict[str, float]:
    """Return the values that a title holds, by our names.

    Args:
        info: What the reader of the frame made of its title.
        aliases: The values that are looked for.
    """
    if "comment" in info:
        words = str(info["comment"]).split()
        numbers = [x for word in words[: len(aliases)] if (x := _number(word)) is not None]
        return dict(zip(aliases, numbers, strict=True)) if len(numbers) == len(aliases) else {}
    found = {_plain(key): x for key, value in info.items() if (x := _number(value)) is not None}
    values = {
        name: next(found[alias] for alias in called if alias in found)
        for name, called in aliases.items()
        if any(alias in found for alias in called)
    }
    if not values and len(aliases) == 1:
        bare = [
            x for key, value in info.items() if value is True and (x := _number(key)) is not None
        ]
        alone = [*found.values(), *bare]
        if len(alone) == 1:  # a lattice and one number: it can be nothing else
            return {next(iter(aliases)): alone[0]}
    return values


def missing_sentence(where: str, aliases: Aliases, names: Sequence[str], title: str) -> str:
    """Return a sentence for titles that lack values."""
    called = "; ".join(f"{name} (as {', '.join(aliases[name])})" for name in names)
    return f"{where}: the title does not give {called}; it holds {title}."


def _stem(member: str) -> str:
    parts = member.removeprefix("./").removesuffix(".xyz").split("/")
    return "/".join(parts[1:] or parts)


def _plain(key: str) -> str:
    """Return a key without case, signs and unit: ``refenergy`` for ``Ref_energy (eV)``."""
    return re.sub(r"[^a-z0-9]", "", re.sub(r"[\[(].*", "", key.lower()))


def _number(value: Any) -> float | None:
    if isinstance(value, (bool, np.bool_, np.ndarray)):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if np.isfinite(number) else None


def _shown(info: Mapping[str, Any]) -> str:
    if "comment" in info:
        return f"the words {' '.join(str(info['comment']).split())[:80]!r}"
    keys = [key for key in info if not key.startswith("_")]
    return f"the keys {', '.join(keys)[:200]}" if keys else "nothing"
