"""What a failed download leaves behind."""

from pathlib import Path

import pytest

from atomlens.datasets.loading import load_dataset
from atomlens.errors import DatasetError
from atomlens.structures import read_structures

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 12\n"
PAGE = "<!DOCTYPE html>\n<html><body>404, not found</body></html>\n"


@pytest.mark.parametrize(("text", "word"), [(POINTER, "git lfs pull"), (PAGE, "web page")])
def test_pointers_and_pages_are_called_so(text: str, word: str, tmp_path: Path) -> None:
    for name in ("a.csv", "a.smi", "a.jsonl"):
        (tmp_path / name).write_text(text)
        with pytest.raises(DatasetError, match=word):
            load_dataset(tmp_path / name)
    for name in ("a.cif", "a.xyz", "a.sdf", "a.json", "POSCAR"):
        (tmp_path / name).write_text(text)
        (failure,) = read_structures([tmp_path / name]).failures
        assert word in failure.message
