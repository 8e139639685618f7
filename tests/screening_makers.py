"""Candidates, jobs and folders for tests of screening."""

import os
import signal
from pathlib import Path
from typing import Any

from atomlens.predictor import load
from atomlens.predictor.inputs.pieces import Piece
from atomlens.screening.columns import ScreenColumns
from atomlens.screening.jobs import ScreenJob
from atomlens.structures.forms import REFUSE

WATER = "3\nwater\nO 0 0 0\nH 0.96 0 0\nH -0.24 {y} 0\n"


def waters(folder: Path, n: int) -> Path:
    """A folder of n molecules of water, each a little different."""
    folder.mkdir()
    for i in range(n):
        (folder / f"w{i:03d}.xyz").write_text(WATER.format(y=0.85 + i / 50))
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a folder, byte by byte."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def job_of(model: Path) -> ScreenJob:
    """A job with one model."""
    columns = ScreenColumns.of({"m": load(model)}, (), has_forms=False)
    return ScreenJob(models=(("m", str(model)),), columns=columns, forms=REFUSE, device="cpu")


def kill(*_: Any) -> None:
    """End the process in which it runs."""
    os.kill(os.getpid(), signal.SIGKILL)


def pieces_that_kill(folder: Path) -> Piece:
    """A row of a table whose reader ends its process."""
    return Piece("row", (kill, (), str(folder), "deadly", None), "deadly", "deadly", 1)
