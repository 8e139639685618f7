"""Why answers should be mistrusted: what about an input the training of a model had not.

Sentences on n structures are a tuple of n, with nothing where there is nothing to say. They are
put together in one place, `TrainedModel.doubts`.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from atomlens.chemistry.boxes import n_molecules
from atomlens.elements import SYMBOLS
from atomlens.errors import warn
from atomlens.predictor.trust.familiarity import kinds_of
from atomlens.printing import Named, counted
from atomlens.structures.arrays import OF_RDKIT, StructureArrays
from atomlens.structures.doubts import Doubt, DoubtKind, are_about
from atomlens.targets import Target, value_slices

if TYPE_CHECKING:
    from atomlens.predictor.prediction import Prediction

Values = NDArray[np.float64]
Sentences = tuple[str, ...]

STRANGE = 99.0
"""Above this many percent a prediction comes with a warning."""
BEYOND = 100.0
"""Farther away than all of the validation part: nothing is known of errors there."""
ELECTRONS: dict[DoubtKind, str] = {
    "charge": "a charge",
    "unpaired electrons": "unpaired electrons",
    "odd electrons": "an odd number of electrons",
}
"""What readers tell of electrons, which models do not see: kinds of their sentences, and words."""
_OF_ORDER = "depends on the order of the atoms and on the choice of the cell"


_OF_EITHER_SIGN = re.compile(
    r"(?<![^\W\d_])([mk]?eV|Ha|Eh|hartree|Ry|rydberg|k?J|k?cal|m?V|ppm|%|e|°C|℃|degC|°F|℉|C|F)"
    r"(?![^\W\d_])",
    re.IGNORECASE,
)
"""Units of quantities that may be below zero."""


def unseen_elements(structures: StructureArrays, seen: tuple[int, ...]) -> Sentences:
    """(n,) sentences on structures with elements that were not in the training part."""
    if not seen:
        return ("",) * len(structures)
    strange = ~np.isin(structures.atomic_numbers, np.array(seen))
    owners = np.repeat(np.arange(len(structures)), structures.n_atoms)
    sentences = [""] * len(structures)
    for index in np.unique(owners[strange]).tolist():
        numbers = structures[index].atomic_numbers
        symbols = ", ".join(SYMBOLS[z] for z in np.unique(numbers) if z not in seen)
        sentences[index] = f"the training data had no {symbols}: the value cannot be trusted"
    return tuple(sentences)


_FEW, _SHARE, _OF_USUAL = 30, 0.05, 0.25
"""Structures that an element is rare with fewer of, the share of all that they must be below, and
the share of what the elements of the training have in the middle: of sets with eighty elements
most have few structures each."""


def rare_elements(structures: StructureArrays) -> dict[int, int]:
    """Return the elements that few structures of a training have, and how many have them.

    Args:
        structures: Those of the training part.
    """
    owners = np.repeat(np.arange(len(structures)), structures.n_atoms)
    pairs = np.unique(np.stack([owners, structures.atomic_numbers]), axis=1)
    numbers, counts = np.unique(pairs[1], return_counts=True)
    if not len(numbers):
        return {}
    most = min(_FEW, _SHARE * len(structures), _OF_USUAL * float(np.median(counts)))
    return {int(z): int(n) for z, n in zip(numbers, counts, strict=True) if n < most}


def with_rare_elements(
    structures: StructureArrays, rare: Mapping[int, int], has_error: NDArray[np.bool_]
) -> Sentences:
    """(n,) sentences on structures with elements that few structures of the training had.

    Args:
        structures: The n inputs.
        rare: How many had it, by atomic number.
        has_error: (n,) an estimate of the error stands beside the value.
    """
    if not rare:
        return ("",) * len(structures)
    owners = np.repeat(np.arange(len(structures)), structures.n_atoms)
    sentences = [""] * len(structures)
    found = np.isin(structures.atomic_numbers, np.array(list(rare)))
    for index in np.unique(owners[found]).tolist():
        own = [z for z in np.unique(structures[index].atomic_numbers).tolist() if z in rare]
        had = " and ".join(f"{SYMBOLS[z]} in {counted(rare[z], 'structure')}" for z in own)
        so = "may be larger than it says" if has_error[index] else "may be large"
        sentences[index] = f"the training data had {had} only, so the error {so}"
    return tuple(sentences)


def of_another_kind(
    structures: StructureArrays, known: Collection[str], learned: Sequence[str]
) -> Sentences:
    """(n,) sentences on structures of a kind that a model does not know.

    Args:
        structures: The n inputs.
        known: Kinds that the model knows.
        learned: Kinds that its training part had, which is said; empty if that is unknown.
    """
    if not learned:
        return ("",) * len(structures)
    had = " and ".join(f"{kind}s" for kind in learned)
    return tuple(
        "" if kind in known else f"this is a {kind}, and the training data had {had} only"
        for kind in kinds_of(structures)
    )


def with_new_electrons(
    structures: StructureArrays, known: Collection[DoubtKind], before: Mapping[str, int]
) -> Sentences:
    """(n,) sentences on ions and radicals, as their readers tell them, that training had not.

    Unpaired electrons of crystals are magnetism, and ordinary. An odd number of electrons is that
    of an ion or of a radical, so who knows one of them knows it.

    Args:
        structures: The n inputs.
        known: Which of `ELECTRONS` the model knows.
        before: By kind of doubt: how many structures of its data were such.
    """
    said = [""] * len(structures)
    for index, (kind, told) in enumerate(
        zip(kinds_of(structures), structures.warnings, strict=True)
    ):
        new = [what for what in ELECTRONS if are_about(told, what) and what not in known]
        if kind != "molecule":
            new = [what for what in new if what == "charge" and kind != "formula"]
        if "odd electrons" in known or ("odd electrons" in new and known):
            continue
        if new:
            any_had = "hardly any" if any(before.get(what) for what in new) else "no"
            words = " or ".join(ELECTRONS[what] for what in new)
            said[index] = f"the training data had {any_had} structure with {words}"
    return tuple(said)


def several_molecules(structures: StructureArrays) -> Sentences:
    """(n,) sentences on structures of several molecules, for a model that learned from single ones.

    Of a SMILES its reader says it, and of lengths in another unit nobody knows the bonds.
    """
    said = [""] * len(structures)
    for index, one in enumerate(structures):
        if are_about(one.warnings, "set apart", "unit"):
            continue
        n = n_molecules(one)
        if n > 1:
            said[index] = (
                f"it consists of {n} molecules that no bond joins, and the model learned from "
                "single ones; if one of them is meant, give it alone"
            )
    return tuple(said)


def larger_molecules(structures: StructureArrays, most_atoms: int) -> Sentences:
    """(n,) sentences on molecules of more atoms than training had in any.

    What a network makes of a structure is a mean over its atoms, in which sizes do not show: a
    chain of forty carbons is as near as one of ten.

    Args:
        structures: The n inputs; crystals and formulas have no size.
        most_atoms: Of a molecule of the training part; 0 if that is unknown.
    """
    large = (structures.n_atoms > most_atoms) & (most_atoms > 0)
    large &= ~structures.is_formula & ~structures.pbc.any(axis=1)
    return tuple(
        f"it has {counted(n, 'atom')}, and no molecule of the training data more than {most_atoms}"
        if beyond
        else ""
        for n, beyond in zip(structures.n_atoms.tolist(), large.tolist(), strict=True)
    )


TRACE = 1e-3
"""Share of the atoms. Of the formulas of Matbench's experimental gaps, which have more dopants than
any other of its tasks but glasses and steels, one in a thousand has an element with less."""
_SMALL = 0.01
"""Of the 132,752 formulas of matbench_mp_e_form one in a thousand has an element with less: more is
a share that compounds have, be it less than in the training part."""
_CLEARLY = 0.5
"""Of the smallest share in the training part; with less an element is clearly below it."""


def traces(structures: StructureArrays, least: Mapping[str, float]) -> Sentences:
    """(n,) sentences on structures with far less of an element than training had of it.

    A model of compositions may jump where an element appears: it attends to elements, not to their
    amounts alone, and training shows it none of so small a share.

    Args:
        structures: The n inputs.
        least: By symbol: the smallest share in the training part. Empty if unknown.
    """
    sentences = [""] * len(structures)
    n_atoms = structures.n_atoms
    for index in np.flatnonzero(n_atoms > 1 / max(_SMALL, TRACE)).tolist():
        numbers, counts = np.unique(structures[index].atomic_numbers, return_counts=True)
        for z, share in zip(numbers.tolist(), (counts / n_atoms[index]).tolist(), strict=True):
            symbol = SYMBOLS[z] if z < len(SYMBOLS) else ""
            known = least.get(symbol)
            if known is None and least:  # an element that training had not, which is said
                continue
            bound = TRACE if known is None else min(_CLEARLY * known, _SMALL)
            if share < bound * (1 - 1e-9):
                had = (
                    f"the training data had {known:.2g} or more where they had any"
                    if known is not None
                    else "hardly any formula that models learn from has so little of an element"
                )
                sentences[index] = (
                    f"{symbol} is {share:.2g} of its atoms, and {had}: where an element vanishes "
                    "the value may jump"
                )
                break
    return tuple(sentences)


def unlike_training(
    unlike: Values, has_error: NDArray[np.bool_], is_refused: NDArray[np.bool_]
) -> Sentences:
    """(n,) sentences on structures that are far from all that the training part had.

    Args:
        unlike: (n,) percentages.
        has_error: (n,) an estimate of the error stands beside the value.
        is_refused: (n,) none does, though the model makes some, which is said elsewhere.
    """
    sentences = [""] * len(unlike)
    for index in np.flatnonzero(unlike > STRANGE).tolist():
        share = "all" if unlike[index] >= BEYOND else "99 %"
        so = "may be larger than it says" if has_error[index] else "may be large"
        sentences[index] = (
            f"it is unlike the training data (farther away than {share} of the validation "
            f"part){'' if is_refused[index] else f', so the error {so}'}"
        )
    return tuple(sentences)


def _ranges(
    values: Values, targets: tuple[Target, ...], lowest: Sequence[float], highest: Sequence[float]
) -> Iterator[tuple[Target, slice, float, float]]:
    """Yield each target with its columns and its lowest and highest training value, if known."""
    if len(lowest) == values.shape[1] == len(highest):
        for target, place in zip(targets, value_slices(targets), strict=True):
            yield target, place, float(np.min(lowest[place])), float(np.max(highest[place]))


def far_outside(
    n_atoms: NDArray[np.int64],
    values: Values,
    targets: tuple[Target, ...],
    lowest: Sequence[float],
    highest: Sequence[float],
) -> list[Sentences]:
    """Return (n,) sentences for each target on answers far outside of what training had.

    That is by more than all of its values are apart.

    Args:
        n_atoms: (n,)
        values: (n, n_values)
        targets: What is predicted.
        lowest: (n_values,) of the training part; of an extensive target per atom. Empty if unknown.
        highest: (n_values,) likewise
    """
    said = []
    for target, place, low, high in _ranges(values, targets, lowest, highest):
        if not high > low:  # classes, constants, no value
            continue
        each = values[:, place] / n_atoms[:, None] if target.extensive else values[:, place]
        beyond = (each < 2 * low - high) | (each > 2 * high - low)
        unit = f" {target.unit}" if target.unit else ""
        of = " per atom" if target.extensive else ""
        sentences = [""] * len(values)
        for row in np.flatnonzero(beyond.any(axis=1)).tolist():
            worst = each[row][np.abs(each[row] - (low + high) / 2).argmax()]
            sentences[row] = (
                f"its {target.name} of {worst:.4g}{unit}{of} is far outside of what the "
                f"training data had ({low:.4g} to {high:.4g}{unit})"
            )
        said.append(tuple(sentences))
    return said


def below_zero(
    values: Values, targets: tuple[Target, ...], lowest: Sequence[float], highest: Sequence[float]
) -> list[Sentences]:
    """Return (n,) sentences for each target on answers below 0 where no training value was.

    Nothing of those that `far_outside` tells of, nor of quantities that may have either sign:
    energies, potentials, temperatures in °C, shifts, and what has no unit, such as logarithms.

    Args:
        values: (n, n_values)
        targets: What is predicted.
        lowest: (n_values,) of the training part. Empty if unknown.
        highest: (n_values,) likewise
    """
    said = []
    for target, place, low, high in _ranges(values, targets, lowest, highest):
        if target.n_values > 1 or target.extensive or not 0 < low < high:
            continue
        if not target.unit or _OF_EITHER_SIGN.search(target.unit):
            continue
        own = values[:, place.start]
        said.append(
            tuple(
                f"its {target.name} of {value:.4g} {target.unit} is below 0, and no training value "
                "was"
                if impossible
                else ""
                for value, impossible in zip(own, (own < 0) & (own >= 2 * low - high), strict=True)
            )
        )
    return said


_OF_THE_MEAN = 0.05
"""Of the mean of the training over all points; a curve that is less far below zero is at zero."""


def spectra_below_zero(
    values: Values,
    targets: tuple[Target, ...],
    lowest: Sequence[float],
    means: Sequence[float],
) -> list[Sentences]:
    """Return (n,) sentences for each spectrum on answers below 0 where no training value was.

    Args:
        values: (n, n_values)
        targets: What is predicted.
        lowest: (n_values,) of the training part. Empty if unknown.
        means: (n_values,) likewise
    """
    said = []
    for target, place, low, _ in _ranges(values, targets, lowest, means):
        if not target.is_spectrum or not low >= 0:
            continue
        own = values[:, place]
        below = own < -_OF_THE_MEAN * float(np.mean(np.asarray(means)[place]))
        sentences = [""] * len(values)
        for row in np.flatnonzero(below.any(axis=1)).tolist():
            worst = int(own[row].argmin())
            unit = f" {target.unit}".rstrip()
            sentences[row] = (
                f"its {target.name} is below 0 at {int(below[row].sum())} of {own.shape[1]} points "
                f"({own[row, worst]:.3g}{unit} at {target.grid[worst]:g} {target.grid_unit}), and "
                "no training value was"
            )
        said.append(tuple(sentences))
    return said


def no_estimate(
    structures: StructureArrays,
    seen: tuple[int, ...],
    kinds: Collection[str],
    unlike: Values | None,
) -> NDArray[np.bool_]:
    """(n,) of which structures nobody knows how large the error is.

    Those with elements, or of a kind, that training had not, and those farther from the training
    data than all of the validation part: intervals rest on that, and do not hold out there.

    Args:
        structures: The n inputs.
        seen: Atomic numbers of the training part; empty if unknown.
        kinds: That the model knows.
        unlike: (n,) percentages, if they are known.
    """
    strange = said_of(unseen_elements(structures, seen))
    strange |= ~np.isin(kinds_of(structures), sorted(kinds))
    return strange if unlike is None else strange | (unlike >= BEYOND)


def made_here(so: str) -> Doubt:
    """Return what is said of a molecule that was a SMILES or a flat drawing.

    Args:
        so: What follows for the error, with the comma or the like before it.
    """
    text = f"its coordinates were made here and the model learned from given ones{so}"
    return Doubt(text, "made", pieces=(so,))


def made_by(maker: str, level: str, so: str) -> Doubt:
    """Return what is said of a molecule whose coordinates are those of a force field or the like.

    Args:
        maker: What its file names, or `OF_RDKIT` for objects that were not read from one.
        level: At which level the molecules were relaxed that the model learned from.
        so: What follows for the error, with the comma or the like before it.
    """
    so = f", and the model learned from those of {level}{so}"
    if maker == OF_RDKIT:
        text = f"its coordinates are taken to be those of {maker}{so}"
        return Doubt(text, "taken", pieces=(maker, so))
    text = f"its coordinates are, as its file says, those of {maker}{so}"
    return Doubt(text, "named", pieces=(maker, so))


OF_CUT_SHELL = Doubt(
    "the last of its nearest neighbours are some of several equally far, which are unlike, so the "
    f"answer {_OF_ORDER}",
    "cut shell",
)
"""On a structure whose graph depends on the order of its atoms."""


def said_of(sentences: Sentences) -> NDArray[np.bool_]:
    """(n,) of which structures something is said."""
    return np.array([bool(text) for text in sentences], dtype=np.bool_)


class DoubtsHeard:
    """Hears predictions, to say in the end which answers should be mistrusted, and why.

    The readers spoke before. Of coordinates that were made here, or that a file says are those of a
    force field, there are sentences of their own, as all may have such, of other geometries of
    which nobody knows, and of neighbours that the builder chose among equals.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        """Reasons that are kept"""
        self.n = 0
        """Answers to mistrust"""
        self._reasons: dict[str, Named] = {}
        self._n_foreign = self._n_named = self._n_cut = 0
        self._foreign: tuple[Doubt, ...] = ()
        self._named: list[Doubt] = []
        self._geometries = ""

    def hear(self, prediction: "Prediction") -> None:
        """Take in what is doubtful about some predictions."""
        self._geometries = self._geometries or prediction.about_geometries
        each = zip(prediction.names, prediction.doubts, prediction.errors, strict=True)
        for name, doubts, error in each:
            if error:
                continue
            foreign, named = doubts.about("made"), doubts.about("named", "taken")
            said = "; ".join(doubts.beside("made", "named", "taken", "cut shell"))
            self._n_cut += bool(doubts.about("cut shell"))
            self._n_foreign += bool(foreign)
            self._foreign = max(self._foreign, foreign, key=lambda said: len("".join(said)))
            self._n_named += bool(named)
            self._named += [text for text in named if text not in self._named]
            self.n += bool(said)
            if said in self._reasons or (said and len(self._reasons) < self.most):
                self._reasons.setdefault(said, Named()).add(name)

    @property
    def first(self) -> list[str]:
        """The first reasons, each with the names of the answers that it is about."""
        return [f"{names}: {said}" for said, names in self._reasons.items()]

    @property
    def n_more(self) -> int:
        """How many answers are to be mistrusted for other reasons than these"""
        return self.n - sum(names.n for names in self._reasons.values())

    def about_geometries(self) -> list[str]:
        """Return what is said of geometries that are not those of the training data."""
        said = [_about_foreign(self._n_foreign, self._foreign[0])] if self._foreign else []
        said += [_about_named(self._n_named, self._named)] if self._named else []
        said += [about_cut_shells(self._n_cut)] if self._n_cut else []
        return [*said, self._geometries] if self._geometries else said


def tell_doubts(prediction: "Prediction") -> None:
    """Warn of answers to mistrust, and why the first of them is."""
    heard = DoubtsHeard(most=1)
    heard.hear(prediction)
    if heard.n:
        of = "answer" if len(prediction) == 1 else "answers"
        more = heard.n_more
        others = f" (and {more} more; `doubts` has the reasons)" if more else ""
        warn(f"{heard.n} of {len(prediction)} {of} should be mistrusted: {heard.first[0]}{others}")
    for sentence in heard.about_geometries():
        warn(sentence)


def tell_cut_shells(n: int) -> None:
    """Warn if there are structures whose neighbours were chosen among equals."""
    if n:
        warn(about_cut_shells(n))


def about_cut_shells(n: int) -> str:
    """Return what is said of ``n`` structures whose neighbours were chosen among equals."""
    of = "1 structure" if n == 1 else f"{n} structures"
    return (
        f"in {of} the last nearest neighbours are some of several equally far, which are unlike: "
        f"which of them are taken {_OF_ORDER}, and so does what the model says "
        "(docs/cells-and-jumps.md has sizes)"
    )


def _about_foreign(n: int, doubt: Doubt) -> str:
    """Return what is said of ``n`` inputs whose coordinates were made here, one of which has it."""
    of = "1 input were" if n == 1 else f"{n} inputs were"
    (so,) = doubt.pieces
    return (
        f"coordinates of {of} made here, and the model learned from given ones{so} (see its card)"
    )


def _about_named(n: int, doubts: Sequence[Doubt]) -> str:
    """Return what is said of ``n`` inputs whose makers are known: a force field or the like.

    Args:
        n: How many.
        doubts: What is said of them one by one, each once.
    """
    named = [doubt for doubt in doubts if "named" in doubt.kinds]
    how = "as its file says," if n == 1 else "as their files say,"
    of = f"{counted(n, 'input')} are{f', {how}' if named else ' taken to be'}"
    maker, so = (named or doubts)[0].pieces
    others = " and others" if len(doubts) > 1 else ""
    return f"coordinates of {of} those of {maker}{others}{so} (see its card)"
