"""What is said of the data before their graphs are built; of idle settings, `idle`."""

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from atomlens.datasets.base import Dataset
from atomlens.datasets.polymorphs import about_shared_formulas
from atomlens.datasets.splits import WITH_SIZES, Split
from atomlens.datasets.totals import (
    doubts_about_sizes,
    looks_like_totals,
    partly_sums,
    taken_as_totals,
)
from atomlens.models import PropertyModel
from atomlens.models.base import ModelConfig
from atomlens.predictor.samples import PARTS
from atomlens.printing import counted, few, none_of
from atomlens.targets import Target, value_slices
from atomlens.training.settings import TrainSettings


class Teller(Protocol):
    """Hears what is said before a training."""

    def message(self, text: str) -> None:
        """Hear what is done, and how."""

    def warning(self, text: str) -> None:
        """Hear what may make the model, or what is measured of it, worse than it looks."""


_ALIKE = 3
"""Sentences on targets that differ in the target alone and are all said; of more, the first."""


class Alike:
    """Hears remarks, and says those of many targets that are alike once, with the targets' names.

    A table of 300 properties would else be warned of 300 times.
    """

    def __init__(self, targets: Iterable[str]) -> None:
        longest_first = sorted(filter(None, targets), key=len, reverse=True)
        names = "|".join(map(re.escape, longest_first)) or "(?!)"
        self._name = re.compile(rf"(?<!\w)({names})(?!\w)")
        self._heard: list[tuple[bool, str, str, str]] = []

    def message(self, text: str) -> None:
        """Hear what is done, and how."""
        self._hear(text, doubtful=False)

    def warning(self, text: str) -> None:
        """Hear what may make the model, or what is measured of it, worse than it looks."""
        self._hear(text, doubtful=True)

    def _hear(self, text: str, *, doubtful: bool) -> None:
        found = self._name.search(text)
        kind = re.sub(r"\d+(\.\d+)?", "0", self._name.sub("", text)) if found else text
        self._heard.append((doubtful, text, kind, found[1] if found else ""))

    def tell(self, said: Teller) -> None:
        """Pass on what was heard, in order."""
        targets: dict[str, dict[str, None]] = {}
        for _, _, kind, target in self._heard:
            targets.setdefault(kind, {})[target] = None
        summed_up: set[str] = set()
        for doubtful, text, kind, target in self._heard:
            first, *others = targets[kind]
            tell = said.warning if doubtful else said.message
            if len(others) < _ALIKE or target == first:
                tell(text)
            if len(others) >= _ALIKE and kind not in summed_up:
                summed_up.add(kind)
                tell(f"The same is to be said of {len(others)} more targets: {few(others)}.")


def tell_about_data(
    dataset: Dataset,
    split: Split,
    kind: type[PropertyModel],
    settings: TrainSettings,
    config: ModelConfig,
    said: Teller,
) -> None:
    """Say what of the data is not used, or used in a way that one may not expect."""
    heard = Alike(t.name for t in dataset.targets)
    _tell_about_data(dataset, split, kind, settings, config, heard)
    heard.tell(said)


def _tell_about_data(
    dataset: Dataset,
    split: Split,
    kind: type[PropertyModel],
    settings: TrainSettings,
    config: ModelConfig,
    said: Teller,
) -> None:
    n_empty = len(dataset.without_value)
    if n_empty:
        said.warning(
            f"{n_empty} of {n_empty + len(dataset) + len(dataset.failures)} rows have no value of "
            f"{none_of(t.name for t in dataset.targets)} and are not used."
        )
    for remark in split.remarks:
        said.warning(remark)
    n_free = len(dataset) - sum(len(getattr(split, part)) for part in PARTS)
    if n_free and settings.split.partition(":")[0] not in WITH_SIZES:
        said.warning(
            f"{n_free} of {len(dataset)} samples are in no part of the split and are not used."
        )
    is_judged = any(len(getattr(split, part)) for part in PARTS[1:])
    is_random = settings.split.startswith("random") and is_judged
    if is_random and dataset.structures.is_formula.all():
        remark = about_shared_formulas(dataset)
        if remark:
            said.warning(remark)
    unasked = set(taken_as_totals(dataset, unasked=True))
    for sentence in taken_as_totals(dataset):
        (said.warning if sentence in unasked else said.message)(sentence)
    parts: list[str] = []
    if kind.learns_in_steps and getattr(config, "shares", "") != "gates":
        parts += partly_sums(dataset)
    for sentence in (*looks_like_totals(dataset), *parts, *doubts_about_sizes(dataset)):
        said.warning(sentence)
    _tell_unused_split(dataset, settings, said)
    for target, place in zip(dataset.targets, value_slices(dataset.targets), strict=True):
        if target.n_values == 1:
            for sentence in _gaps_of_parts(dataset, split, target, place.start):
                said.warning(sentence)
            if target.classes:
                stratified = settings.split.startswith("stratified")
                for sentence in _unjudged_classes(dataset, split, target, place.start, stratified):
                    said.warning(sentence)
    if kind.learns_in_steps:
        _tell_few_steps(len(split.train), kind, settings, said)
    _tell_signs(dataset, kind, said)
    _tell_missing_charges(dataset, config, said)
    _tell_doubtful(dataset, said)


_LOSS = re.compile(
    r"(eps|epsilon|permittivity|dielectric).*im|im.*(eps|epsilon|permittivity|dielectric)"
    r"|^k$|kappa|extinction|absor",
    re.IGNORECASE,
)
"""Names of what says how much light is lost, which is not below zero in a passive material."""


_FEW_STEPS, _STEPS_AN_EPOCH = 1000, 25
"""With so few steps in all smaller batches learn more (docs/accuracy.md, a thousand samples); with
batches of so many an epoch they did."""


def _tell_few_steps(
    n_train: int, kind: type[PropertyModel], settings: TrainSettings, said: Teller
) -> None:
    """Say which batches suit a small set better, where batches and epochs are those of large ones.

    On 1,000 crystals and molecules they took 22 and 3 % off the error, with Muon 35 and 6 %.
    """
    usual = TrainSettings()
    deciding = ("batch_size", "epochs", "schedule_seconds")
    n_steps = math.ceil(n_train / settings.batch_size) * settings.epochs
    if n_steps >= _FEW_STEPS or any(getattr(settings, n) != getattr(usual, n) for n in deciding):
        return
    size = 8
    while n_train >= _STEPS_AN_EPOCH * 2 * size:
        size *= 2
    muon = (
        ", and for lens by Muon: --set optimizer=muon --set learning_rate=1e-3 "
        "--set ema_decay=0.99 (in Python the same three as arguments)."
    )
    said.message(
        f"{n_train} samples in batches of {settings.batch_size} are {n_steps} steps in "
        f"{settings.epochs} epochs, which is few. Smaller batches learn more, in more time: "
        f"--batch-size {size} (in Python batch_size={size})"
        f"{muon if kind.outer_layers else '.'}"
    )


def _tell_signs(dataset: Dataset, kind: type[PropertyModel], said: Teller) -> None:
    """Say where losses of light have the other sign, or could be kept from getting it."""
    for target, place in zip(dataset.targets, value_slices(dataset.targets), strict=True):
        if target.nonnegative or target.classes or not _LOSS.search(target.name):
            continue
        values = dataset.values[:, place]
        known = values[np.isfinite(values)]
        if not len(known) or not known.any():
            continue
        if known.max() <= 0:
            said.warning(
                f"Every value of {target.name} is below zero or zero. If it is a loss, it was "
                "written with the other sign of time (exp(+iωt)): change the sign of the column, "
                "as `study enz` and the other tables take losses as positive."
            )
        elif known.min() >= 0 and target.is_spectrum and kind.learns_in_steps:
            said.message(
                f"No value of {target.name} is below zero; --nonnegative (for all targets; in "
                f"Python nonnegative=[{target.name!r}]) keeps the predictions so."
            )


def _tell_doubtful(dataset: Dataset, said: Teller) -> None:
    """Say how many structures were read with a warning, with an example if no reader gave one."""
    doubtful = [s for s in dataset.structures if s.warnings] if dataset.structures.warnings else []
    if not doubtful:
        return
    first = doubtful[0]
    if not any(first.warnings[0] in remark for remark in dataset.remarks):
        said.warning(
            f"{len(doubtful)} of {len(dataset)} structures were read with a warning, for example "
            f"{first.name}: {first.warnings[0]}. All of them are in warnings.json of the model."
        )
    elif len(doubtful) > 1:
        said.message(
            f"The {len(doubtful)} structures of {len(dataset)} that were read with a warning are "
            "in warnings.json of the model."
        )


def _tell_unused_split(dataset: Dataset, settings: TrainSettings, said: Teller) -> None:
    """Say that a table has parts of its own where nobody said how to divide it."""
    own = next((h for h in dataset.columns if h.strip().lower() == "split"), None)
    if own is None or not dataset.splits or settings.split != TrainSettings().split:
        return
    said.warning(
        f"The column {own!r} says which samples are for training and testing; nobody asked for it, "
        'so they are divided at random. --split source (in Python split="source") takes its parts.'
    )


def _gaps_of_parts(dataset: Dataset, split: Split, target: Target, column: int) -> Iterator[str]:
    """Yield what one part of a split lacks to learn a target, to judge it, or to tell its classes.

    Args:
        dataset: What is divided.
        split: Its parts.
        target: One with a single value.
        column: Where its values stand.
    """
    found: dict[str, NDArray[np.float64]] = {}
    for part in PARTS:
        values = dataset.values[getattr(split, part), column]
        found[part] = values[np.isfinite(values)]
    learned = found["train"]
    if target.extensive:
        known = np.isfinite(dataset.values[split.train, column])
        learned = learned / np.maximum(dataset.structures.n_atoms[split.train][known], 1)
    if len(learned) == 1:
        yield (
            f"Only one value of {target.name} is in the training part, so there is nothing to "
            "learn about it."
        )
    elif len(learned) and np.ptp(learned) == 0:
        value = target.classes[int(learned[0])] if target.classes else f"{learned[0]:g}"
        each = " per atom" if target.extensive else ""
        yield (
            f"Every value of {target.name} in the training part is {value}{each}, so there is "
            "nothing to learn about it."
        )
    empty = [part for part in PARTS[1:] if len(getattr(split, part)) and not len(found[part])]
    if empty and len(learned):
        yield (
            f"No value of {target.name} is in the {' and in the '.join(empty)} part, so nothing is "
            "known of its error there; another --seed (in Python seed) or a split file puts some "
            "there."
        )
    judged = np.concatenate([found[part] for part in PARTS[1:]])
    unseen = [n for n in np.unique(judged[~np.isin(judged, learned)]) if target.classes]
    if unseen:
        n_missed = int(np.isin(judged, unseen).sum())
        names = [target.classes[int(n)] for n in unseen]
        yield (
            f"No sample of the training part is of {_called(names)} of {target.name}, and "
            f"{n_missed} of the others are: the model never says "
            f"{'it' if len(names) == 1 else 'them'}. {_STRATIFIED}"
        )


_STRATIFIED = (
    '--split stratified:.8/.1/.1 (in Python split="stratified:.8/.1/.1") has the classes of the '
    "first target in all parts, where there are enough."
)
_FEWEST_FOR_PARTS = 3
"""Samples of a class that a split can give to all parts."""


def _called(names: Sequence[str]) -> str:
    """Return which class is meant, or how many and which."""
    if len(names) == 1:
        return f"class {names[0]}"
    return f"{len(names)} classes ({', '.join(names[:3])}{' ...' if len(names) > 3 else ''})"


def _unjudged_classes(
    dataset: Dataset, split: Split, target: Target, column: int, stratified: bool
) -> Iterator[str]:
    """Yield a sentence on classes that are learned and that no part, or not the test part, judges.

    Args:
        dataset: What is divided.
        split: Its parts.
        target: One that has classes.
        column: Where their numbers stand.
        stratified: Whether the split already cares for classes.
    """
    counts = {}
    for part in PARTS:
        values = dataset.values[getattr(split, part), column]
        known = values[np.isfinite(values)].astype(np.int64)
        counts[part] = np.bincount(known, minlength=len(target.classes))
    learned, judged = counts["train"], counts["validation"] + counts["test"]
    if judged.any():
        alone = np.flatnonzero((learned > 0) & (judged == 0))
        names = [target.classes[n] for n in alone.tolist()]
        if names:
            n = int(learned[alone].sum())
            helps = not stratified and bool((learned[alone] >= _FEWEST_FOR_PARTS).any())
            yield (
                f"{_called(names)} of {target.name} {'have' if len(names) > 1 else 'has'} "
                f"{counted(n, 'sample')}, none in the validation or test part: what the model says "
                f"of {'them' if len(names) > 1 else 'it'} is not tested."
                f"{f' {_STRATIFIED}' if helps else ''}"
            )
    if counts["test"].any():
        untested = np.flatnonzero(
            (counts["validation"] > 0) & (learned > 0) & (counts["test"] == 0)
        )
        names = [target.classes[n] for n in untested.tolist()]
        if names:
            yield (
                f"No sample of the test part is of {_called(names)} of {target.name}, so its "
                f"figures say nothing of finding {'them' if len(names) > 1 else 'it'}."
                f"{'' if stratified else f' {_STRATIFIED}'}"
            )


def _tell_missing_charges(dataset: Dataset, config: ModelConfig, said: Teller) -> None:
    """Say which structures a model that reads partial charges takes as uncharged."""
    if getattr(config, "charges", "none") == "none":
        return
    missing = [s.name for s in dataset.structures if s.charges is None]
    if missing:
        said.warning(
            f"Partial charges, which this model reads, are missing in {len(missing)} of "
            f"{len(dataset)} structures, for example {missing[0]}; they are taken as 0. CIF files "
            "hold them as _atom_site_charge; model.charges=none does without."
        )
