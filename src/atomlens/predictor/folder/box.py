"""The box: trained models that come with the package, known by name.

Each is an ordinary model folder among the package's data. A name means the model of the box
unless a model folder of that name stands here; ``box:NAME`` always means the box, ``./NAME``
always the folder.
"""

import os
from pathlib import Path

from atomlens.errors import ModelError, unknown_name
from atomlens.files import place_of
from atomlens.predictor.folder import SETTINGS, TRAINING

BOX = Path(__file__).resolve().parents[2] / "box"
"""Folder of the package that holds the models."""
PREFIX = "box:"


def boxed_names() -> tuple[str, ...]:
    """Return the names of the models in the box, in alphabetical order."""
    return tuple(sorted(path.parent.name for path in BOX.glob(f"*/{SETTINGS}")))


def model_place(given: str | Path) -> Path:
    """Return the folder that is meant by a path, or by the name of a model in the box.

    Raises:
        ModelError: there is neither; the message offers the nearest name.
    """
    if isinstance(given, Path):
        return place_of(given)
    names = boxed_names()
    if given.startswith(PREFIX):
        name = given.removeprefix(PREFIX)
        if name not in names:
            raise ModelError(unknown_name("model in the box", name, names))
        return BOX / name
    folder = place_of(given)
    if given in names and not _holds_model(folder):
        return BOX / given
    if _is_bare_name(given) and not os.path.exists(folder):
        known = unknown_name("model folder, nor model in the box,", given, names)
        raise ModelError(f"{known} Your own models are the folders that `atomlens train` wrote.")
    return folder


def hides_boxed(given: str | Path) -> bool:
    """Say whether a name means a folder here although the box has a model of that name."""
    return isinstance(given, str) and given in boxed_names() and _holds_model(place_of(given))


def names_model(given: str) -> bool:
    """Say whether a text is the name of a model of the box, or a folder that holds a model."""
    named = given.startswith(PREFIX) or given in boxed_names()
    return named or ("\0" not in given and _holds_model(place_of(given)))


def is_model(given: str) -> bool:
    """Say whether a text means a model, and no file or folder of another kind."""
    return names_model(given) and (
        not os.path.exists(place_of(given)) or _holds_model(place_of(given))
    )


def _holds_model(folder: Path) -> bool:
    return os.path.isfile(folder / SETTINGS) or os.path.isdir(folder / TRAINING)


def _is_bare_name(given: str) -> bool:
    return bool(given) and Path(given).name == given and "\\" not in given
