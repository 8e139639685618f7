"""Studies: the claims about attention, as measurements with controls.

``STUDIES`` is the table of studies; a new one is a class in a file of its own, named here.
"""

from atomlens.studies.base import Claim, Effect, Study, StudyInput, StudyResult
from atomlens.studies.deformation import Deformation
from atomlens.studies.edge_attributes import EdgeAttributes
from atomlens.studies.element_attention import ElementAttention
from atomlens.studies.embeddings import Embeddings
from atomlens.studies.enz import Enz
from atomlens.studies.motifs import Motifs
from atomlens.studies.orbitals import Orbitals
from atomlens.studies.orbits import OrbitsStudy
from atomlens.studies.relative_attention import RelativeAttention
from atomlens.studies.substitution import Substitution

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
