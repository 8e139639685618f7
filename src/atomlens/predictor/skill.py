"""What figures say of a model that is no better than a constant, or whose intervals are wrong."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from atomlens.predictor.figures import by_class, plain_number
from atomlens.predictor.trust.calibration import INTERVAL
from atomlens.units import unit_text


def without_skill(targets: Mapping[str, Mapping[str, Any]], where: str = "") -> Iterator[str]:
    """Yield a sentence on each target that is predicted no better than by a constant.

    And on each class that is never said, and on probabilities that are worse than the shares of
    the classes in the training part.

    Args:
        targets: Figures by target, as in ``metrics.json``; those of older versions may lack some.
        where: What the figures are of, ``on the test part``.
    """
    place = f" {where}" if where else ""
    for name, figures in targets.items():
        n = figures.get("n")
        values = "1 value" if n == 1 else f"{n} values"
        mae, mad = plain_number(figures, "mae"), plain_number(figures, "mad")
        if mae is not None and mad is not None and n and mae >= mad and mae > 0:
            unit = f" {unit_text(figures.get('unit') or '')}".rstrip()
            about = figures.get("mad_about", "these values")
            about = "the training part" if about == "training part" else about
            yield (
                f"{name}: no better than predicting the mean of {about}{place}: the mean absolute "
                f"error is {mae:.4g}{unit}, that of the mean {mad:.4g}{unit} ({values})."
            )
        yield from _of_classes_without_skill(name, figures, place)


_RANKS_WELL, _CERTAIN = 0.8, 2.5
"""Area under the ROC curve from which classes are ranked well, and by how many standard deviations
of a random order it must be above a half: with 3 of 120 samples one of 0.99 is, with 2 none."""
_FEWEST_FOR_SHARES = 10
"""With fewer values a single one decides whether probabilities are better than shares."""
_FEW_OF_A_CLASS = 3
"""Samples of a class from which never saying it is worth a word."""


def _of_classes_without_skill(name: str, figures: Mapping[str, Any], place: str) -> Iterator[str]:
    """Yield what `without_skill` says of one target that has classes."""
    n = figures.get("n")
    right = plain_number(figures, "accuracy")
    common = plain_number(figures, "most_common")
    if right is None or common is None or not n:
        return
    values = "1 value" if n == 1 else f"{n} values"
    if common == 1 == right:
        if n > 1:
            yield (
                f"{name}: all {values}{place} are of one class, so that they are right says "
                "nothing of telling the classes apart."
            )
        return
    classes = by_class(figures)
    ranked = [one for one in classes if _ranks_well(one, int(n))]
    never = [one for one in classes if not one["n_said"] and one["n"] >= _FEW_OF_A_CLASS]
    found = [one for one in never if one in ranked]
    for one in found:
        yield (
            f"{name}: never says {one['label']}{place} ({one['n']} of {values} are), but ranks "
            f"well (ROC AUC {one['auc']:.3g}): order by its probability, {name}_{one['label']}."
        )
    if right <= common and not found and ranked:
        best = min(ranked, key=lambda one: int(one["n"]))  # which is looked for
        yield (
            f"{name}: right no more often than always saying the most common class{place} "
            f"({right:.3g} and {common:.3g} of {values}), but ranks well (ROC AUC "
            f"{best['auc']:.3g}): order by the probability {name}_{best['label']}."
        )
    elif right <= common and not found:
        yield (
            f"{name}: no better than always saying the most common class{place}: {right:.3g} "
            f"of {values} are right, {common:.3g} are of that class."
        )
    elif right > common:
        for one in never:
            if one not in found:
                yield (
                    f"{name}: never says {one['label']}{place}, of which {one['n']} of {values} "
                    "are."
                )
    entropy = plain_number(figures, "cross_entropy")
    of_shares = plain_number(figures, "cross_entropy_of_shares")
    enough = int(figures.get("n", 0)) >= _FEWEST_FOR_SHARES
    if enough and entropy is not None and of_shares is not None and entropy > of_shares:
        yield (
            f"{name}: its probabilities are worse{place} than always giving the shares of the "
            f"classes in the training part: the cross-entropy is {entropy:.4g}, theirs "
            f"{of_shares:.4g} ({values})."
        )


def _ranks_well(one: Mapping[str, Any], n: int) -> bool:
    """Say whether the probability of a class orders n samples well, and not by chance."""
    auc, own = plain_number(one, "auc"), one["n"]
    if auc is None or auc < _RANKS_WELL or not 0 < own < n:
        return False
    return (auc - 0.5) / math.sqrt((n + 1) / (12 * own * (n - own))) >= _CERTAIN


_FEWEST_FOR_COVERAGE = 20
"""Values with an interval from which the share inside says something."""
_BY_CHANCE, _OFF = 0.005, 0.02
"""So seldom a share this far away from what was promised is chance; less than 2 % is no matter."""


def wrong_coverage(
    targets: Mapping[str, Mapping[str, Any]], where: str = "", *, own: bool = True
) -> Iterator[str]:
    """Yield a sentence on each target whose 90 % intervals do not hold what they promise.

    That is where so many values are outside (or inside) as chance leaves once in 200 times, by the
    binomial distribution: values count as independent, so give no spectra.

    Args:
        targets: Figures by target, as in ``metrics.json``.
        where: What the figures are of, ``on the test part``.
        own: They are of the data that the model was trained with.
    """
    from scipy.special import bdtr, bdtrc

    place = f" {where}" if where else ""
    for name, figures in targets.items():
        inside, n = plain_number(figures, "interval_coverage"), figures.get("n_judged")
        n = figures.get("n") if n is None else n
        if inside is None or not isinstance(n, int) or n < _FEWEST_FOR_COVERAGE:
            continue
        n_inside = round(inside * n)
        if abs(inside - INTERVAL) <= _OFF:
            continue
        said = f"{n_inside} of {n:,} values{place} are inside ({inside:.1%})".replace("%)", " %)")
        if inside > INTERVAL:
            if float(bdtrc(n_inside - 1, n, INTERVAL)) < _BY_CHANCE:
                yield f"{name}: its 90 % intervals are wider than they need be: {said}."
            continue
        if float(bdtr(n_inside, n, INTERVAL)) >= _BY_CHANCE:
            continue
        other = "" if own else "These data may be of another kind than the training's. If not, what"
        yield (
            f"{name}: its 90 % intervals are too narrow: {said}, fewer than chance leaves. "
            f"{other or 'What'} helps: a larger validation part (split=random:.6/.3/.1), half of "
            "it for the intervals alone (calibration_share=0.5), or an ensemble (ensemble=5)."
        )
