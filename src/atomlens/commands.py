"""The commands as functions: ``al.predict``, ``al.evaluate``, ``al.study``, ``al.faithful`` ...

Each takes a trained model, its folder or its name in the box, and whatever holds structures. Names
of arguments are those of Python; the names of the command's options are understood as well.
"""

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from atomlens.errors import (
    AtomlensError,
    ExplanationError,
    Failure,
    SettingsError,
    StructureError,
    unknown_name,
    warn,
)
from atomlens.files import place_of
from atomlens.predictor import Metrics, Prediction, Predictor, load
from atomlens.predictor.inputs.rows import read_atoms, read_rows
from atomlens.printing import kind_of_object
from atomlens.progress import shown
from atomlens.settings import by_option, typed_values
from atomlens.structures.forms import DisorderChoice
from atomlens.structures.options import PLACES, ReadingOptions

if TYPE_CHECKING:
    from atomlens.graphs import AtomGraph
    from atomlens.labels import AdsorptionLabels
    from atomlens.screening.counterfactuals import Counterfactuals
    from atomlens.studies import StudyResult

Model: TypeAlias = Predictor | str | Path
"""A trained model, its folder, or its name in the box."""


def as_predictor(model: Model) -> Predictor:
    """Return the trained model that is meant.

    Raises:
        ModelError: there is no such model.
        SettingsError: this is something else.
    """
    if isinstance(model, Predictor):
        return model
    if not isinstance(model, str | Path):
        raise SettingsError(
            f"The model is {kind_of_object(model)}; give a trained model first, its folder, or "
            "its name in the box."
        )
    return load(model)


@by_option(workers="n_workers", ordered_models="n_models")
def predict(model: Model, structures: Any, **options: Any) -> Prediction:
    """Predict the properties of one or many structures: `Predictor.predict` of a model.

    Args:
        model: A trained model, its folder, or its name in the box.
        structures: As for `Predictor.predict`.
        **options: As for `Predictor.predict`: ``target``, ``device`` ...
    """
    return as_predictor(model).predict(structures, **options)


@by_option(workers="n_workers", ordered_models="n_models")
def evaluate(model: Model, data: Any, **options: Any) -> Metrics:
    """Compare predictions with known values: `Predictor.evaluate` of a model.

    Args:
        model: A trained model, its folder, or its name in the box.
        data: Anything that `load_dataset` takes.
        **options: As for `Predictor.evaluate`: ``target``, ``part``, ``limit`` ...
    """
    return as_predictor(model).evaluate(data, **options)


@by_option()
def counterfactual(
    model: Model, structure: Any, *, target: str | None = None, past: float | None = None
) -> "Counterfactuals":
    """Return what one exchange of an atom, group, site or element does to a prediction.

    Args:
        model: A trained model, its folder, or its name in the box.
        structure: One structure: a file, SMILES, formula or object.
        target: Which property; the first by default.
        past: Value in the unit of the target: only exchanges that move the prediction beyond it.

    Raises:
        ExplanationError: these are several structures, the target is a spectrum, or nothing can be
            exchanged.
        StructureError: the structure cannot be used.
    """
    from atomlens.screening.counterfactuals import counterfactuals
    from atomlens.structures.options import AS_IT_IS

    predictor = as_predictor(model)
    rows = read_rows(structure, predictor.suited(AS_IT_IS))
    if len(rows) != 1:
        raise ExplanationError(
            f"counterfactual takes one structure, and this input holds {len(rows)}; ask it of each."
        )
    item = rows[0].item
    if isinstance(item, Failure):
        raise StructureError(item.message)
    found = counterfactuals(
        predictor,
        item if hasattr(item, "info") else item.to_atoms(),
        target=target,
        past=past,
    )
    return replace(found, source=rows[0].source)


_STUDY_WORDS = {"all": "use_known", "model": "models", "ordered_models": "n_models"}


@by_option(**_STUDY_WORDS)
def study(
    name: str,
    data: Any = None,
    *,
    models: Model | Sequence[Model],
    shuffled: Model | Sequence[Model] = (),
    use_known: bool = False,
    limit: int | None = None,
    seed: int = 0,
    out: str | Path | None = None,
    progress: Any = None,
    **settings: Any,
) -> "StudyResult":
    """Measure a claim about attention, with controls.

    Args:
        name: A study of ``atomlens study list``.
        data: A data set, its name, a table, files or structures; some studies need none.
        models: Trained models, their folders or names; of several targets one as ``MODEL:TARGET``.
        shuffled: Control: models of the same kinds, trained on shuffled labels.
        use_known: Also judge what the models were trained on.
        limit: At most so many structures, drawn by ``seed``.
        seed: Draws them.
        out: Folder for figures, tables and ``study.json``; nothing is written by default.
        progress: Called with the number of steps done and in all.
        **settings: Settings of the study (``atomlens study info NAME``), and how structures are
            read: ``structure_column``, ``name_column``, ``structure_folder``, ``disorder``,
            ``n_models``, ``conformers``, ``strict``.

    Raises:
        SettingsError: no such study or setting.
        StudyError: models or structures are missing, or nothing can be used.
    """
    from atomlens.studies import STUDIES, StudyInput
    from atomlens.studies.answering import answer
    from atomlens.studies.base import no_progress
    from atomlens.studies.given import study_data

    if name not in STUDIES:
        raise SettingsError(unknown_name("study", name, STUDIES))
    if limit is not None and limit < 1:
        raise SettingsError(f"limit {limit}: it must be 1 or more.")
    heard = shown(progress, name) or no_progress
    reading, rest = _reading_of(settings)
    kind = STUDIES[name]
    known = [f.name for f in fields(kind.Settings)]
    for setting in rest:
        if setting not in known:
            raise SettingsError(f"{name}: {unknown_name('setting', setting, known)}")
    own = dict(rest)
    if "seed" in known:
        own.setdefault("seed", seed)
    asked = kind(kind.Settings(**typed_values(kind.Settings, own, name)))
    predictors = _predictors(models)
    asked.check_models(predictors)
    found = study_data(
        asked,
        data,
        predictors,
        tell=warn,
        reading=reading,
        use_known=use_known,
        limit=limit,
        seed=seed,
    )
    given = StudyInput(
        models=predictors,
        data=found.data,
        left_out=found.left_out,
        shuffled=_predictors(shuffled),
        use_known=use_known,
        progress=heard,
        seed=seed,
    )
    result = answer(asked, given)
    if out is not None:
        result.save(out)
        asked.draw(result, place_of(out))
    return result


@by_option(**_STUDY_WORDS)
def faithful(
    model: Model,
    data: Any,
    *,
    methods: str | Sequence[str] = (),
    target: str | None = None,
    limit: int | None = 300,
    **options: Any,
) -> "StudyResult":
    """Test whether explanations say what a model loses without the atoms: the study ``faithful``.

    Args:
        model: A trained model, its folder, or its name in the box.
        data: As for `study`.
        methods: Methods of explanation; all basic ones by default.
        target: Which property, if the model has several.
        limit: At most so many structures; None: all.
        **options: As for `study`.
    """
    named = ",".join([methods] if isinstance(methods, str) else methods)
    said = {"methods": named, "target": target}
    options |= {name: value for name, value in said.items() if value}
    return study("faithful", data, models=model, limit=limit, **options)


@by_option(**_STUDY_WORDS)
def environments(
    model: Model,
    data: Any,
    *,
    method: str | None = None,
    target: str | None = None,
    **options: Any,
) -> "StudyResult":
    """Average the scores of each local environment: the study ``environments``.

    Args:
        model: A trained model, its folder, or its name in the box.
        data: As for `study`.
        method: Of explanation; by default the first that the model has.
        target: Which property; the first by default.
        **options: As for `study`, and ``least``: structures that an environment must occur in.
    """
    said = {"method": method, "target": target}
    options |= {name: value for name, value in said.items() if value}
    return study("environments", data, models=model, **options)


@by_option(pressure="pressures", ordered_models="n_models")
def label(
    structures: Any,
    pressures: float | Sequence[float],
    *,
    gas: str = "CO2",
    force_field: str = "uff",
    charges: Any = "file",
    progress: Any = None,
    **settings: Any,
) -> "AdsorptionLabels":
    """Compute the uptake of a gas by crystals with Monte Carlo: `label_adsorption` of any input.

    Args:
        structures: Files, folders or objects.
        pressures: Bar; one or several.
        gas: ``CO2``, ``N2`` or ``CH4``.
        force_field: Lennard-Jones parameters of the crystal.
        charges: ``file`` or ``none``.
        progress: As for `label_adsorption`.
        **settings: Fields of `GcmcSettings` (``temperature``, ``cycles``, ``seed`` ...), and how
            structures are read, as for `study`.
    """
    from atomlens.labels import GcmcSettings, label_adsorption

    reading, rest = _reading_of(settings)
    known = [f.name for f in fields(GcmcSettings)]
    for setting in rest:
        if setting not in known:
            raise SettingsError(f"label: {unknown_name('setting', setting, known)}")
    items, _ = read_atoms(structures, reading)
    bars = [pressures] if isinstance(pressures, int | float) else list(pressures)
    return label_adsorption(
        items,
        bars,
        gas=gas,
        force_field=force_field,
        charges=charges,
        settings=GcmcSettings(**rest),
        progress=shown(progress, "label"),
    )


@by_option(ordered_models="n_models")
def graph(
    structures: Any, *, builder: str = "voronoi", **settings: Any
) -> "list[AtomGraph | Failure]":
    """Return the neighbours of every atom as a model would see them, a graph a structure.

    Args:
        structures: Anything that `Predictor.predict` takes.
        builder: ``voronoi``, ``nearest``, ``radius`` or ``formula``.
        **settings: Settings of the builder, and how structures are read, as for `study`.

    Returns:
        In the order of the inputs; one that fails gives its `Failure` in its place.

    Raises:
        SettingsError: no such builder or setting.
    """
    from atomlens.neighbors import BUILDERS, make_builder
    from atomlens.structures.arrays import name_of

    if builder not in BUILDERS:
        raise SettingsError(unknown_name("builder", builder, BUILDERS))
    reading, rest = _reading_of(settings)
    maker = make_builder(builder, **typed_values(BUILDERS[builder], rest, f"builder {builder}"))
    found: list[AtomGraph | Failure] = []
    for item in read_atoms(structures, reading)[0]:
        if isinstance(item, Failure):
            found.append(item)
            continue
        try:
            found.append(maker.build(item))
        except AtomlensError as problem:
            found.append(Failure(name=name_of(item), message=str(problem)))
    return found


def _predictors(given: Model | Sequence[Model]) -> tuple[Predictor, ...]:
    from atomlens.studies.given import load_one

    listed: list[Any] = list(given) if isinstance(given, list | tuple) else [given]
    return tuple(load_one(one) if isinstance(one, str) else as_predictor(one) for one in listed)


def _reading_of(given: Mapping[str, Any]) -> tuple[ReadingOptions, dict[str, Any]]:
    """Return how structures are read, and what else was said."""
    rest = dict(given)
    forms = {
        field: rest.pop(name)
        for name, field in (("disorder", "how"), ("n_models", "n_models"), ("conformers",) * 2)
        if name in rest
    }
    own = {name: rest.pop(name) for name in (*PLACES, "strict") if name in rest}
    return ReadingOptions(forms=DisorderChoice(**forms), **own), rest
