"""What is written and drawn of predictions, evaluations and explanations."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from atomlens.errors import ExplanationError
from atomlens.explain import Explanation
from atomlens.files import to_json, write_text
from atomlens.predictor.inference import StepProgress
from atomlens.predictor.metrics import Metrics, normal_shares
from atomlens.predictor.prediction import Prediction, target_places
from atomlens.printing import file_stem
from atomlens.reports.spectrum_figure import SpectrumCurve, SpectrumPanel
from atomlens.targets import Target, value_slices

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
    x = f"{target.grid_name} ({target.grid_unit})" if target.grid_unit else target.grid_name
    return x, f"{target.name} ({target.unit})" if target.unit else target.name


def write_evaluation(
    prediction: Prediction,
    true: Values,
    metrics: Metrics,
    folder: Path,
    remarks: Sequence[str] = (),
) -> list[Path]:
    """Write metrics.json, predictions.csv, figures of each number that is predicted, and a page.

    ``remarks`` are sentences that the page repeats.

    Returns the files that were written, in the order of their names.
    """
    from atomlens.reports.figures import draw_calibration, draw_parity
    from atomlens.reports.spectrum_figure import draw_spectra
    from atomlens.reports.tables import write_table

    written = [folder / "predictions.csv", folder / "metrics.json"]
    write_table(compared_rows(prediction, true), written[0])
    targets = prediction.targets
    stems = unique_stems([target.name for target in targets])
    for target, place, name in zip(targets, value_slices(targets), stems, strict=True):
        if target.kind != "regression" or not metrics[target.name].n:
            continue
        stem = "" if len(targets) == 1 else f"-{name}"
        found, std = prediction.values[:, place], prediction.std[:, place]
        if target.is_spectrum:
            panels = compared_spectra(prediction, true[:, place], target.name)
            x_label, y_label = axis_labels(target)
            path = folder / f"spectra{stem}.png"
            draw_spectra(panels, path, x_label=x_label, y_label=y_label)
            written.append(path)
        written.append(folder / f"parity{stem}.png")
        draw_parity(
            true[:, place].ravel(),
            found.ravel(),
            target=target.name,
            unit=target.unit,
            std=std.ravel(),
            path=folder / f"parity{stem}.png",
        )
        curve = _calibration_curve((found - true[:, place]).ravel(), std.ravel())
        if curve is not None:
            written.append(folder / f"calibration{stem}.png")
            draw_calibration(*curve, written[-1], title=target.name)
    write_text(to_json(metrics.to_dict()) + "\n", folder / "metrics.json")
    written.append(_evaluation_page(prediction, true, metrics, written, folder, remarks))
    return sorted(written)


UNLIKE = 99.0
"""Percent: structures farther from the training data than so many of the validation part."""


def _evaluation_page(
    prediction: Prediction,
    true: Values,
    metrics: Metrics,
    written: list[Path],
    folder: Path,
    remarks: Sequence[str],
) -> Path:
    """Write index.html: the figures, what they say of the error estimates, and of the unlike."""
    from atomlens.reports.evaluation_page import write_evaluation_page

    unlike = [] if prediction.unlike is None else unlike_sentences(prediction, true)
    notes = [*remarks, *unlike]
    failed = metrics.n_failed
    if failed:
        notes.append(f"{failed} structures could not be predicted and are in no figure.")
    figures = [figures for figures in metrics.to_dict()["targets"].values() if "mae" in figures]
    return write_evaluation_page(
        folder / "index.html",
        title=f"{metrics.n_samples} structures, predicted and known",
        rows=metrics.to_rows(),
        judged=figures,
        figures=[path for path in written if path.suffix == ".png"],
        notes=notes,
    )


def unlike_sentences(prediction: Prediction, true: Values) -> list[str]:
    """Return how many structures are unlike the training data, and what their errors are."""
    assert prediction.unlike is not None
    known = np.isfinite(prediction.unlike)
    far = known & (prediction.unlike > UNLIKE)
    if not far.any():
        nearer = f"No structure is farther from the training data than {UNLIKE:g} % of the"
        return [f"{nearer} validation structures."]
    sentences = [
        f"⚠ {int(far.sum())} of {int(known.sum())} structures are unlike the training data: "
        f"farther from it than {UNLIKE:g} % of the validation structures."
    ]
    for target, place in zip(prediction.targets, value_slices(prediction.targets), strict=True):
        if target.kind != "regression":
            continue
        errors = np.abs(prediction.values[:, place] - true[:, place])
        parts = [errors[rows] for rows in (far, known & ~far)]
        if all(np.isfinite(part).any() for part in parts):
            maes = [float(np.nanmean(part)) for part in parts]
            unit = f" {target.unit}".rstrip()
            sentences.append(
                f"{target.name}: their MAE is {maes[0]:.4g}{unit}, that of all others "
                f"{maes[1]:.4g}{unit}."
            )
    return sentences


def compared_rows(prediction: Prediction, true: Values) -> list[dict[str, Any]]:
    """Return the rows of the prediction with the true values (column ``TARGET_true``) beside."""
    names = prediction.columns
    rows = prediction.to_rows()
    if prediction.has_spectra:
        beside = replace(prediction, std=true)  # one column more, in the place of the errors
        for row, other in zip(rows, beside.to_rows(), strict=True):
            for target in prediction.targets:
                row[names.of(target, "_true")] = other[names.of(target, "_std")]
        return rows
    places = [p.start for p in value_slices(prediction.targets)]
    for row, values in zip(rows, true, strict=True):
        for target, value in zip(prediction.targets, values[places].tolist(), strict=True):
            known = target.classes[int(value)] if target.classes and math.isfinite(value) else value
            row[names.of(target, "_true")] = known
    return rows


def _calibration_curve(error: Values, std: Values) -> tuple[Values, Values] | None:
    """Return promised and found shares inside the error estimates, from 5 to 95 %."""
    known = np.isfinite(error) & np.isfinite(std)
    if not known.any():
        return None
    shares = normal_shares(error[known], std[known])
    promised = np.linspace(0.05, 0.95, 19)
    return promised, (shares[:, None] <= promised).mean(axis=0)


def write_explanations(
    explanations: Sequence[Explanation],
    folder: Path,
    progress: StepProgress | None = None,
    *,
    single_pages: bool = True,
) -> list[str]:
    """Write the files of every explanation and, for several, an index; return their names.

    Without ``single_pages`` the index is the only page; the viewer alone takes 0.6 MB a page. An
    index that an earlier call left is renewed or removed.
    """
    from atomlens.reports.page import write_page
    from atomlens.reports.tables import write_extxyz

    stems = unique_stems([e.name for e in explanations], taken=("index",))
    for done, (stem, explanation) in enumerate(zip(stems, explanations, strict=True), start=1):
        if single_pages or len(stems) == 1:
            explanation.to_html(folder / f"{stem}.html")
        explanation.to_png(folder / f"{stem}.png")
        write_extxyz(explanation.to_atoms(), folder / f"{stem}.extxyz")
        write_text(to_json(explanation.to_dict()) + "\n", folder / f"{stem}.json")
        if progress is not None:
            progress(done, len(stems))
    if len(stems) > 1:
        write_page([e.picture() for e in explanations], folder / "index.html")
    else:
        _remove_index(folder / "index.html")
    return stems


def write_drawings(
    explanations: Sequence[Explanation], stems: Sequence[str], folder: Path
) -> list[str]:
    """Write a molecule's drawing ``STEM.svg`` of each explanation; return why some have none."""
    undrawn = []
    for stem, explanation in zip(stems, explanations, strict=True):
        try:
            explanation.to_drawing(folder / f"{stem}.svg")
        except ExplanationError as problem:
            undrawn.append(str(problem))
    return undrawn


def _remove_index(path: Path) -> None:
    """Remove an index of ours, which is about other structures; another page stays."""
    try:
        ours = "atomlens" in path.read_text(encoding="utf-8", errors="replace")[:20_000]
    except OSError:
        return
    if ours:
        path.unlink(missing_ok=True)


def unique_stems(names: Sequence[str], taken: Sequence[str] = ()) -> list[str]:
    """Return one file name without suffix per name, all different on every file system."""
    used = {t.casefold() for t in taken}
    numbers: dict[str, int] = {}
    stems = []
    for name in names:
        stem = candidate = file_stem(name.replace("/", "_"))
        number = numbers.get(stem, 1)
        while candidate.casefold() in used:
            number += 1
            candidate = f"{stem}-{number}"
        numbers[stem] = number
        used.add(candidate.casefold())
        stems.append(candidate)
    return stems


def draw_targets(prediction: Prediction, true: Values, folder: Path, title: str) -> None:
    """Draw a parity plot of every number, and the best to worst spectra."""
    from atomlens.reports.figures import draw_parity
    from atomlens.reports.spectrum_figure import draw_spectra

    targets = prediction.targets
    stems = unique_stems([target.name for target in targets])
    for target, place, stem in zip(targets, value_slices(targets), stems, strict=True):
        known = np.isfinite(true[:, place])
        if target.kind == "classification" or not known.any():
            continue
        suffix = f"_{stem}" if len(targets) > 1 else ""
        if target.is_spectrum:
            panels = compared_spectra(prediction, true[:, place], target.name)
            x_label, y_label = axis_labels(target)
            path = folder / f"spectra{suffix}.png"
            draw_spectra(panels, path, x_label=x_label, y_label=y_label, title=title)
            continue
        draw_parity(
            true[:, place.start],
            prediction.values[:, place.start],
            std=prediction.std[:, place.start],
            target=target.name,
            unit=target.unit,
            path=folder / f"parity{suffix}.png",
            title=title,
        )
