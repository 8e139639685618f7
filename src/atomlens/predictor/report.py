"""What is written and drawn of predictions beside true values."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from atomlens.files import to_json, write_text
from atomlens.predictor.evaluation import learned_from, without_coverage
from atomlens.predictor.figures import tables_by_class
from atomlens.predictor.measuring import confusion_matrix, normal_shares, share_interval
from atomlens.predictor.metrics import ClassificationMetrics, Metrics
from atomlens.predictor.prediction import Prediction
from atomlens.reports.coverage import staircase
from atomlens.targets import value_slices
from atomlens.units import unit_text

if TYPE_CHECKING:
    pass

from atomlens.files import unique_stems
from atomlens.predictor.spectrum_panels import axis_labels, compared_spectra

Values = NDArray[np.float64]


def write_evaluation(
    prediction: Prediction,
    true: Values,
    metrics: Metrics,
    folder: Path,
    remarks: Sequence[str] = (),
    about: Mapping[str, Any] | None = None,
) -> list[Path]:
    """Write metrics.json, predictions.csv, figures of each number that is predicted, and a page.

    ``remarks`` are sentences that the page repeats; ``about`` stands in metrics.json: ``made_by``
    (`Predictor.identity`), ``data`` and ``part``.

    Returns the files that were written, in the order of their names.
    """
    from atomlens.reports.figures import draw_calibration, draw_parity
    from atomlens.reports.spectrum_figure import draw_spectra
    from atomlens.reports.tables import write_table

    written = [folder / "predictions.csv", folder / "metrics.json"]
    write_table(compared_rows(prediction, true), written[0])
    targets = prediction.targets
    stems = unique_stems([target.name for target in targets])
    captions: dict[Path, str] = {}
    for i, (target, place) in enumerate(zip(targets, value_slices(targets), strict=True)):
        figures = metrics[target.name]
        if not figures.n:
            continue
        stem = "" if len(targets) == 1 else f"-{stems[i]}"
        if isinstance(figures, ClassificationMetrics):
            shares = prediction.probabilities[i]
            assert shares is not None
            captions |= _draw_classes(figures, shares, true[:, place.start], folder, stem)
            continue
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
            unit=unit_text(target.unit),
            std=std.ravel(),
            path=folder / f"parity{stem}.png",
        )
        judged = np.where(learned_from(prediction)[:, None], np.nan, std)
        curve = calibration_curve((found - true[:, place]).ravel(), judged.ravel())
        if curve is not None:
            written.append(folder / f"calibration{stem}.png")
            draw_calibration(*curve, written[-1], title=target.name)
    written += captions
    content = {**metrics.to_dict(), **(about or {})}
    write_text(to_json(content) + "\n", folder / "metrics.json")
    written.append(_evaluation_page(prediction, true, metrics, written, captions, folder, remarks))
    return sorted(written)


def _draw_classes(
    figures: ClassificationMetrics, probabilities: Values, true: Values, folder: Path, stem: str
) -> dict[Path, str]:
    """Draw what there is of a target that has classes; return what each figure shows.

    Args:
        figures: Its metrics.
        probabilities: (n, n_classes)
        true: (n,) numbers of the classes, NaN where unknown.
        folder: Where to.
        stem: What the files' names end with.
    """
    from atomlens.reports.class_figures import (
        MOST_CURVES,
        draw_confusion,
        draw_ranking,
        draw_reliability,
    )

    target, classes = figures.target, figures.classes
    path = folder / f"confusion{stem}.png"
    draw_confusion(figures.confusion, classes, path, target=target, title=target)
    captions = {
        path: f"{target}: confusion matrix. Samples of each class (row) by the class that is "
        "said (column), and per cent of the row."
    }
    known = np.isfinite(true) & np.isfinite(probabilities).all(axis=1)
    drawn = draw_ranking(
        true[known].astype(np.int64), probabilities[known], classes, folder, stem=stem, title=target
    )
    if drawn:
        whose = f"the probability of {classes[1]}"
        if len(classes) > 2:
            whose = "the probability of each class, against all others"
            if len(classes) > MOST_CURVES:
                whose += f" (the {MOST_CURVES} most frequent classes)"
        captions[drawn[0]] = (
            f"{target}: ROC curve of {whose}. The straight line is chance (area 0.5)."
        )
        captions[drawn[1]] = (
            f"{target}: precision over recall by {whose}. The thin line is chance; the mean is the "
            "average precision."
        )
    error, groups = figures.class_calibration_error, figures.reliability
    if error is not None:
        path = folder / f"reliability{stem}.png"
        intervals = [share_interval(round(one.share * one.n), one.n) for one in groups]
        draw_reliability(
            groups,
            path,
            of=probability_of(classes),
            share_of=so(classes),
            error=error,
            brier=figures.brier,
            intervals=[ends for ends in intervals if ends is not None],
            title=target,
        )
        captions[path] = (
            f"{target}: share that is {so(classes)}, over the probability of "
            f"{probability_of(classes)}, in groups of like probability. Lines: 95 % interval "
            "(Wilson); below: samples of each group."
        )
    return captions


def probability_of(classes: Sequence[str]) -> str:
    """Return what the groups of `ClassificationMetrics.reliability` are of."""
    return classes[1] if len(classes) == 2 else "the class that is said"


def so(classes: Sequence[str]) -> str:
    """Return what the samples of these groups are that the share counts."""
    return classes[1] if len(classes) == 2 else "right"


UNLIKE = 99.0
"""Percent: structures farther from the training data than so many of the validation part."""


def _evaluation_page(
    prediction: Prediction,
    true: Values,
    metrics: Metrics,
    written: list[Path],
    captions: Mapping[Path, str],
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
    targets = metrics.to_dict()["targets"]
    return write_evaluation_page(
        folder / "index.html",
        title=f"{metrics.n_samples} structures, predicted and known",
        rows=metrics.to_rows(),
        tables={f"{name}, by class": rows for name, rows in tables_by_class(targets).items()}
        | {
            f"{name}, by the probability of {probability_of(figures['classes'])}": [
                {
                    "mean probability": f"{one['probability']:.3g}",
                    f"share that is {so(figures['classes'])}": f"{one['share']:.3g}",
                    "samples": one["n"],
                }
                for one in figures["reliability"]
            ]
            for name, figures in targets.items()
            if figures.get("reliability")
        },
        judged=[figures for figures in targets.values() if "mae" in figures],
        classified=[figures for figures in targets.values() if "accuracy" in figures],
        unjudged=tuple(without_coverage(prediction, true)),
        figures={
            path: captions.get(path, path.stem.replace("-", " ").replace("_", " "))
            for path in written
            if path.suffix == ".png"
        },
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
            unit = f" {unit_text(target.unit)}".rstrip()
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


def calibration_curve(error: Values, std: Values) -> tuple[Values, Values] | None:
    """Return promised and found shares inside the error estimates: every step of the curve."""
    known = np.isfinite(error) & np.isfinite(std)
    if not known.any():
        return None
    return staircase(normal_shares(error[known], std[known]))


def draw_targets(prediction: Prediction, true: Values, folder: Path, title: str) -> None:
    """Draw a parity plot of every number, a confusion matrix of classes, best to worst spectra."""
    from atomlens.reports.class_figures import draw_confusion
    from atomlens.reports.figures import draw_parity
    from atomlens.reports.spectrum_figure import draw_spectra

    targets = prediction.targets
    stems = unique_stems([target.name for target in targets])
    for target, place, stem in zip(targets, value_slices(targets), stems, strict=True):
        known = np.isfinite(true[:, place])
        if not known.any():
            continue
        suffix = f"_{stem}" if len(targets) > 1 else ""
        if target.kind == "classification":
            counts = confusion_matrix(
                true[:, place.start], prediction.values[:, place.start], len(target.classes)
            )
            path = folder / f"confusion{suffix}.png"
            draw_confusion(counts.tolist(), target.classes, path, target=target.name, title=title)
            continue
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
            unit=unit_text(target.unit),
            path=folder / f"parity{suffix}.png",
            title=title,
        )
