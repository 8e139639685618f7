"""Contributions: the terms of a model that is a sum over atoms, in the unit of the target."""

from typing import final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from atomlens.errors import ExplanationError
from atomlens.explain.base import AtomScores, Explainer, methods_sentence
from atomlens.explain.question import Question, Values
from atomlens.targets import output_slices


@final
class ContributionExplainer(Explainer):
    """The exact term of each atom; together the prediction less the mean of the training values.

    Of an intensive property an atom has std a u, with a its attention for this target and u its
    value, and what its element is above the mean where the model is trained on top of a sum over
    elements. Of an extensive property it has the share of its element and std n a u, and the
    terms add up to the prediction itself. What a bound (no negative gaps) changes afterwards is
    in no term. Of a class the terms are of its logit over the mean of the others', which for two
    classes is the logarithm of the odds; both at the temperature of the probabilities.
    """

    name = "contribution"
    in_target_units = True
    signed = True
    adds_up = True
    single_pass = True

    @torch.no_grad()
    def explain(self, question: Question) -> AtomScores:
        """Read the terms that the models return.

        Raises:
            ExplanationError: the model returns no terms of atoms.
        """
        model = question.models[0]
        if not model.is_additive:
            raise ExplanationError(
                f"This {type(model).__name__} returns no terms of single atoms, so it has no "
                f"contributions; {methods_sentence(model)}"
            )
        found = np.stack([_terms(m(question.batch).node_terms, question) for m in question.models])
        return AtomScores(scores=found.mean(axis=0), by_member=found)

    def score_unit(self, question: Question) -> str:
        """Return the unit of the target; of a class, of what its terms add up to."""
        if question.label is None:
            return question.unit
        return f"logit of {question.target.classes[question.label]} over the others"


def _terms(terms: Float[Tensor, "n_nodes n_outputs"] | None, question: Question) -> Values:
    """(n_atoms,) The terms of one member."""
    assert terms is not None
    own = question.outputs_of_target(terms)
    if question.labels is not None:
        place = output_slices(question.trained.targets)[question.column]
        others = terms[:, place].sum(dim=1) - own
        own = own - others / (question.target.n_outputs - 1)
        own = own / question.temperature
        return question.per_atom(own.double().cpu().numpy())
    slope = question.network_slope()[question.structure_index]
    return question.per_atom(own.double().cpu().numpy()) * slope + question.element_terms()
