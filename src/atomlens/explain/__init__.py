"""Explainers, and the tests of explanations.

Importing this package imports none of them: ``EXPLAINERS`` is the table of methods, of which the
command line says the names without loading torch. A new one is a class in a file of its own,
named here.
"""

from typing import TYPE_CHECKING

from atomlens.errors import SettingsError, unknown_name
from atomlens.lazy import LateTable, lazy_names

if TYPE_CHECKING:
    from atomlens.explain.base import AtomScores as AtomScores
    from atomlens.explain.base import AttentionExplainer as AttentionExplainer
    from atomlens.explain.base import Explainer as Explainer
    from atomlens.explain.base import Explanation as Explanation
    from atomlens.explain.base import Method as Method
    from atomlens.explain.base import default_method as default_method
    from atomlens.explain.base import explainer_of as explainer_of
    from atomlens.explain.base import methods_of as methods_of
    from atomlens.explain.contributions import ContributionExplainer as ContributionExplainer
    from atomlens.explain.gradients import GradientExplainer as GradientExplainer
    from atomlens.explain.gradients import (
        IntegratedGradientsExplainer as IntegratedGradientsExplainer,
    )
    from atomlens.explain.occlusion import OcclusionExplainer as OcclusionExplainer
    from atomlens.explain.question import Answers as Answers
    from atomlens.explain.question import Question as Question

_GRADIENTS = "atomlens.explain.gradients"
EXPLAINERS: "LateTable[type[Explainer]]" = LateTable(
    {
        "contribution": "atomlens.explain.contributions:ContributionExplainer",
        "attention": "atomlens.explain.base:AttentionExplainer",
        "attention-rollout": "atomlens.explain.base:RolloutExplainer",
        "gradient": f"{_GRADIENTS}:GradientExplainer",
        "gradient-x-input": f"{_GRADIENTS}:GradientXInputExplainer",
        "integrated-gradients": f"{_GRADIENTS}:IntegratedGradientsExplainer",
        "integrated-gradients-mask": f"{_GRADIENTS}:MaskedIntegratedGradientsExplainer",
        "expected-gradients": f"{_GRADIENTS}:ExpectedGradientsExplainer",
        "shapley": "atomlens.explain.shapley:ShapleyExplainer",
        "learnt-mask": "atomlens.explain.masks:LearntMaskExplainer",
        "learnt-mask-edges": "atomlens.explain.masks:LearntEdgeMaskExplainer",
        "occlusion": "atomlens.explain.occlusion:OcclusionExplainer",
        "occlusion-mask": "atomlens.explain.occlusion:MaskedOcclusionExplainer",
        "occlusion-rebuilt": "atomlens.explain.occlusion:RebuiltOcclusionExplainer",
    }
)
"""Every explanation method by name."""


def check_method(name: str) -> None:
    """Raise a SettingsError, which offers the nearest one, for a name that is no method."""
    if name not in EXPLAINERS:
        raise SettingsError(unknown_name("explanation method", name, EXPLAINERS))


def named_methods(text: str) -> tuple[str, ...]:
    """Return the methods of a text with commas between.

    Raises:
        SettingsError: one is no method.
    """
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    for name in names:
        check_method(name)
    return names


_WHERE = {
    "Answers": "question",
    "AtomScores": "base",
    "AttentionExplainer": "base",
    "ContributionExplainer": "contributions",
    "Explainer": "base",
    "Explanation": "base",
    "GradientExplainer": "gradients",
    "Method": "base",
    "explainer_of": "base",
    "IntegratedGradientsExplainer": "gradients",
    "OcclusionExplainer": "occlusion",
    "Question": "question",
    "default_method": "base",
    "methods_of": "base",
}
__all__ = ["EXPLAINERS", "check_method", "named_methods", *_WHERE]
__getattr__, __dir__ = lazy_names(__name__, _WHERE, ("EXPLAINERS", "check_method", "named_methods"))
