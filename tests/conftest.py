"""Test set-up: shapes are checked, files of other people's code are found or skipped."""

import os
from pathlib import Path

import pytest
from jaxtyping import install_import_hook

install_import_hook(["atomlens.graphs", "atomlens.nn", "atomlens.models"], "beartype.beartype")


@pytest.fixture(scope="session")
def fixtures_dir() -> Path:
    """Folder with the outputs of the authors' own code."""
    folder = Path(os.environ.get("ATOMLENS_FIXTURES", "../shared/fixtures"))
    if not folder.is_dir():
        pytest.skip("the reference outputs are not on this machine (set ATOMLENS_FIXTURES)")
    return folder
