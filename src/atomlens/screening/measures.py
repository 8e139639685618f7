"""What a screening can read off predicted spectra, as columns beside the predictions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy as np

from atomlens.datasets.base import Dataset
from atomlens.datasets.splits import reduced_formulas
from atomlens.errors import SettingsError, unknown_name
from atomlens.predictor import Predictor
from atomlens.screening.columns import Kind
from atomlens.screening.enz.judging import Task, judge_all
from atomlens.screening.enz.members import judges_of
from atomlens.screening.enz.study import EnzSettings, choice_of, criteria_of
from atomlens.settings import typed_values
from atomlens.structures.arrays import StructureArrays

_COLUMNS: dict[str, tuple[str, Kind]] = {
    "enz_passes": ("passes", "number"),
    "enz_crosses": ("crosses", "number"),
    "enz_crossover": ("crossover [eV]", "number"),
    "enz_crossover_std": ("crossover_std [eV]", "number"),
    "enz_range": ("range", "text"),
    "enz_loss": ("loss", "number"),
    "enz_loss_std": ("loss_std", "number"),
    "enz_window_low": ("window_low [eV]", "number"),
    "enz_window_high": ("window_high [eV]", "number"),
    "enz_window_width": ("window_width [eV]", "number"),
}
"""What `Candidate.table_row` calls them, and what they hold."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class EnzMeasure:
    """The zero of the permittivity of each structure, as the study ``enz`` reads it.

    Every member of the models of both parts judges by itself. Unlike the study this also judges
    what a model was trained on; the columns ``seen_in`` tell.
    """

    name: ClassVar[str] = "enz"
    settings: EnzSettings

    @property
    def columns(self) -> dict[str, Kind]:
        """The columns and what they hold; energies are in eV."""
        return {name: kind for name, (_, kind) in _COLUMNS.items()}

    def check(self, models: Sequence[Predictor]) -> None:
        """Raise a StudyError if the models are not of the parts of the permittivity."""
        judges_of(models, self.settings.real, self.settings.imaginary)

    def rows(
        self, models: Sequence[Predictor], structures: StructureArrays
    ) -> dict[int, dict[str, Any]]:
        """Return the cells of each structure that can be judged, by its number."""
        n = len(structures)
        if not n:
            return {}
        task = Task(
            data=Dataset(name="shard", structures=structures, targets=(), values=np.zeros((n, 0))),
            rows=np.arange(n),
            keys=reduced_formulas(structures),
            hull_energies=np.full(n, np.nan),
            truth=None,
            choice=choice_of(self.settings),
            criteria=criteria_of(self.settings),
            judge_known=True,
        )
        judged = judge_all(judges_of(models, self.settings.real, self.settings.imaginary), task)
        found = {}
        for candidate in judged.candidates:
            row = candidate.table_row()
            found[candidate.row] = {name: _plain(row[word]) for name, (word, _) in _COLUMNS.items()}
        return found


def _plain(value: Any) -> Any:
    if isinstance(value, float | np.floating):
        return float(value) if np.isfinite(value) else None
    return value or None


def make_measure(name: str, settings: dict[str, Any]) -> EnzMeasure:
    """Return what a name of ``--measure`` means.

    Raises:
        SettingsError: there is no such measure or setting.
    """
    if name != EnzMeasure.name:
        raise SettingsError(f"measure: {unknown_name('measure', name, [EnzMeasure.name])}")
    return EnzMeasure(settings=EnzSettings(**typed_values(EnzSettings, settings, name)))
