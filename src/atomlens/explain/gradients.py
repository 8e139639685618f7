"""Gradients of the prediction with respect to what each atom starts from.

Every atom begins as the learned vector of its element. Here each atom gets a vector of its own
in place of its element's, so that the answer to a change of this one atom can be asked for.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.func import functional_call

from atomlens.errors import ExplanationError
from atomlens.explain.base import Explainer, NodeScores, Outputs, explained_output
from atomlens.graphs import GraphBatch
from atomlens.models.base import ModelOutput, PropertyModel

N_STEPS = 32
"""Points on the path of integrated gradients (midpoints)."""

_Vectors = Float[Tensor, "n_nodes n_features"]


@final
class GradientExplainer(Explainer):
    """|∂y / ∂h_i|, with h_i the element vector that atom i starts from."""

    name = "gradient"
    summary = (
        "strength with which the prediction answers to a small change of the atom's element "
        "vector; it holds for small changes only."
    )
    in_target_units = True

    def explain(self, model: PropertyModel, batch: GraphBatch, outputs: Outputs) -> NodeScores:
        """Take the length of the gradient of each atom."""
        vectors, run = _by_atom(model, batch)
        gradient, output = _gradient(run, vectors, outputs)
        return NodeScores(scores=gradient.norm(dim=1).double().cpu().numpy(), output=output)


@final
class IntegratedGradientsExplainer(Explainer):
    """(h_i - h̄) · ∫ ∂y/∂h_i along the straight path from h̄, the mean vector of the atoms, to h_i.

    Sundararajan, Taly and Yan, "Axiomatic attribution for deep networks" (2017). The scores add
    up to f(structure) - f(the same geometry, every atom an average one), up to the error of the
    32-point integral. A vector of zeros is no good reference: a layer norm makes the networks
    jump there. In a structure of one element every atom is the average one, and scores 0.
    """

    name = "integrated-gradients"
    summary = (
        "shares out the difference between the prediction and that for the same geometry with the "
        "structure's average atom everywhere; positive: the atom raises the prediction against it."
    )
    in_target_units = True

    def explain(self, model: PropertyModel, batch: GraphBatch, outputs: Outputs) -> NodeScores:
        """Average the gradients along the path, times the way."""
        vectors, run = _by_atom(model, batch)
        way = vectors - vectors.mean(dim=0)
        total = torch.zeros_like(vectors)
        for step in range(N_STEPS):
            left = 1 - (step + 0.5) / N_STEPS
            gradient, _ = _gradient(run, vectors - left * way, outputs)
            total += gradient
        scores = (total / N_STEPS * way).sum(dim=1)
        with torch.no_grad():
            output = run(vectors)
        return NodeScores(scores=scores.double().cpu().numpy(), output=output)


def _by_atom(
    model: PropertyModel, batch: GraphBatch
) -> tuple[_Vectors, Callable[[_Vectors], ModelOutput]]:
    """Return the element vector of each atom, and the model as a function of these vectors.

    Raises:
        ExplanationError: the model learns no vector for each element.
    """
    if len(model.element_tables) != 1:
        raise ExplanationError(
            f"A {type(model).__name__} learns no vector for each element, so it has no gradient "
            "for each atom; use the method occlusion."
        )
    name = model.element_tables[0]
    table = model.get_parameter(name).detach()
    vectors = table.index_select(0, batch.atomic_numbers)
    own = replace(batch, atomic_numbers=torch.arange(batch.n_nodes, device=vectors.device))

    def run(vectors: _Vectors) -> ModelOutput:
        output: ModelOutput = functional_call(model, {name: vectors}, (own,))
        return output

    return vectors, run


def _gradient(
    run: Callable[[_Vectors], ModelOutput], vectors: _Vectors, outputs: Outputs
) -> tuple[_Vectors, ModelOutput]:
    with torch.enable_grad():
        varied = vectors.detach().clone().requires_grad_()
        output = run(varied)
        (gradient,) = torch.autograd.grad(explained_output(output.values, outputs)[0], varied)
    return gradient, output
