"""One target of a model that has several, as a model of its own.

Attention claims are about a target: the HOMO's attention is not the LUMO's. A network of several
targets may have an attention for each (`ModelOutput.node_target_attention`); what studies ask then
sees this one alone. Where all targets share their attention, that is what is seen.
"""

from dataclasses import dataclass, replace
from typing import Any, final

from jaxtyping import Bool
from torch import Tensor

from atomlens.errors import StudyError, unknown_name
from atomlens.graphs import GraphBatch
from atomlens.models.base import ModelOutput, PropertyModel
from atomlens.nn.additive import AdditiveReadout, SelfStandingReadout
from atomlens.predictor import Predictor
from atomlens.printing import few
from atomlens.targets import output_slices, value_slices


@dataclass(frozen=True, slots=True, kw_only=True)
class OneTargetConfig:
    """Which outputs of what kind of network are meant."""

    kind: type[PropertyModel]
    settings: Any
    """The network's own ``Config``."""
    first: int
    n_outputs: int
    """Outputs from ``first`` on: one, or one a class."""

    @property
    def n_elements(self) -> int:
        """Size of the network's element table."""
        return int(self.settings.n_elements)

    @property
    def predict_scale(self) -> bool:
        """Whether the network predicts its noise."""
        return bool(self.settings.predict_scale)


@final
class OneTarget(PropertyModel[OneTargetConfig]):
    """A network of several targets, of which one is shown."""

    Config = OneTargetConfig

    def __init__(self, config: OneTargetConfig, network: PropertyModel | None = None) -> None:
        super().__init__(config)
        self.network = config.kind(config.settings) if network is None else network
        self.edge_fields = config.kind.edge_fields  # type: ignore[misc]

    @classmethod
    def element_table_name(cls, config: OneTargetConfig) -> str:
        """Return the network's name of its fixed element vectors."""
        return config.kind.element_table_name(config.settings)

    @property
    def attends_to_atoms(self) -> bool:
        """As the network does."""
        return self.network.attends_to_atoms

    def knows_elements(self) -> Bool[Tensor, " n_elements"]:
        """Return which atomic numbers the network can take."""
        return self.network.knows_elements()

    def get_buffer(self, target: str) -> Tensor:
        """Return a buffer of the network."""
        return self.network.get_buffer(target)

    def forward(self, batch: GraphBatch) -> ModelOutput:
        """Return what the network says of the one target."""
        output: ModelOutput = self.network(batch)
        own = slice(self.config.first, self.config.first + self.config.n_outputs)

        def chosen(values: Tensor | None) -> Tensor | None:
            return None if values is None else values[:, own]

        attention = chosen(output.node_target_attention)
        return replace(
            output,
            values=output.values[:, own],
            log_scale=chosen(output.log_scale),
            node_terms=chosen(output.node_terms),
            node_target_attention=attention,
            node_attention=output.node_attention if attention is None else attention.mean(dim=1),
            node_scores=output.node_scores if attention is None else None,
        )


def about_target(predictor: Predictor, name: str) -> Predictor:
    """Return one target of a trained model as a predictor of that target alone, for studies.

    Predictions and their errors stay as they are; attention is that of the target, if it has one
    of its own. The result is not meant to be saved.

    Args:
        predictor: A model of one or several targets.
        name: Of one of them.

    Raises:
        StudyError: it has no such target.
    """
    names = [t.name for t in predictor.targets]
    if name not in names:
        raise StudyError(unknown_name("target of this model", name, names))
    if len(names) == 1:
        return predictor
    place = names.index(name)
    outputs, values = (
        output_slices(predictor.targets)[place],
        value_slices(predictor.targets)[place],
    )
    scaling = predictor.scaling
    models = []
    for model in predictor.models:
        config = OneTargetConfig(
            kind=type(model),
            settings=model.config,
            first=outputs.start,
            n_outputs=outputs.stop - outputs.start,
        )
        models.append(OneTarget(config, model))
    of_made = predictor.calibration_of_made
    return replace(
        predictor,
        models=tuple(models),
        scaling=replace(
            scaling,
            targets=(scaling.targets[place],),
            means=(scaling.means[place],),
            stds=(scaling.stds[place],),
            references=(scaling.references[place],),
        ),
        calibration=predictor.calibration.of_values(values),
        calibration_of_made=of_made and of_made.of_values(values),
    )


def mixed_attention(predictor: Predictor) -> str:
    """Say that the attention of a model is a mean over its targets; empty if it is not.

    A model of several targets with one attention for all has nothing to mix.
    """
    readouts = (AdditiveReadout, SelfStandingReadout)
    own = any(isinstance(part, readouts) for part in predictor.models[0].modules())
    if not own or len(predictor.targets) < 2:
        return ""
    names = few(t.name for t in predictor.targets)
    return (
        f"{predictor.model_name}: each of its targets ({names}) has an attention of its own, and "
        'what is shown is their mean; --model MODEL:TARGET (in Python models="MODEL:TARGET") asks '
        "about one."
    )


def split_name(given: str) -> tuple[str, str]:
    """Return the model and the target of ``MODEL:TARGET``; no target where none is named.

    The name of a target holds no slash; ``box:NAME`` is a model of the box, ``C:`` a drive.
    """
    model, colon, target = given.rpartition(":")
    if not colon or not model or model == "box" or "/" in target or "\\" in target:
        return given, ""
    return model, target
