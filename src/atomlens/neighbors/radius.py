"""All neighbours within a radius."""

import math
from dataclasses import dataclass
from typing import ClassVar, final

from atomlens.errors import SettingsError
from atomlens.neighbors.kernels import Kernel, KernelBuilder
from atomlens.structures.arrays import StructureArrays

_MOST_EXPECTED = 4_000_000


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class RadiusBuilder(KernelBuilder):
    """All atoms and images within a cutoff; atoms exactly there are in."""

    name: ClassVar[str] = "radius"

    cutoff: float = 5.0
    """Å"""

    def __post_init__(self) -> None:
        """Check the values."""
        if not (math.isfinite(self.cutoff) and self.cutoff > 0):
            raise SettingsError(f"radius builder: `cutoff` must be above 0 Å, got {self.cutoff}.")

    def kernel(self, structures: StructureArrays) -> Kernel:
        """Return the loop over the structures with these settings."""
        from atomlens.neighbors.pairs import PairRules, empty_pair_workspace, find_pairs

        rules = PairRules(
            cutoff=float(self.cutoff), n_neighbors=0, tie_tolerance=0.0, keep_shell=False, pad=False
        )
        return Kernel(
            loop=find_pairs,
            structures=structures,
            rules=(rules,),
            make_room=empty_pair_workspace,
            # room that is not used is never touched, and costs nothing
            n_edges=int(min(structures.offsets[-1] * 0.8 * self.cutoff**3, _MOST_EXPECTED)),
        )
