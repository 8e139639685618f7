"""Numbers and sentences as readers see them, the same in pictures, pages and tables."""

import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from atomlens.elements.naming import chemical_formula
from atomlens.reports.content import ExplainedStructure

if TYPE_CHECKING:
    from ase import Atoms

_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")

_STD_IS = {
    "ensemble": "how much the members of an ensemble disagree",
    "heteroscedastic": "the error that the model itself expects for this structure",
    "ensemble + heteroscedastic": "how much the members of an ensemble disagree and the error that "
    "they expect",
}
NO_STD = {
    "none": "This model gives no error estimate.",
    "none for this property": "This model gives no error estimate for this property: its "
    "validation part had no value of it.",
    "none for this structure": "The model estimates errors, but not for this structure: it is too "
    "unlike those of the validation part, on whose errors the estimates rest.",
    "none for a class": "A probability has no ±: it is itself what the model says of how sure it "
    "is.",
    "none for a mean": "A mean over a spectrum has no ±; each point of the spectrum has one.",
}
"""Why no ± stands beside a value, by what `std_source` says then."""

_SHARED_OUT = (
    "A sum can be split in many ways: a term says how this model shares out its prediction, not "
    "what nature would lose without the atom."
)
_MEANINGS = {
    "attention": (
        "The score of an atom is its share in the model's readout: how much of the number above "
        "is gathered from that atom's site. The shares of one structure add up to 1, so an atom "
        "that stands out from no other gets one part in the number of atoms (the even share).",
        "It says where this model looks, not how the value would change without the atom. It is "
        "no charge and no orbital population, and structures of different size cannot be compared.",
    ),
    "contribution": (
        "The score of an atom is its term in the sum that makes up the prediction (written out "
        "above the table of atoms): by how much it raises or, if negative, lowers the value.",
        _SHARED_OUT,
    ),
    "contribution to a class": (
        "The probability is made of a sum over atoms (of the logit of this class over the mean of "
        "the others'; for two classes that is the logarithm of the odds), and the score of an atom "
        "is its term in that sum.",
        _SHARED_OUT,
    ),
    "gradient": (
        "The score of an atom is the strength with which the predicted value answers to a small "
        "change of that atom's features.",
        "It holds for small changes around this structure only. A large score does not say that "
        "the atom raises the value, and a small one can mean that the answer is saturated.",
    ),
    "integrated-gradients": (
        "The scores share out among the atoms the difference between this prediction and that for "
        "the same geometry with the structure's average atom at every site.",
        "They depend on the chosen reference. A positive score says that the atom raises the "
        "prediction against that reference, not that nature would do the same.",
    ),
    "attention-rollout": (
        "The score of an atom is its share in the readout after the attention over neighbours was "
        "followed down through all layers. The shares of one structure add up to 1.",
        "Half of every share is taken to stay in place in each layer, which is a convention, and "
        "what the layers do besides attending is left out.",
    ),
    "gradient-x-input": (
        "The score of an atom is the slope of the prediction along the atom's own vector.",
        "It is exact for a linear model only, and depends on where the vectors have their zero.",
    ),
    "integrated-gradients-mask": (
        "The scores share out among the atoms the difference between this prediction and that for "
        "the same geometry with every element hidden.",
        "They depend on that reference. A positive score says that the atom raises the prediction "
        "against it, not that nature would do the same.",
    ),
    "expected-gradients": (
        "The scores share out among the atoms the difference between this prediction and the mean "
        "one where all of them are of one element, whichever.",
        "Many of those references are no possible molecules or crystals.",
    ),
    "shapley": (
        "The score of an atom is the change of the prediction when its element is named, averaged "
        "over orders in which all elements are.",
        "Structures with half of their elements hidden are unlike what chemistry knows, and each "
        "score mixes the atom with all that it acts together with.",
    ),
    "learnt-mask-edges": (
        "The score of a pair of atoms is how much of what they say to each other must arrive for "
        "the prediction to stay, as a share; an atom has half of each of its pairs. The shares of "
        "one structure add up to 1.",
        "Other masks can keep the prediction as well: a small score does not say that the pair "
        "plays no part. Pairs are neighbours of the model, not bonds.",
    ),
    "learnt-mask": (
        "The score of an atom is how much of its element it must keep for the prediction to stay, "
        "as a share; the shares of one structure add up to 1.",
        "Other masks can keep the prediction as well: a small score does not say that the atom "
        "plays no part.",
    ),
    "occlusion-mask": (
        "The score of an atom is the change of the prediction when the model is not told the "
        "atom's element; its neighbours still see that somebody is there.",
        "A nameless atom is no vacancy: what is measured is the element, not the site.",
    ),
    "occlusion-rebuilt": (
        "The score of an atom is the change of the prediction when the structure is read again "
        "without that atom, so that its neighbours see each other.",
        "It compares with another structure, which mixes the atom with what its hole does.",
    ),
    "occlusion": (
        "The score of an atom is the change of the prediction when the model is not shown that "
        "atom.",
        "A structure with a hole is one that the model has not been trained on, and atoms that "
        "stand in for each other can all look unimportant when removed one at a time.",
    ),
}
_ANY_METHOD = (
    "The score says how strongly the method named above ties this prediction to the atom.",
    "It describes the model, not nature: check it against models trained from other seeds and "
    "with a deletion test before drawing a conclusion.",
)


_PAIRS = {
    "attention": "How much two atoms attend to each other, both ways added. Each atom shares out 1 "
    "among its neighbours, so a pair has 2 at most.",
    "learnt-mask-edges": "Shares of all pairs, which add up to 1.",
}


def pairs_sentence(method: str) -> str:
    """Return what the scores of pairs of neighbours are, of a method that has them."""
    return _PAIRS.get(method, "")


def meaning(method: str, score_unit: str = "") -> tuple[str, str]:
    """Return what a method's score means, and what it does not mean."""
    if method == "contribution" and score_unit.startswith("logit"):
        method = "contribution to a class"
    return _MEANINGS.get(method, _ANY_METHOD)


_OF_THE_CELL = frozenset(
    (
        "occlusion",
        "occlusion-mask",
        "occlusion-rebuilt",
        "shapley",
        "learnt-mask",
        "learnt-mask-edges",
    )
)
"""Methods that take atoms away or hide them."""


def scores_note(method: str, atoms: "Atoms", score_unit: str, prediction: float) -> str:
    """Return what to beware of in the scores of one structure; empty where there is nothing."""
    notes = []
    if method in _OF_THE_CELL and atoms.pbc.any():
        notes.append(
            "An atom is taken away with all its periodic copies, so these scores are those of the "
            "cell as it is written: another cell of the same crystal gives others."
        )
    if score_unit.startswith("probability of ") and prediction > _NEARLY_SURE:
        notes.append(
            f"The probability is above {_NEARLY_SURE:g}, where it hardly moves: small scores do "
            "not mean that the atoms hardly matter."
        )
    return " ".join(notes)


_NEARLY_SURE = 0.98
"""Probability from which a change of the logit by 1 is one of less than 0.035"""

_SPREADS = {
    "ensemble": "± beside a score is how far the members of the ensemble differ",
    "dropout": "± beside a score is how far networks differ that dropout thins out of this one",
    "sampling": "± beside a score is its error of sampling",
    "ensemble and sampling": "± beside a score is how far the members of the ensemble differ, with "
    "the error of sampling in it",
}


def spread_sentence(structure: ExplainedStructure) -> str:
    """Return in words over what the scores vary, and whether the order of the atoms stays."""
    words = _SPREADS.get(structure.scores_std_source)
    if words is None:
        return "How much the scores would change with another training is not known."
    stable, n = structure.rank_stability, distinct_sites(structure)
    if stable is None or n < 2:
        return f"{words}."
    least, trust = next(pair for pair in _STABLE if stable >= pair[0])
    if n < _FEW_SITES and least == _STABLE[0][0]:
        trust = "which so few can do by chance"
    else:
        trust = f"so {trust}"
    return (
        f"{words}; their orders of the {n} distinct sites correlate by rank with "
        f"{number(stable, 2)} (mean of all pairs), {trust}. {leader_sentence(structure)}"
    ).rstrip()


def leader_sentence(structure: ExplainedStructure) -> str:
    """Return which atom leads, and in how many of the networks; empty where nobody knows."""
    share = structure.leading_share
    if share is None:
        return ""
    first = int(np.abs(structure.scores).argmax())
    atom = f"{structure.atoms.get_chemical_symbols()[first]}{first}"
    if share > 1 - 1e-9:
        return f"All of them agree which atom leads ({atom})."
    some = f"{100 * share:.0f} % of them only" if share > 0 else "none of them"
    return (
        f"The atom with the largest score, {atom}, leads in {some}: do not call it the decisive "
        "one."
    )


def distinct_sites(structure: ExplainedStructure) -> int:
    """Return how many kinds of atoms there are, by element and size of the score.

    Atoms that symmetry makes equal have equal scores, up to rounding.
    """
    sizes = np.abs(structure.scores)
    shares = np.round(sizes / max(float(sizes.max(initial=0.0)), 1e-300), 4).tolist()
    return len(set(zip(structure.atoms.numbers.tolist(), shares, strict=True)))


_STABLE = (
    (0.7, "the order holds"),
    (0.4, "only large differences should be read"),
    (-math.inf, "trust no order of the atoms"),
)
"""What orders of atoms are worth from which mean rank correlation on."""
_FEW_SITES = 6
"""Orders of fewer say little: three networks agree on two sites one time in four by chance."""


def std_sentence(
    source: str, *, fitted: bool = True, grows: bool = False, per_atom: bool = False
) -> str:
    """Return in words where the error estimate comes from, or why there is none.

    Args:
        source: ensemble, heteroscedastic, both with `` + ``, validation, or a key of ``NO_STD``.
        fitted: Whether it was fitted to errors on validation structures.
        grows: Whether it grows with the distance to the training data.
        per_atom: Whether the property is a sum over atoms, whose error grows with their number.
    """
    if source in NO_STD:
        return NO_STD[source]
    far = "; it is larger far from the training data" if grows else ""
    if source == "validation":
        each = "for every atom" if per_atom else "for every input"
        if grows:
            where = "near the training data and larger far from it"
            return f"± is the typical error on validation structures, the same {each} {where}."
        return f"± is the typical error on validation structures, the same {each}."
    if source not in _STD_IS:
        return f"± comes from: {source}."
    if not fitted:
        return f"± is {_STD_IS[source]}, compared with no errors on validation structures."
    return (
        f"± is {_STD_IS[source]}, times a factor, with a constant part added in squares; both were "
        f"fitted to the errors on validation structures{far}."
    )


def beside_sentence(structure: ExplainedStructure) -> str:
    """Return between which ends the true value lies, and how unlike the training data it is."""
    sentences = []
    if structure.low is not None and structure.high is not None and structure.interval:
        ends = [alike(end, structure.std) for end in (structure.low, structure.high)]
        unit = f" {structure.unit}".rstrip()
        beside = " and at most half of the interval"
        if structure.low == 0:
            beside = "; the interval ends at 0, the bound of the property"
        sentences.append(
            f"{100 * structure.interval:.0f} % interval: {' to '.join(ends)}{unit}, measured on "
            f"validation structures; it is not 1.64 of ±, which is one standard deviation{beside}."
        )
    if structure.unlike is not None:
        sentences.append(
            f"`unlike` {structure.unlike:g}: so many percent of the validation structures are "
            "nearer to the training data."
        )
    return " ".join(sentences)


def alike(value: float, std: float | None) -> str:
    """Return a number with as many decimals as the value beside an error has."""
    return value_with_error(value, std).split(" ± ")[0]


def seen_sentence(part: str) -> str:
    """Return in words in which part of the training a structure was; empty if in none."""
    words = {
        "train": "The model was trained on this structure.",
        "validation": "This structure was in the validation part of the model's training.",
        "test": "This structure was in the test part, which the model was not trained on.",
        "pretraining": "The model learned from this structure before it was fine-tuned.",
    }
    return words.get(part, "")


def number(value: float, digits: int = 3) -> str:
    """Return a number with so many significant digits and a real minus sign."""
    if not math.isfinite(value):
        return "–"
    size = 0 if value == 0 else math.floor(math.log10(abs(value)))
    if size < -4 or size > 6:
        mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
        text = f"{mantissa}e{int(exponent)}"
    else:
        text = f"{value:.{max(digits - 1 - size, 0)}f}"
    return text.replace("-", "−")


def signed(value: float) -> str:
    """Return a change with its sign, such as ``+0.85`` or ``−1.38``."""
    text = number(value, 3)
    return f"+{text}" if value > 0 else text


def value_with_error(value: float, std: float | None) -> str:
    """Return a value with as many decimals as its error has in two digits."""
    if std is None or not math.isfinite(std) or not math.isfinite(value) or std <= 0:
        return number(value, 4)
    decimals = 1 - math.floor(math.log10(std))
    if not -4 <= decimals <= 6 or abs(value) >= 1e7:
        return f"{number(value, 4)} ± {number(std, 2)}"
    shown = max(decimals, 0)
    return f"{value:.{shown}f} ± {std:.{shown}f}".replace("-", "−")


def prediction_text(structure: ExplainedStructure) -> str:
    """Return the prediction with error and unit, such as ``−6.42 ± 0.12 eV``.

    With a ⚠ behind it where it should be mistrusted: pictures and lists have no place for reasons.
    """
    text = value_with_error(structure.prediction, structure.std)
    mark = " ⚠" if structure.warning else ""
    return f"{text} {structure.unit}".rstrip() + mark


_REFERENCES = {
    "integrated-gradients": "the average atom at every site",
    "expected-gradients": "all atoms of one element, mean over the elements",
}
"""What scores are the difference to."""


def sum_sentence(structure: ExplainedStructure) -> str:
    """Return a sentence on how the scores make up the prediction; empty where they do not.

    Such as ``−6.54 (mean of the training values) + 0.12 (sum of the atoms) = −6.42 eV.``
    """
    start, unit, what = structure.offset, structure.unit, "mean of the training values"
    if start is None:
        start, unit = structure.reference, structure.score_unit
        what = _REFERENCES.get(structure.method, "every element hidden")
    if start is None:
        return ""
    total = float(np.sum(structure.scores))
    scale = max(abs(total), abs(start), 1e-300)
    decimals = min(max(3 - math.floor(math.log10(scale)), 0), 6)

    def shown(value: float) -> str:
        return f"{value:.{decimals}f}".replace("-", "−")

    atoms = f"{shown(total)} (sum of the atoms)"
    if start or structure.reference is not None:
        sign, size = ("−", -total) if total < 0 else ("+", total)
        atoms = f"{shown(start)} ({what}) {sign} {shown(size)} (sum of the atoms)"
    text = f"{atoms} = {shown(start + total)} {unit}".rstrip() + "."
    if abs(structure.prediction - start - total) <= 1e-3 * scale:
        return text
    predicted = f"{shown(structure.prediction)} {unit}".rstrip()
    if structure.offset is None:
        return f"{text} The prediction is {predicted}: what is between them is not shared out."
    if structure.prediction > 0:
        return (
            f"{text} A value of this property cannot be below zero: what one network of the model "
            f"says below it counts as 0 before their mean is taken, so {predicted} is predicted."
        )
    return f"{text} A value of this property cannot be below zero, so 0 is predicted."


def little_difference(scores: NDArray[np.float64], baseline: float | None) -> str:
    """Return a sentence on scores that differ little, such as ``... 0.94 to 1.04 even shares``."""
    low, high = float(np.min(scores)), float(np.max(scores))
    if not baseline:
        return f"The scores differ little: {number(low)} to {number(high)}."
    return f"The scores differ little: {low / baseline:.2f} to {high / baseline:.2f} even shares."


def identity_sentence(made_by: Mapping[str, str]) -> str:
    """Return a sentence on which model it was; empty for a model in memory.

    Of the digest it has the first twelve digits; the JSON beside a page has all.
    """
    if "weights_sha256" not in made_by:
        return ""
    name, kind = made_by.get("name", ""), made_by.get("model", "")
    return (
        f"Model: {name} ({kind}; SHA-256 of its weights {made_by['weights_sha256'][:12]}...), "
        f"atomlens {made_by.get('atomlens', '')}."
    )


def within_error(structure: ExplainedStructure) -> str:
    """Return a sentence on scores that their own errors exceed; empty where none is so."""
    if structure.scores_std is None or structure.baseline != 0:
        return ""
    sizes, errors = np.abs(structure.scores), np.asarray(structure.scores_std, dtype=np.float64)
    n, n_atoms = int((errors > sizes).sum()), len(sizes)
    if not n:
        return ""
    whose = "All scores are" if n == n_atoms else f"{n} of {n_atoms} scores are"
    return f"{whose} smaller than their own ±; a colour is full from twice the median ± on."


def formula_parts(atomic_numbers: NDArray[np.int64]) -> list[tuple[str, int]]:
    """Return symbols and counts in the order of the formula."""
    found = re.findall(r"([A-Z][a-z]?)(\d*)", chemical_formula(atomic_numbers))
    return [(symbol, int(count or 1)) for symbol, count in found]


def formula_text(atomic_numbers: NDArray[np.int64]) -> str:
    """Return the formula with lowered digits, such as ``C₅H₆N₂O₂``."""
    return chemical_formula(atomic_numbers).translate(_SUBSCRIPTS)


def shortened(text: str, longest: int) -> str:
    """Return a text on one line, cut in the middle if it is too long."""
    line = " ".join(text.split())
    if len(line) <= longest:
        return line
    half = (longest - 1) // 2
    return f"{line[: longest - 1 - half]}…{line[-half:]}"


def top_atoms(scores: NDArray[np.float64], n: int, baseline: float | None = None) -> list[int]:
    """Return the atoms with the largest scores, largest first, ties by index.

    Around a ``baseline`` of 0 (no effect) the sign does not count.
    """
    sizes = np.abs(scores) if baseline == 0 else scores
    return [int(i) for i in np.lexsort((np.arange(len(sizes)), -sizes))[:n]]
