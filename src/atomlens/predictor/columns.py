"""What the columns of predictions are called, so that no two are called the same."""

from collections.abc import Collection, Iterable, Sequence

from atomlens.datasets.tables.headers import loosely
from atomlens.errors import SettingsError, unknown_name
from atomlens.settings import taken_apart
from atomlens.targets import Target

FRAME = (
    "name",
    "source",
    "formula",
    "n_atoms",
    "unlike",
    "ordered_models",
    "conformers",
    "unit",
    "interval",
    "grid",
    "seen_in",
    "warning",
    "error",
)
"""Columns that do not belong to a target."""
_ENDINGS = ("_std", "_low", "_high", "_true", "_unit", "_probabilities", "_spread")


def named_targets(given: Sequence[str], known: Collection[str], of: str) -> tuple[str, ...]:
    """Return the targets that were named, one by one or with commas between.

    Args:
        given: As typed; with a comma only where no target is called so, and with other blanks,
            hyphens, underscores or capitals where one target alone is meant.
        known: All targets.
        of: Whose they are, for messages.

    Raises:
        SettingsError: there is no such target.
    """
    names = []
    for name in taken_apart(given, known):
        alike = [one for one in known if loosely(one) == loosely(name)]
        if name not in known and len(alike) != 1:
            raise SettingsError(f"target: {unknown_name(f'target of {of}', name, known)}")
        names.append(name if name in known else alike[0])
    return tuple(names)


class ColumnNames:
    """Names of the columns of a table of predictions.

    A target keeps its name. What would be called like a target (the error estimate of ``gap``
    beside a target ``gap_std``, the column ``unit`` beside a target of that name) gets an
    underscore behind it; a column that is carried through from a table gets ``_input``.
    """

    def __init__(self, targets: tuple[Target, ...], carried: Iterable[str] = ()) -> None:
        self._taken = {t.name for t in targets}
        self._several = len(targets) > 1
        self._frame = {word: self._free(word) for word in FRAME}
        self._grids = {
            name: self._free(name)
            for name in dict.fromkeys(t.grid_name for t in targets if t.is_spectrum)
        }
        self._of: dict[tuple[str, str], str] = {}
        self._shares: dict[tuple[str, str], str] = {}
        for target in targets:
            for label in target.classes:  # first: a class may be called ``true`` or ``low``
                self._shares[target.name, label] = self._free(f"{target.name}_{label}")
            for ending in _ENDINGS:
                self._of[target.name, ending] = self._free(f"{target.name}{ending}")
        self.carried = {header: self._free(header, "_input") for header in dict.fromkeys(carried)}

    def __getitem__(self, word: str) -> str:
        """Return what a column of ``FRAME`` is called."""
        return self._frame[word]

    def grid(self, target: Target) -> str:
        """Return what the column with the points of a spectrum is called."""
        return self._grids[target.grid_name]

    def of(self, target: Target, ending: str) -> str:
        """Return what a column that belongs to a target is called."""
        return self._of[target.name, ending] if ending else target.name

    def share(self, target: Target, label: str) -> str:
        """Return what the column with the probability of a class is called."""
        return self._shares[target.name, label]

    def units(self, targets: tuple[Target, ...]) -> dict[str, str]:
        """Return the units by column: ``unit`` for one target, ``TARGET_unit`` for several."""
        if not self._several:
            return {self["unit"]: targets[0].unit} if targets else {}
        return {self.of(t, "_unit"): t.unit for t in targets}

    def _free(self, wish: str, ending: str = "_") -> str:
        while wish in self._taken:
            wish += ending
        self._taken.add(wish)
        return wish
