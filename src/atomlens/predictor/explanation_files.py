"""Files of explanations: pages, pictures, structures, and an index of several."""

import shutil
from collections.abc import Collection, Sequence
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING, final
from weakref import finalize

from atomlens.errors import ExplanationError, SettingsError
from atomlens.explain import Explanation
from atomlens.files import Stems, replacing, to_json, write_text, writing
from atomlens.predictor.inference import StepProgress
from atomlens.printing import encodable

if TYPE_CHECKING:
    from atomlens.reports.content import ExplainedStructure


def write_explanations(
    explanations: Sequence[Explanation],
    folder: Path,
    progress: StepProgress | None,
) -> list[str]:
    """Write the files of every explanation and, for several, an index; return their names.

    An index that an earlier call left is renewed or removed.
    """
    writer = ExplanationWriter(folder)
    for done, explanation in enumerate(explanations, start=1):
        writer.add(explanation)
        if progress is not None:
            progress(done, len(explanations))
    writer.finish()
    return writer.names


ATOMS = "atoms.csv"
"""The table of all atoms of all explanations."""
MOST_IN_INDEX = 500
"""Explanations on one page; the others have pages of their own."""
_SHORT = 1 << 20
"""Letters of the table that memory holds."""


@final
class ExplanationWriter:
    """Writes the files of explanations as they come, and in the end an index if there are several.

    Memory holds the names of all and the pictures of those in the index.
    """

    def __init__(
        self,
        folder: Path,
        *,
        single_pages: bool = True,
        drawings: bool = False,
        inputs: Collection[Path] = (),
    ) -> None:
        """Write into a folder.

        Args:
            folder: Where.
            single_pages: Whether each explanation has a page of its own, beside the index; the
                viewer alone takes 0.6 MB a page.
            drawings: Whether each molecule also has a drawing, ``NAME.svg``.
            inputs: Resolved paths of files that must not be overwritten.
        """
        self.folder, self.single_pages, self.drawings = folder, single_pages, drawings
        self.inputs = frozenset(inputs)
        self.names: list[str] = []
        """Of the files of each explanation, without ending"""
        self.undrawn: list[str] = []
        """Why structures have no drawing, a sentence each"""
        self._stems = Stems(taken=("index",))
        self._pictures: list[ExplainedStructure] = []
        self._waiting: Explanation | None = None
        self._atoms = SpooledTemporaryFile(  # noqa: SIM115 - closed when all are written
            _SHORT, "w+", encoding="utf-8", newline="\n", dir=str(folder)
        )
        """Lines of the table of all atoms; many lie in the folder, in a file without a name"""
        finalize(self, self._atoms.close)

    def add(self, explanation: Explanation) -> None:
        """Write the files of an explanation.

        Raises:
            SettingsError: one of them would take the place of an input.
        """
        from atomlens.reports.tables import to_csv, write_extxyz

        stem = self._stems.add(explanation.name)
        self._refuse_inputs(stem)
        if self.single_pages:
            explanation.to_html(self.folder / f"{stem}.html")
        elif not self.names:  # the only one has a page nevertheless
            self._waiting = explanation
        explanation.to_png(self.folder / f"{stem}.png")
        write_extxyz(explanation.to_atoms(), self.folder / f"{stem}.extxyz")
        write_text(to_json(explanation.to_dict()) + "\n", self.folder / f"{stem}.json")
        if self.drawings:
            try:
                explanation.to_drawing(self.folder / f"{stem}.svg")
            except ExplanationError as problem:
                self.undrawn.append(str(problem))
        lines = to_csv([{"file": stem, **row} for row in explanation.to_rows()])
        with writing(self.folder / ATOMS):
            self._atoms.write(encodable(lines.partition("\n")[2] if self.names else lines))
        if len(self._pictures) < MOST_IN_INDEX:
            self._pictures.append(explanation.picture())
        self.names.append(stem)

    def finish(self) -> None:
        """Write the table of all atoms, and the index of several explanations or the only page."""
        from atomlens.reports.page import write_page

        if self.names:
            self._atoms.seek(0)
            with (
                self._atoms,
                replacing(self.folder / ATOMS) as draft,
                draft.open("w", encoding="utf-8", newline="\n") as table,
            ):
                shutil.copyfileobj(self._atoms, table)
        if len(self.names) > 1:
            write_page(self._pictures, self.folder / "index.html")
            return
        _remove_index(self.folder / "index.html")
        if self._waiting is not None:
            self._waiting.to_html(self.folder / f"{self.names[0]}.html")

    def _refuse_inputs(self, stem: str) -> None:
        endings = ("html", "png", "extxyz", "json", *(["svg"] if self.drawings else []))
        for name in (ATOMS, *(f"{stem}.{e}" for e in endings)) if self.inputs else ():
            path = self.folder / name
            if path.resolve() in self.inputs:
                raise SettingsError(
                    f"{self.folder}: {path.name} is an input and would be overwritten; give "
                    "another folder."
                )


def _remove_index(path: Path) -> None:
    """Remove an index of ours, which is about other structures; another page stays."""
    try:
        ours = "atomlens" in path.read_text(encoding="utf-8", errors="replace")[:20_000]
    except OSError:
        return
    if ours:
        path.unlink(missing_ok=True)
