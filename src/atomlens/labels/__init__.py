"""Labels from physics: what a simulation says about a structure, with its uncertainty.

Importing this package is free: the simulation engine and ase are imported by the functions
that need them.
"""

from typing import TYPE_CHECKING

from atomlens.lazy import lazy_names

if TYPE_CHECKING:
    from atomlens.labels.adsorption import AdsorptionLabels as AdsorptionLabels
    from atomlens.labels.adsorption import label_adsorption as label_adsorption
    from atomlens.labels.adsorption import training_rows as training_rows
    from atomlens.labels.force_fields import FORCE_FIELDS as FORCE_FIELDS
    from atomlens.labels.framework import make_framework as make_framework
    from atomlens.labels.gases import GASES as GASES
    from atomlens.labels.gcmc import Adsorption as Adsorption
    from atomlens.labels.gcmc import GcmcSettings as GcmcSettings
    from atomlens.labels.gcmc import simulate as simulate

_WHERE = {
    "Adsorption": "gcmc",
    "AdsorptionLabels": "adsorption",
    "FORCE_FIELDS": "force_fields",
    "GASES": "gases",
    "GcmcSettings": "gcmc",
    "label_adsorption": "adsorption",
    "make_framework": "framework",
    "simulate": "gcmc",
    "training_rows": "adsorption",
}
__all__ = list(_WHERE)
__getattr__, __dir__ = lazy_names(__name__, _WHERE)
