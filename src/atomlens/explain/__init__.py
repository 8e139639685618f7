"""Explainers, and the tests of explanations."""

from atomlens.explain.base import AttentionExplainer, Explainer, Explanation, NodeScores
from atomlens.explain.gradients import GradientExplainer, IntegratedGradientsExplainer
from atomlens.explain.occlusion import OcclusionExplainer

EXPLAINERS: dict[str, type[Explainer]] = {
    explainer.name: explainer
    for explainer in (
        AttentionExplainer,
        GradientExplainer,
        IntegratedGradientsExplainer,
        OcclusionExplainer,
    )
}
"""Every explanation method by name."""

__all__ = [
    "EXPLAINERS",
    "AttentionExplainer",
    "Explainer",
    "Explanation",
    "GradientExplainer",
    "IntegratedGradientsExplainer",
    "NodeScores",
    "OcclusionExplainer",
]
