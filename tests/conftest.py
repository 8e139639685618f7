"""Test set-up: shapes are checked, files of other people's code are found or skipped."""

import os
from pathlib import Path

import pytest
from jaxtyping import install_import_hook

import atomlens

PACKAGE = Path(atomlens.__file__).parent
COMPILED = {"kernels", "assembly"}
"""Modules of compiled loops: numba reads their source, so nothing may wrap their functions."""

install_import_hook(
    [
        "atomlens.graphs",
        "atomlens.models",
        *(f"atomlens.nn.{f.stem}" for f in (PACKAGE / "nn").glob("*.py") if f.stem not in COMPILED),
    ],
    "beartype.beartype",
)


@pytest.fixture(scope="session")
def fixtures_dir() -> Path:
    """Folder with the outputs of the authors' own code."""
    folder = Path(os.environ.get("ATOMLENS_FIXTURES", "../shared/fixtures"))
    if not folder.is_dir():
        pytest.skip("the reference outputs are not on this machine (set ATOMLENS_FIXTURES)")
    return folder
