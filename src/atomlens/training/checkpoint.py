"""The state of a training on disk: one file, replaced in one step, never unpickled."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.torch import save as save_tensors
from torch import Tensor

from atomlens.boundary import net, parse_json, regular_size
from atomlens.errors import TrainingError
from atomlens.files import whole_file

CHECKPOINT = "checkpoint.safetensors"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """Everything from which a training goes on as if it had never been interrupted."""

    tensors: dict[str, Tensor]
    """``model.…``, ``best.…``, ``optimizer.…``, ``average.…`` and ``clip.norms``"""
    state: dict[str, Any]
    """Plain values: counters, history, schedule."""

    def group(self, prefix: str) -> dict[str, Tensor]:
        """Return the tensors whose names start with ``prefix.``, without the prefix."""
        start = f"{prefix}."
        return {n.removeprefix(start): t for n, t in self.tensors.items() if n.startswith(start)}

    def write(self, folder: Path) -> None:
        """Replace the checkpoint of a folder; a kill leaves the old one or the new one."""
        plain = {n: t.detach().cpu().contiguous().clone() for n, t in self.tensors.items()}
        content = save_tensors(plain, metadata={"state": json.dumps(self.state)})
        with whole_file(folder / CHECKPOINT) as stream:
            stream.write(content)


@contextmanager
def restoring(folder: Path) -> Iterator[None]:
    """Turn whatever an odd state makes a training raise into one sentence about its file."""
    advice = f"delete the folder {folder} and start again"
    with net(
        TrainingError, f"{folder / CHECKPOINT}, the state of the training, is damaged", advice
    ):
        yield


def read_checkpoint(folder: Path) -> Checkpoint | None:
    """Return the checkpoint of a folder, or None if there is none.

    Raises:
        TrainingError: the file is damaged.
    """
    path = folder / CHECKPOINT
    if not path.exists():
        return None
    with restoring(folder):
        regular_size(path)
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            state = parse_json(file.metadata()["state"])
        if not isinstance(state, dict):
            raise ValueError("its plain values are no table")
    return Checkpoint(tensors=tensors, state=state)
