"""Explainers, and the tests of explanations."""

from atomlens.explain.base import AtomScores, AttentionExplainer, Explainer, Explanation
from atomlens.explain.gradients import GradientExplainer, IntegratedGradientsExplainer
from atomlens.explain.occlusion import OcclusionExplainer
from atomlens.explain.question import Answers, Question

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
    "Answers",
    "AtomScores",
    "AttentionExplainer",
    "Explainer",
    "Explanation",
    "GradientExplainer",
    "IntegratedGradientsExplainer",
    "OcclusionExplainer",
    "Question",
]
