"""Studies: the claims about attention, as measurements with controls.

``STUDIES`` is the table of studies; a new one is a class in ``NAME/study.py``, named here.
"""

from atomlens.studies.base import Claim, Effect, Study, StudyInput, StudyResult
from atomlens.studies.deformation.study import Deformation
from atomlens.studies.edge_attributes.study import EdgeAttributes
from atomlens.studies.element_attention.study import ElementAttention
from atomlens.studies.embeddings.study import Embeddings
from atomlens.studies.enz.study import Enz
from atomlens.studies.motifs.study import Motifs
from atomlens.studies.orbitals.study import Orbitals
from atomlens.studies.orbits.study import OrbitsStudy
from atomlens.studies.relative_attention.study import RelativeAttention
from atomlens.studies.substitution.study import Substitution

STUDIES: dict[str, type[Study]] = {
    study.name: study
    for study in (
        RelativeAttention,
        OrbitsStudy,
        Orbitals,
        Substitution,
        Deformation,
        Motifs,
        EdgeAttributes,
        Embeddings,
        ElementAttention,
        Enz,
    )
}
"""Studies by the name of ``atomlens study NAME``."""

__all__ = ["STUDIES", "Claim", "Effect", "Study", "StudyInput", "StudyResult"]
