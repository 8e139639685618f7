"""What a training leaves: models, neighbours, targets and scaling, and their answer in units."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from atomlens.errors import warn
from atomlens.graphs import GraphBatch, GraphStore
from atomlens.machine import choose_device
from atomlens.models.base import ModelOutput, PropertyModel
from atomlens.neighbors.base import GraphBuilder
from atomlens.predictor.inference import RawOutputs
from atomlens.predictor.inputs import Inputs, refuse_elements, without_boxes
from atomlens.predictor.record import TrainingRecord
from atomlens.predictor.samples import UNKNOWN
from atomlens.predictor.trust.calibration import Calibration
from atomlens.predictor.trust.doubts import (
    BEYOND,
    ELECTRONS,
    OF_CUT_SHELL,
    Sentences,
    below_zero,
    far_outside,
    larger_molecules,
    made_by,
    made_here,
    no_estimate,
    of_another_kind,
    said_of,
    several_molecules,
    spectra_below_zero,
    traces,
    unlike_training,
    unseen_elements,
    with_new_electrons,
    with_rare_elements,
)
from atomlens.predictor.trust.estimates import (
    Combined,
    Estimates,
    Noise,
    combine,
    estimate,
    with_errors_of,
    without_errors,
)
from atomlens.predictor.trust.familiarity import Familiarity
from atomlens.structures.arrays import StructureArrays
from atomlens.structures.doubts import Doubts, are_about
from atomlens.structures.forms import DisorderChoice
from atomlens.structures.options import ReadingOptions
from atomlens.targets import Target, value_slices
from atomlens.targets.scaling import TargetScaling
from atomlens.version import __version__

_FEW = 0.01
"""Of the samples of a training."""
_DOUBTED = "the unit of its lengths is doubted by its reader"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainedModel:
    """A trained model with everything that is needed to read its answers.

    Several ``models`` are an ensemble: the mean is predicted, their spread is the error
    estimate.
    """

    model_name: str
    """Key in ``MODELS``."""
    models: tuple[PropertyModel, ...]
    builder: GraphBuilder
    scaling: TargetScaling
    calibration: Calibration
    calibration_of_made: Calibration | None = None
    """The same for molecules whose coordinates were made here, where the model learned from given
    ones (see `foreign`); None: nobody has measured it."""
    noise: Noise = "none"
    """Distribution of the noise that the models predict, if they do."""
    elements: tuple[int, ...] = ()
    """Atomic numbers that the training part had; empty if unknown."""
    familiarity: Familiarity | None = None
    """What is known of the training data, to say how unlike it an input is; None: nothing."""
    metrics: dict[str, Any] = field(default_factory=dict)
    """Errors on validation and test part, as in ``metrics.json``."""
    record: TrainingRecord = field(default_factory=TrainingRecord)
    loaded_from: str = ""
    """Its folder, or its name in the box, as it was asked for; empty for a model in memory."""
    weights_sha256: str = ""
    """Of the weights, as its ``settings.json`` has it; empty for a model in memory."""

    def __post_init__(self) -> None:
        """Switch training behaviour (dropout) off, and gradients of the weights."""
        for model in self.models:
            model.eval().requires_grad_(False)

    def __repr__(self) -> str:
        several = f"{len(self.models)} networks" if len(self.models) > 1 else ""
        learned = f"trained on {self.record.data}" if self.record.data else ""
        targets = ", ".join(map(str, self.targets))
        said = ", ".join(word for word in (self.model_name, several, targets, learned) if word)
        return f"<{type(self).__name__}: {said}>"

    def _repr_html_(self) -> str:
        from atomlens.reports.notebook import table_html

        rows: list[dict[str, Any]] = []
        for target in self.targets:
            row: dict[str, Any] = {"target": target.name, "unit": target.unit or None}
            for part in ("validation", "test"):
                found = self.metrics.get(part, {}).get("targets", {}).get(target.name, {})
                for key in ("mae", "accuracy"):
                    if key in found:
                        row[f"{key.replace('mae', 'MAE')}, {part}"] = found[key]
            rows.append(row)
        return table_html(rows, title=repr(self).strip("<>"))

    @property
    def targets(self) -> tuple[Target, ...]:
        """What is predicted."""
        return self.scaling.targets

    @property
    def identity(self) -> dict[str, str]:
        """What tells the model from others, for the files that are made with it.

        ``name`` (folder or name in the box) and ``weights_sha256`` where it was loaded, ``model``
        (kind) and the version of ``atomlens``.
        """
        found = {"name": self.loaded_from, "model": self.model_name}
        found |= {"weights_sha256": self.weights_sha256, "atomlens": __version__}
        return {key: value for key, value in found.items() if value}

    @property
    def has_spectra(self) -> bool:
        """Whether one of the targets is a spectrum."""
        return any(t.is_spectrum for t in self.targets)

    @property
    def reads_formulas(self) -> bool:
        """Whether a text that is a SMILES and a formula is a formula to it.

        It looks at no places of atoms, and none of what it learned from was a molecule.
        """
        if self.builder.needs_positions:
            return False
        if self.kinds:
            return "molecule" not in self.kinds
        return bool(self.builder.settings().get("reduce", False))  # an amount of one each

    def suited(self, options: ReadingOptions) -> ReadingOptions:
        """Return how inputs are read for it: formulas first, and one shape where places are unread.

        Disorder is read as in the training data, unless it is said otherwise. That several
        shapes were asked for is told, then.
        """
        return replace(options, forms=suited_forms([self], options.forms))

    @property
    def kinds(self) -> tuple[str, ...]:
        """What its training structures were: molecules, periodic structures, formulas.

        Empty for folders of atomlens 0.1 without a familiarity.
        """
        if self.record.kinds:
            return self.record.kinds
        return () if self.familiarity is None else self.familiarity.kinds

    @property
    def config(self) -> Any:
        """Settings of the first member; the others may have other ones, such as more layers."""
        return self.models[0].config

    @property
    def std_source(self) -> str:
        """Where error estimates come from."""
        sources = ["ensemble"] if len(self.models) > 1 else []
        if self.config.predict_scale and self.noise != "none":
            sources.append("heteroscedastic")
        if not sources and any(t is not None for t in self.calibration.targets):
            return "validation"
        return " + ".join(sources) or "none"

    @property
    def intervals(self) -> tuple[bool, ...]:
        """By target: whether its values have calibrated 90 % intervals, at each point of a grid.

        A validation part of fewer than nine values is too small to say anything.
        """
        known = np.isfinite(self.calibration.quantiles)
        places = value_slices(self.targets)
        return tuple(
            target.kind == "regression" and bool(known[place].any())
            for target, place in zip(self.targets, places, strict=True)
        )

    def usable(self, inputs: Inputs) -> Inputs:
        """Return the inputs as it takes them.

        Those with elements that it has no vector for are refused. Where it has learned of
        molecules and of nothing periodic, molecules in periodic boxes are taken without them.
        """
        inputs, kinds = refuse_elements(inputs, self.models[0]), self.kinds
        of_molecules = "molecule" in kinds and "periodic structure" not in kinds
        if not (of_molecules and self.builder.needs_positions):
            return inputs
        return without_boxes(inputs, self.builder.molecule_reach)

    def with_surroundings(self, inputs: Inputs, store: GraphStore) -> Inputs:
        """Return the inputs with remarks on how their atoms stand, where that is strange to it.

        ``store`` holds the graphs of the usable ones.
        """
        if store.cut_shell is not None:
            inputs = replace(inputs, cut_shell=store.cut_shell.cpu().numpy())
        known = None if self.familiarity is None else self.familiarity.surroundings
        if known is None:
            return inputs
        found = known.judge(inputs.structures, store)
        before = inputs.remarks or ("",) * len(found.sentences)
        both = zip(before, found.sentences, strict=True)
        remarks = tuple("; ".join(filter(None, pair)) for pair in both)
        return replace(inputs, remarks=remarks, beyond=found.beyond)

    def beyond(self, structures: StructureArrays, store: GraphStore) -> NDArray[np.bool_] | None:
        """(n,) whose atoms stand as in no training structure; None if it cannot say."""
        known = None if self.familiarity is None else self.familiarity.surroundings
        return None if known is None else known.judge(structures, store).beyond

    def seen_in(self, structures: StructureArrays) -> tuple[str, ...]:
        """(n,) in which part of the model's training each structure was, whatever it is called.

        ``train``, ``validation``, ``test``, ``pretraining`` or nothing; ``unknown`` if the model's
        folder does not say (imported models, folders of atomlens 0.1), and of molecules whose
        coordinates were made here if it learned from given ones, some of the same atoms. To a
        model that reads compositions alone a crystal is its formula: what it has learned of the
        one it knows of the other.
        """
        samples = self.record.samples
        if samples is None:
            return (UNKNOWN,) * len(structures)
        parts = samples.part_of(structures)
        foreign = self.foreign(structures, parts)
        if foreign.any():
            pairs = zip(parts, (foreign & samples.may_hold(structures)).tolist(), strict=True)
            return tuple(UNKNOWN if new and not part else part for part, new in pairs)
        if self.builder.needs_positions or structures.is_formula.all():
            return parts
        bare = replace(structures, is_formula=np.ones(len(structures), dtype=np.bool_))
        of_formulas = samples.part_of(bare)
        return tuple(own or other for own, other in zip(parts, of_formulas, strict=True))

    def foreign(self, structures: StructureArrays, seen: Sequence[str] = ()) -> NDArray[np.bool_]:
        """(n,) whose coordinates were made, while the model learned from given ones.

        Made here, or by what their file names (`Structure.maker`) where the model says at which
        level those were relaxed that it learned from. What stands in its data is none of these,
        whichever program wrote the file.

        Args:
            structures: The n inputs.
            seen: (n,) what `seen_in`, or `TrainingSamples.part_of`, says of them, where somebody
                has asked.
        """
        given = self.builder.needs_positions and self.record.made_geometries is False
        found = np.zeros(len(structures), dtype=np.bool_)
        if not given:
            return found
        if structures.is_made is not None:
            found |= structures.is_made
        samples = self.record.samples
        if self._level and samples is not None and structures.makers:
            named = np.flatnonzero([bool(maker) for maker in structures.makers])
            own: Sequence[str] = [seen[i] for i in named.tolist()] if seen else ()
            own = own or samples.part_of(structures.subset(named))
            found[named] |= np.isin(own, ("", UNKNOWN))
        return found

    @property
    def _level(self) -> str:
        """At which level the molecules were relaxed that it learned from; empty if unknown."""
        return "" if self.record.about is None else self.record.about.geometries

    def about_geometries(
        self, structures: StructureArrays, seen: Sequence[str], found: Estimates | None
    ) -> str:
        """Say once for which geometries errors are, if molecules may have others.

        That is of molecules with given coordinates of which nobody says how they were relaxed, and
        which are not in the data that it learned from.

        Args:
            structures: The n inputs.
            seen: (n,) what `seen_in` says of them.
            found: Their answers; None where there is none.
        """
        if not self._level or found is None or not self.builder.needs_positions:
            return ""
        asked = (structures.n_atoms > 1) & ~structures.is_formula & ~structures.pbc.any(axis=1)
        asked &= np.isfinite(found.std).any(axis=1) & np.array(
            [not part for part in seen], dtype=np.bool_
        )
        if structures.is_made is not None:
            asked &= ~structures.is_made
        if structures.makers:  # of those a warning says it
            asked &= np.array([not maker for maker in structures.makers], dtype=np.bool_)
        if not asked.any():
            return ""
        return (
            f"the error estimates of molecules with given coordinates hold for those relaxed as "
            f"the data of the model were ({self._level}), and are too small for those of force "
            "fields and semi-empirical methods (docs/box.md has figures)"
        )

    def models_on(self, device: str) -> tuple[PropertyModel, ...]:
        """Return the models after moving them to a device."""
        place = choose_device(device)
        return tuple(model.to(place) for model in self.models)

    @torch.no_grad()
    def raw_outputs(self, batch: GraphBatch) -> RawOutputs:
        """Return what each member says about a batch on its device, in scaled units."""
        return RawOutputs.of([model(batch) for model in self.models])

    def raw_of(self, outputs: Sequence[ModelOutput]) -> RawOutputs:
        """Return what each member has returned, as `estimate` takes it."""
        return RawOutputs.of(outputs)

    def combined(self, raw: RawOutputs) -> Combined:
        """Average the members, in scaled units."""
        return combine(raw, self.targets, self.noise)

    def estimate(
        self,
        raw: RawOutputs,
        structures: StructureArrays,
        beyond: NDArray[np.bool_] | None = None,
        seen: Sequence[str] = (),
    ) -> Estimates:
        """Turn the outputs of the members into values with error estimates, in units.

        Errors of what is too unlike the training data are NaN (`no_estimate`), molecules larger
        than all of it among them, of ions and radicals where it had none, of lengths that may be
        in another unit, and of answers far outside of the values that training had; not so those
        of folders of atomlens 0.1 that know no kinds, whose numbers stay as they were.

        Args:
            raw: What the members say.
            structures: The n inputs.
            beyond: (n,) whose atoms stand as in no training structure, where somebody has looked
                (`with_surroundings`); they have no error either.
            seen: (n,) what `seen_in` says of them, where somebody has asked; see `foreign` and
                `Familiarity.distances`.
        """
        larger = said_of(larger_molecules(structures, self.most_atoms))
        far = unlike = None
        if self.familiarity is not None and raw.features is not None:
            distances = self.familiarity.distances(raw.features, seen)
            far = self.familiarity.remoteness(distances)
            unlike = np.where(larger, BEYOND, self.familiarity.percentages(distances))
        with np.errstate(over="ignore", invalid="ignore"):  # what is no number is told by input
            combined = self.combined(raw)
            found = estimate(combined, structures, self.scaling, self.calibration, far)
            foreign = self.foreign(structures, seen)
            if self.calibration_of_made is not None and foreign.any():
                made = estimate(combined, structures, self.scaling, self.calibration_of_made, far)
                found = with_errors_of(found, made, foreign)
        found = replace(found, unlike=unlike)
        if not self._known_kinds:
            return found
        refused = larger | no_estimate(structures, self.elements, self._known_kinds, unlike)
        for outside in self._far_outside(structures, found.values):
            refused |= said_of(outside)
        refused |= self.of_doubted_unit(structures)
        refused |= said_of(self._traces(structures)) | said_of(self._electrons(structures, seen))
        refused |= False if beyond is None else beyond
        return without_errors(found, refused) if refused.any() else found

    def of_doubted_unit(self, structures: StructureArrays) -> NDArray[np.bool_]:
        """(n,) whose reader doubts the unit of the lengths, which this model reads.

        None of them where more than a few of the training structures were such.
        """
        none = np.zeros(len(structures), dtype=np.bool_)
        if not structures.warnings or not self.builder.needs_positions:
            return none
        if self._are_many(self.record.n_doubted["unit"]):
            return none
        return np.array([are_about(said, "unit") for said in structures.warnings], dtype=np.bool_)

    def _are_many(self, n: int) -> bool:
        """Say whether ``n`` of its samples are more than a few of them."""
        return n > _FEW * sum(map(len, self.record.split.values()))

    def _traces(self, structures: StructureArrays) -> tuple[str, ...]:
        """(n,) what `traces` says of what the model has not learned from, if it sees shares."""
        if self.builder.needs_positions or not self._known_kinds:
            return ("",) * len(structures)
        found = list(traces(structures, self.record.least_shares))
        rows = np.flatnonzero(said_of(tuple(found))).tolist()
        parts = self.seen_in(structures.subset(rows)) if rows else ()
        for row, part in zip(rows, parts, strict=True):
            found[row] = "" if part == "train" else found[row]
        return tuple(found)

    def _electrons(self, structures: StructureArrays, seen: Sequence[str]) -> Sentences:
        """(n,) what `with_new_electrons` says; nothing where nobody knows what training had."""
        if not structures.warnings or self.record.samples is None or not self._known_kinds:
            return ("",) * len(structures)
        before = self.record.n_doubted
        known = {what for what in ELECTRONS if self._are_many(before[what])}
        found = with_new_electrons(structures, known, before)
        own = seen or ("",) * len(structures)
        return tuple(
            "" if part not in ("", UNKNOWN) else text for text, part in zip(found, own, strict=True)
        )

    @property
    def most_atoms(self) -> int:
        """Atoms of the largest molecule of its training part; 0 if it had none, or if unknown."""
        known = self.familiarity
        if self.record.most_atoms or known is None or known.kinds != ("molecule",):
            return self.record.most_atoms
        return known.most_atoms  # folders of earlier days count cells and formulas in it

    @property
    def _known_kinds(self) -> set[str]:
        """Kinds of structures that are not new to it; empty if that is unknown."""
        if not self.record.kinds:
            return set(self.kinds)
        known = set(self.record.kinds)
        if known and not self.builder.needs_positions:
            known.add("formula")
            if "molecule" not in known:
                known.add("periodic structure")  # the same to it, and no molecule
        return known

    def _far_outside(
        self, structures: StructureArrays, values: NDArray[np.float64]
    ) -> list[tuple[str, ...]]:
        """Return what `far_outside` says of answers."""
        record = self.record
        return far_outside(structures.n_atoms, values, self.targets, record.lowest, record.highest)

    def doubts(
        self, inputs: Inputs, found: Estimates | None, seen: Sequence[str] = ()
    ) -> tuple[Doubts, ...]:
        """(n,) why the answers about the usable inputs should be mistrusted, if they should.

        That is what their readers said, how they were taken and how their atoms stand (the
        remarks), and what about them training had not. ``found`` are the answers; None where
        there is none. ``seen`` is what `seen_in` says of them, where somebody has asked.
        """
        structures, n = inputs.structures, len(inputs.structures)
        has_error: NDArray[np.bool_] = np.zeros(n, dtype=np.bool_)
        if found is not None:
            has_error = np.asarray(np.isfinite(found.std).any(axis=1))
        estimates = self.std_source != "none" and any(t.kind == "regression" for t in self.targets)
        is_refused = ~has_error & estimates
        elements = unseen_elements(structures, self.elements)
        larger = larger_molecules(structures, self.most_atoms)
        reasons = [
            with_rare_elements(structures, self.record.rare_elements, has_error),
            larger,
            tuple(
                f"{text}, nor its error estimate" if text and stands else text
                for text, stands in zip(elements, has_error.tolist(), strict=True)
            ),
            of_another_kind(structures, self._known_kinds, self.kinds),
            self._traces(structures),
            self._electrons(structures, seen),
        ]
        if self.record.single_molecules:
            reasons.insert(0, several_molecules(structures))
        if found is not None and found.unlike is not None:
            unlike = np.where(said_of(larger), 0.0, found.unlike)  # of those the size is told
            reasons.append(unlike_training(unlike, has_error, is_refused))
        if found is not None:
            reasons += self._far_outside(structures, found.values)
            record = self.record
            reasons += below_zero(found.values, self.targets, record.lowest, record.highest)
            reasons += spectra_below_zero(found.values, self.targets, record.lowest, record.means)
        if self._known_kinds:
            doubted = self.of_doubted_unit(structures) & is_refused
            doubted &= True if inputs.beyond is None else ~inputs.beyond  # which its remark says
            reasons.append(tuple(_DOUBTED if new else "" for new in doubted.tolist()))
        each = zip(
            zip(*reasons, strict=True),
            is_refused.tolist(),
            self._about_made(structures, seen, is_refused),
            inputs.remarks or ("",) * n,
            [False] * n if inputs.cut_shell is None else inputs.cut_shell.tolist(),
            structures.warnings or ((),) * n,
            strict=True,
        )
        doubts = []
        for sentences, refused, made, remark, is_cut, of_reader in each:
            strange = [text for text in sentences if text]
            if strange and refused:
                strange[-1] += ", so no error is estimated"
            said = [text for text in (remark, *strange, made) if text]
            said += [OF_CUT_SHELL] if is_cut else []
            doubts.append(Doubts(of_reader=of_reader, of_model=tuple(said)))
        return tuple(doubts)

    def _about_made(
        self, structures: StructureArrays, seen: Sequence[str], is_refused: NDArray[np.bool_]
    ) -> Sentences:
        """(n,) sentences on coordinates that were made, where the model learned from others.

        Of what has no error estimate (``is_refused``) none says what the estimate is for.
        """
        judged = self.calibration_of_made is not None
        said = [""] * len(structures)
        for index in np.flatnonzero(self.foreign(structures, seen)).tolist():
            here = structures.is_made is not None and bool(structures.is_made[index])
            so = ", so errors may be larger"
            if judged:
                which = "such coordinates" if here else "coordinates of a force field"
                so = "" if is_refused[index] else f"; the error estimate is for {which}"
            maker = "" if here else structures.makers[index]
            said[index] = made_here(so) if here else made_by(maker, self._level, so)
        return tuple(said)


def take_formulas_first(models: Iterable[TrainedModel]) -> bool:
    """Say how a text that is a SMILES and a formula is read for some models, the same for all.

    For the formula if each of them learned from formulas; if one of them wants atoms with places,
    for the SMILES, which all can answer.
    """
    asked = [model.reads_formulas for model in models]
    return bool(asked) and all(asked)


def _as_trained(models: Sequence[TrainedModel], forms: DisorderChoice) -> DisorderChoice:
    """Return the forms with disorder as in the training data, where nobody chose otherwise."""
    readings = [model.record.reading for model in models]
    kept = {reading.get("disorder", "refuse") for reading in readings}
    is_one = len(kept) == 1 and kept != {"refuse"}
    if is_one and forms.said_by == "nobody" and forms.how == "refuse":
        n_models = max(reading.get("n_models", forms.n_models) for reading in readings)
        return replace(forms, how=kept.pop(), n_models=n_models, said_by="model")
    if len(kept) > 1 and forms.said_by == "nobody":  # no reading is right for all of them
        return replace(forms, said_by="user")
    others = kept - {"refuse", forms.how}
    if forms.said_by == "user" and forms.how != "refuse" and others:
        warn(
            f"disorder {forms.how} is not how the model's training data were read "
            f"({others.pop()}), so the answers are not comparable with them"
        )
    return forms


def suited_forms(models: Sequence[TrainedModel], forms: DisorderChoice) -> DisorderChoice:
    """Return which forms of the inputs are read for some models; see `TrainedModel.suited`.

    Disorder is as in the training data of all of them, where nobody chose otherwise; it is refused
    where these differ.
    """
    forms = _as_trained(models, forms)
    if forms.conformers > 1 and not any(model.builder.needs_positions for model in models):
        who = "this model reads" if len(models) == 1 else "these models read"
        warn(
            f"conformers {forms.conformers} had no effect: {who} no places of atoms, so all shapes "
            "of a molecule are one; leave it out"
        )
        forms = replace(forms, conformers=1)
    return replace(forms, formulas_first=take_formulas_first(models))
