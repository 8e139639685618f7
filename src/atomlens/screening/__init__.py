"""Many candidates judged and ranked: `screen`, and what the studies of candidates need."""

from typing import TYPE_CHECKING

from atomlens.lazy import lazy_names

if TYPE_CHECKING:
    from atomlens.screening.pipeline import ScreenResult as ScreenResult
    from atomlens.screening.pipeline import ScreenSettings as ScreenSettings
    from atomlens.screening.pipeline import screen as screen

_WHERE = {"screen": "pipeline", "ScreenResult": "pipeline", "ScreenSettings": "pipeline"}
__all__ = list(_WHERE)
__getattr__, __dir__ = lazy_names(__name__, _WHERE)
