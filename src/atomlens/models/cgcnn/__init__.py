"""CGCNN and AE-CGCNN: gated and attention convolutions over crystal graphs."""

from atomlens.models.cgcnn.model import Cgcnn, CgcnnConfig

__all__ = ["Cgcnn", "CgcnnConfig"]
