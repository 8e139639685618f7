"""A clock for trainings that does not depend on the machine."""

from itertools import count
from types import SimpleNamespace

import pytest

TICK = 0.004


def set_ticking(patch: pytest.MonkeyPatch) -> None:
    """Let trainings read a clock that goes on by 4 ms whenever somebody looks at it."""
    clock = SimpleNamespace(perf_counter=(TICK * look for look in count()).__next__)
    patch.setattr("atomlens.training.counters.time", clock)
    patch.setattr("atomlens.training.pipeline.time", clock)
