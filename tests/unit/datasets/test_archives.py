"""Archives that are damaged, in one sentence."""

import tarfile
from pathlib import Path
from typing import Any

import pytest

from atomlens.datasets.sources.archives import open_members
from atomlens.errors import DatasetError


def test_damage_without_a_word_is_called_by_its_kind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ended(*_: Any, **__: Any) -> None:
        raise EOFError

    monkeypatch.setattr(tarfile, "open", ended)
    (tmp_path / "a.tar").write_bytes(b"x")
    with pytest.raises(DatasetError, match=r"zip or tar archive \(EOFError\); remove it"):
        list(open_members(tmp_path / "a.tar", ".cif"))
