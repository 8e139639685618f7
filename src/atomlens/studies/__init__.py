"""Studies: the claims about attention, as measurements with controls.

``STUDIES`` is the table of studies; a new one is a class in ``NAME/study.py``, named here.
"""

from atomlens.lazy import LateTable
from atomlens.studies.base import Claim, Effect, Study, StudyInput, StudyResult

STUDIES: LateTable[type[Study]] = LateTable(
    {
        "relative-attention": "atomlens.studies.relative_attention.study:RelativeAttention",
        "orbits": "atomlens.studies.orbits.study:OrbitsStudy",
        "orbitals": "atomlens.studies.orbitals.study:Orbitals",
        "substitution": "atomlens.studies.substitution.study:Substitution",
        "deformation": "atomlens.studies.deformation.study:Deformation",
        "motifs": "atomlens.studies.motifs.study:Motifs",
        "edge-attributes": "atomlens.studies.edge_attributes.study:EdgeAttributes",
        "embeddings": "atomlens.studies.embeddings.study:EmbeddingsStudy",
        "element-attention": "atomlens.studies.element_attention.study:ElementAttention",
        "faithful": "atomlens.studies.faithful.study:Faithful",
        "truth": "atomlens.studies.truth.study:TruthStudy",
        "environments": "atomlens.studies.environments.study:Environments",
        "enz": "atomlens.screening.enz.study:Enz",
    }
)
"""Studies by the name of ``atomlens study NAME``, imported when they are asked for."""

__all__ = ["STUDIES", "Claim", "Effect", "Study", "StudyInput", "StudyResult"]
