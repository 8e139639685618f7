"""Figures that a function of ours draws, kept for a look at their axes."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import pytest

from atomlens.reports.canvas import new_figure


def kept_figures(monkeypatch: pytest.MonkeyPatch, module: ModuleType) -> list[Any]:
    """Return the list to which every figure is added that the module draws from now on."""
    kept: list[Any] = []

    @contextmanager
    def watched(*arguments: Any, **more: Any) -> Iterator[Any]:
        with new_figure(*arguments, **more) as figure:
            kept.append(figure)
            yield figure

    monkeypatch.setattr(module, "new_figure", watched)
    return kept
