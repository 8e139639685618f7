"""Data sets: structures with the values that are to be learned, and splits.

Importing this package needs numpy alone. ``DATASETS`` is the table of data sets that are
known by name; a new one is a class in a file of its own, named here.
"""

from typing import TYPE_CHECKING

from atomlens.datasets.base import Dataset, DatasetSource, Sample
from atomlens.datasets.sources.core_mof import CoreMof, CoreMofFsr
from atomlens.datasets.sources.crippen import CrippenLogp
from atomlens.datasets.sources.emt_alloys import EmtAlloys
from atomlens.datasets.sources.finder_mp import FinderMp
from atomlens.datasets.sources.jarvis_optical import JarvisOptical
from atomlens.datasets.sources.mp2018 import Mp2018
from atomlens.datasets.sources.optical_nk import OpticalNk
from atomlens.datasets.sources.qm9 import Qm9
from atomlens.datasets.sources.qm9_figshare import Qm9Figshare
from atomlens.datasets.sources.scann_deposit import FullereneMd, PtGrapheneMd, SmFe12Cd
from atomlens.datasets.sources.toy import Toy
from atomlens.lazy import lazy_names

if TYPE_CHECKING:
    from atomlens.datasets.loading import load_dataset as load_dataset
    from atomlens.datasets.packed import load_packed as load_packed
    from atomlens.datasets.packed import save_packed as save_packed
    from atomlens.datasets.splits import Split as Split
    from atomlens.datasets.splits import make_split as make_split

DATASETS: dict[str, type[DatasetSource]] = {
    "qm9": Qm9,
    "qm9-figshare": Qm9Figshare,
    "mp-2018": Mp2018,
    "finder-mp": FinderMp,
    "core-mof": CoreMof,
    "core-mof-fsr": CoreMofFsr,
    "fullerene-md": FullereneMd,
    "pt-graphene-md": PtGrapheneMd,
    "smfe12-cd": SmFe12Cd,
    "optical-nk": OpticalNk,
    "jarvis-optical": JarvisOptical,
    "toy": Toy,
    "crippen-logp": CrippenLogp,
    "emt-alloys": EmtAlloys,
}
"""Data sets that are known by name."""

_WHERE = {
    "load_dataset": "loading",
    "load_packed": "packed",
    "save_packed": "packed",
    "Split": "splits",
    "make_split": "splits",
}
__all__ = ["DATASETS", "Dataset", "DatasetSource", "Sample", *_WHERE]
__getattr__, __dir__ = lazy_names(
    __name__, _WHERE, ("DATASETS", "Dataset", "DatasetSource", "Sample")
)
