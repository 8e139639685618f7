"""Studies: the claims about attention, as measurements with controls.

``STUDIES`` is the table of studies; a new one is a class in a file of its own, named here.
"""

from atomlens.studies.base import Claim, Effect, Study, StudyInput, StudyResult

STUDIES: dict[str, type[Study]] = {}
"""Studies by the name of ``atomlens study NAME``."""

__all__ = ["STUDIES", "Claim", "Effect", "Study", "StudyInput", "StudyResult"]
