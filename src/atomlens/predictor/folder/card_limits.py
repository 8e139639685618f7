"""What the numbers of a model do not mean, for its card: scores, errors, probabilities."""

from collections.abc import Mapping, Sequence

from atomlens.predictor.figures import plain_number
from atomlens.predictor.folder.card_marks import code, plain
from atomlens.predictor.trained import TrainedModel
from atomlens.predictor.trust.calibration import FEWEST_FOR_TEMPERATURE, TargetCalibration
from atomlens.targets import Target, value_slices


def limits(predictor: TrainedModel) -> str:
    """Return what its errors hold for, what scores, `unlike`, `_std` and intervals are."""
    others = ", sizes or kinds of bonding" if predictor.builder.needs_positions else ""
    lines = [
        "- The errors hold for what is like the training data. For other elements"
        f"{others or ' or kinds of compounds'} they say nothing."
        if any(isinstance(predictor.metrics.get(p), Mapping) for p in ("validation", "test"))
        else "- How large its errors are has not been measured.",
        *_about_scores(predictor),
    ]
    about = predictor.record.about
    lines += [] if about is None else [f"- {sentence}" for sentence in about.not_for]
    if about is not None and about.geometries:
        lines.append(
            f"- The errors hold for geometries that were relaxed as those of the data were "
            f"({plain(about.geometries)}). Those of force fields and semi-empirical methods have "
            "larger ones."
        )
    if predictor.familiarity is not None:
        sizes = f" (molecules of more than {predictor.most_atoms} atoms, too)"
        sees = "the network sees" if predictor.models[0].makes_vectors else "this model reads"
        refused = (
            f" At 100{sizes if predictor.most_atoms else ''}, and for elements and kinds of "
            "structure that training had not, no error is estimated."
        )
        lines.append(
            "- `unlike` is the share of the validation part (in percent) that is nearer to the "
            f"training data than the input, as {sees} them. Above 99 there is a warning."
            f"{refused if _estimated(predictor) else ''} A low number is no promise: two "
            "structures may look alike and differ."
        )
    else:
        lines.append(
            "- It does not say how unlike its training data an input is (there is no `unlike`)"
            + (": it looks at no atom." if not predictor.models[0].looks_at_atoms else ".")
        )
    return "\n".join(lines + _about_errors(predictor))


def _about_scores(predictor: TrainedModel) -> list[str]:
    """Return what scores of atoms mean, of the methods that this model has."""
    model, lines = predictor.models[0], []
    if not model.looks_at_atoms:
        return ["- It looks at no atom, so there is nothing to explain."]
    if model.is_additive:
        of = "that the prediction is"
        if all(t.kind == "classification" for t in predictor.targets):
            of = "from which probabilities are made"
        lines.append(
            f"- A contribution is the term of an atom in the sum {of}. It says how this model "
            "shares out its prediction, not what would change if the atom were removed."
        )
    if model.attends_to_atoms:
        lines.append(
            "- An attention score is the share of an atom in the model's readout. It says where "
            "the model looks, not what would change if the atom were removed, and it can be "
            "compared inside one structure only."
        )
    if not lines:
        lines.append(
            "- Every atom has the same share in its readout, so there is no attention to show. "
            "`explain` shows how the prediction changes when the model is not shown an atom; a "
            "structure with such a hole is one that it has not been trained on."
        )
    return lines


_SOURCES = {
    "ensemble": "the spread of the ensemble's members",
    "heteroscedastic": "the noise that the model predicts",
    "ensemble + heteroscedastic": "the spread of the ensemble's members and the noise they predict",
}


def _estimated(predictor: TrainedModel) -> list[Target]:
    """Return the targets whose error the model estimates."""
    has_spread = predictor.std_source not in ("none", "validation")
    places = zip(predictor.targets, value_slices(predictor.targets), strict=True)
    return [
        target
        for target, place in places
        if target.kind == "regression"
        and (has_spread or any(c is not None for c in predictor.calibration.targets[place]))
    ]


def _about_errors(predictor: TrainedModel) -> list[str]:
    """Return what `_std` and intervals are, of each group of targets that have the same."""
    found: dict[str, list[str]] = {}
    estimated = _estimated(predictor)
    places = zip(
        predictor.targets, value_slices(predictor.targets), predictor.intervals, strict=True
    )
    for target, place, has_interval in places:
        if target.kind == "classification":
            said = (
                "A class has no error estimate: beside it stand the probabilities of all classes. "
                + _about_probabilities(predictor, place.start)
            )
        elif target not in estimated:
            said = "There is no error estimate: the validation part had no value of it."
            if not predictor.record.split.get("validation"):
                said = "There was no validation part, so there is no error estimate."
        else:
            known = [c for c in predictor.calibration.targets[place] if c is not None]
            said = f"The error estimate (`_std`) is {_source(predictor, target, known)}. "
            said += _interval(predictor, known) if has_interval else _no_interval(known)
        found.setdefault(said, []).append(code(target.name))
    return [
        f"- {said}" if len(found) == 1 else f"- {', '.join(names)}: {said}"
        for said, names in found.items()
    ]


def _about_probabilities(predictor: TrainedModel, column: int) -> str:
    """Return whether probabilities of classes are calibrated, and on what."""
    known = predictor.calibration.classes
    found = known[column] if known else None
    if found is None:
        return (
            "They are as the network says them and not calibrated, which takes "
            f"{FEWEST_FOR_TEMPERATURE} values of the validation part, of two classes or more."
        )
    if found.temperature == 1:
        return (
            f"No temperature makes them clearly better on {found.n} values of the validation part "
            f"(cross-entropy {found.cross_entropy:.4g}), so they are as the network says them."
        )
    sure = "too sure" if found.temperature > 1 else "not sure enough"
    return (
        f"They are calibrated: the network was {sure}, so its logits are divided by a temperature "
        f"of {found.temperature:.3g} (Guo et al. 2017), fitted to {found.n} values of the "
        f"validation part, on which the cross-entropy went from {found.cross_entropy:.4g} to "
        f"{found.calibrated:.4g}. The class that is said is the same with and without."
    )


def _source(predictor: TrainedModel, target: Target, known: Sequence[TargetCalibration]) -> str:
    """Return where the error estimate of a target comes from."""
    spread = _SOURCES.get(predictor.std_source)
    grows = any(c.growth > 0 for c in known)
    far = "; it grows with the distance to the training data" if grows else ""
    if spread is None:
        each = "atom" if target.extensive else "structure"
        near = " near the training data" if grows else ""
        return (
            "the root mean squared error on the validation part, the same for every "
            f"{each}{near}{far}"
        )
    if not known:
        return f"{spread}, which no errors of a validation part were compared with"
    return (
        f"{spread}, rescaled and with a constant part added in squares, both fitted to the "
        f"validation part{far}"
    )


def _interval(predictor: TrainedModel, known: Sequence[TargetCalibration]) -> str:
    """Return what an interval promises."""
    said = (
        "The 90 % interval is split conformal: nine of ten new values lie inside if they come from "
        "where the validation part did."
    )
    return f"{said} {_how_calibrated(predictor, known)}".rstrip()


def _no_interval(known: Sequence[TargetCalibration]) -> str:
    """Return why there is no interval."""
    n = max((c.n for c in known), default=0)
    return (
        f"There is no 90 % interval: it takes nine values of the validation part or more, and "
        f"there {'was' if n == 1 else 'were'} {n or 'none'}."
    )


def _how_calibrated(predictor: TrainedModel, known: Sequence[TargetCalibration]) -> str:
    """Return what the validation part was used for, beside the interval."""
    share = predictor.record.settings.get("calibration_share")
    share = share if isinstance(share, float) and 0 < share < 1 else 0  # a file may say anything
    n_folds = max((t.n_folds for t in known), default=0)
    chosen = ""
    if share:
        chosen = f"{share:.0%} of the validation part was kept for it and chose no epoch."
    elif predictor.record.history:
        chosen = f"The same part chose the epoch that was kept: {_how_narrow(predictor)}."
    if not n_folds:
        return chosen
    said = f"No value was judged by a fit of the spread that had seen it ({n_folds} parts)."
    return f"{chosen} {said}".strip()


def _how_narrow(predictor: TrainedModel) -> str:
    """Return what is known of an interval that may be too narrow: what the test part has shown."""
    test = predictor.metrics.get("test")
    targets = test.get("targets") if isinstance(test, Mapping) else None
    figures = targets.values() if isinstance(targets, Mapping) else ()
    if any(
        isinstance(one, Mapping) and plain_number(one, "interval_coverage") is not None
        for one in figures
    ):
        return "what it holds of the test part stands above"
    return "it may be a little too narrow"
