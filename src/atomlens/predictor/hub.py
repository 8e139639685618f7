"""Model folders on the Hugging Face Hub: pushed as they are, and looked through when pulled."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

from atomlens.errors import ModelError, missing_package
from atomlens.files import place_of, whole_folder
from atomlens.predictor.core import Predictor
from atomlens.printing import reason
from atomlens.settings import by_option

FILES = ("*.json", "*.safetensors", "*.gz", "*.csv", "*.png", "README.md")
"""What belongs to a model folder; other files are neither pushed nor pulled."""


@by_option()
def push_model(
    folder: str | Path, repository: str, *, private: bool = True, revision: str | None = None
) -> str:
    """Upload a model folder and return its address.

    Args:
        folder: Of a trained model; it is loaded first.
        repository: ``OWNER/NAME``; made if it does not exist.
        private: Of a new repository.
        revision: Branch to write to.

    Raises:
        ModelError: it is no model, or the Hub refuses.
        MissingDependencyError: huggingface_hub is not installed.
    """
    hub = _hub()
    path = place_of(folder)
    Predictor.load(path)
    _check_name(repository)
    try:
        api = hub.HfApi()
        api.create_repo(repository, private=private, exist_ok=True)
        done = api.upload_folder(
            repo_id=repository,
            folder_path=str(path),
            revision=revision,
            allow_patterns=list(FILES),
            commit_message="Model of atomlens",
        )
    except Exception as problem:  # the network, a token, a refusal: the Hub has many words
        raise ModelError(
            f"{repository}: the Hub did not take the model ({reason(problem)}). Check the name and "
            "`hf auth login`."
        ) from problem
    return str(getattr(done, "commit_url", done))


def pull_model(repository: str, out: str | Path, *, revision: str | None = None) -> Path:
    """Download a model folder, load it once, and put it in its place, whole or not at all.

    Loading executes and unpickles nothing, whoever wrote the folder.

    Raises:
        ModelError: ``out`` exists, the Hub refuses, or what came is no model of atomlens.
        MissingDependencyError: huggingface_hub is not installed.
    """
    hub = _hub()
    place = place_of(out)
    _check_name(repository)
    if place.exists():
        raise ModelError(f"{place}: this exists already; give another folder.")
    with tempfile.TemporaryDirectory(prefix="atomlens-") as folder:
        try:
            hub.snapshot_download(
                repo_id=repository,
                revision=revision,
                local_dir=folder,
                allow_patterns=list(FILES),
            )
        except Exception as problem:
            raise ModelError(
                f"{repository}: the Hub did not give the model ({reason(problem)}). Check the name "
                "and the network."
            ) from problem
        Predictor.load(folder)

        def fill(draft: Path) -> None:
            for path in Path(folder).iterdir():
                if path.is_file():
                    shutil.copyfile(path, draft / path.name)

        whole_folder(place, fill)
    return place


def _check_name(repository: str) -> None:
    owner, slash, name = repository.partition("/")
    if not (owner and slash and name) or "/" in name or repository.startswith(("/", ".")):
        raise ModelError(f"{repository}: the name of a repository on the Hub is OWNER/NAME.")


def _hub() -> Any:
    try:
        import huggingface_hub
    except ImportError:
        raise missing_package(
            "Pushing and pulling models", "huggingface_hub", "hub", "copy the folder by hand"
        ) from None
    return huggingface_hub
