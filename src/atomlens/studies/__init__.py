"""Studies: the claims about attention, as measurements with controls.

``STUDIES`` is the table of studies; a new one is a class in a file of its own, named here.
"""

from atomlens.studies.base import Claim, Effect, Study, StudyInput, StudyResult
from atomlens.studies.relative_attention import RelativeAttention

STUDIES: dict[str, type[Study]] = {s.name: s for s in (RelativeAttention,)}
"""Studies by the name of ``atomlens study NAME``."""

__all__ = ["STUDIES", "Claim", "Effect", "Study", "StudyInput", "StudyResult"]
