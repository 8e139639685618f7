"""One browser for all browser tests, and pages to open in it."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk, molecule
from chromium import Chromium, find_chromium

from atomlens.reports.page import write_page
from explained_makers import HOSTILE_NAME, explained, formula, water


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark everything in this folder, and skip it without a browser."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)
            if find_chromium() is None:
                item.add_marker(pytest.mark.skip(reason="there is no Chromium on the PATH"))


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """A browser with WebGL in software."""
    chromium = Chromium(tmp_path_factory.mktemp("profile"))
    yield chromium
    chromium.close()


@pytest.fixture(scope="session")
def methanol_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with one molecule."""
    structure = explained(molecule("CH3OH"), name="methanol")
    return write_page([structure], tmp_path_factory.mktemp("page") / "methanol.html")


@pytest.fixture(scope="session")
def many_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with a molecule of a hostile name, a crystal, a formula and equal scores."""
    slab = bulk("NaCl", "rocksalt", a=5.64, cubic=True)
    slab.pbc = (True, True, False)
    structures = [
        explained(water(), name=HOSTILE_NAME),
        explained(slab, name="layer"),
        explained(formula("Fe2O3"), name="rust", baseline=None, scores_std=None),
        explained(molecule("C60"), name="ball", scores=np.full(60, 1 / 60)),
    ]
    folder = tmp_path_factory.mktemp("pages")
    return write_page(structures, folder / "many.html", title=HOSTILE_NAME)
