"""What is drawn of predicted spectra."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from atomlens.predictor.prediction import Prediction
from atomlens.reports.spectrum_figure import SpectrumCurve, SpectrumPanel
from atomlens.targets import Target, target_places
from atomlens.units import unit_text

if TYPE_CHECKING:
    pass

Values = NDArray[np.float64]


def spectrum_panels(prediction: Prediction, most: int) -> list[SpectrumPanel]:
    """Return what is drawn of the first inputs that did not fail, at most ``most``."""
    spectra = {t: p for t, p in target_places(prediction.targets).items() if t.is_spectrum}
    return [
        SpectrumPanel(
            title=prediction.names[i],
            curves=tuple(
                SpectrumCurve(
                    label=target.name,
                    grid=np.array(target.grid),
                    predicted=prediction.values[i, place],
                    std=prediction.std[i, place],
                )
                for target, place in spectra.items()
            ),
        )
        for i in np.flatnonzero(prediction.ok)[:most].tolist()
    ]


def compared_spectra(prediction: Prediction, true: Values, target: str) -> list[SpectrumPanel]:
    """Return what is drawn of the best, the median and the worst material, by their MAE.

    Args:
        prediction: Of n inputs.
        true: (n, n_grid) the reference, NaN where unknown.
        target: Which spectrum.
    """
    chosen = prediction.spectrum_target(target)
    found, std = prediction.spectrum(target), prediction.spectrum_std(target)
    error = np.abs(found - true)
    known = np.flatnonzero(np.isfinite(error).any(axis=1))
    mae = np.nanmean(error[known], axis=1)
    order = known[np.argsort(mae, kind="stable")]
    places = {"best": 0, "median": (len(order) - 1) // 2, "worst": len(order) - 1}
    unique = {place: word for word, place in reversed(places.items())}
    return [
        SpectrumPanel(
            title=f"{unique[place]}: {prediction.names[i]}, MAE {np.nanmean(error[i]):.3g}",
            curves=(
                SpectrumCurve(
                    label=target,
                    grid=np.array(chosen.grid),
                    predicted=found[i],
                    std=std[i],
                    true=true[i],
                ),
            ),
        )
        for place, i in ((p, int(order[p])) for p in sorted(unique))
    ]


def axis_labels(target: Target) -> tuple[str, str]:
    """Return what stands at the axes of a spectrum: ``energy (eV)``, ``eps_re``."""
    names = ((target.grid_name, target.grid_unit), (target.name, target.unit))
    x, y = (f"{name} ({unit_text(unit)})" if unit else name for name, unit in names)
    return x, y
