"""Explainers, and the tests of explanations."""

from atomlens.explain.base import AttentionExplainer, Explainer, Explanation, NodeScores

EXPLAINERS: dict[str, type[Explainer]] = {AttentionExplainer.name: AttentionExplainer}
"""Every explanation method by name."""

__all__ = ["EXPLAINERS", "AttentionExplainer", "Explainer", "Explanation", "NodeScores"]
