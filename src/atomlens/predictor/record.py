"""How a model came about: kept with it, so that a result can be traced and repeated."""

import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from atomlens.errors import Failure
from atomlens.printing import one_line


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRecord:
    """Where a model comes from. Everything is empty for a model that was not trained here."""

    data: str = ""
    """Name of the data set."""
    settings: dict[str, Any] = field(default_factory=dict)
    """Every setting of the training that was really used."""
    split: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Names of the samples of each part."""
    history: tuple[dict[str, float], ...] = ()
    """One row per epoch (and member of the ensemble): losses, rates, seconds."""
    failures: tuple[Failure, ...] = ()
    """Samples that could not be used, with the reason."""
    seconds: float = 0.0
    """Time spent on the training of all members."""
    ended: str = ""
    """Why the training ended."""
    device: str = ""
    """What it was trained on."""
    versions: dict[str, str] = field(default_factory=dict)
    """Versions of the packages that made it."""
    notes: str = ""
    """Anything else that a reader should know, such as where an imported model comes from."""
    started_from: dict[str, Any] = field(default_factory=dict)
    """Fine-tuning: ``name``, ``model``, ``targets`` and ``weights_sha256`` of the pretrained
    model, and ``notes``, a sentence on everything that was fresh or frozen."""

    def to_dict(self) -> dict[str, Any]:
        """Return the part that goes into ``settings.json``: all but split and history."""
        return {
            "data": self.data,
            "settings": self.settings,
            "seconds": self.seconds,
            "ended": self.ended,
            "device": self.device,
            "versions": self.versions,
            "notes": self.notes,
            "started_from": self.started_from,
            "n_failed": len(self.failures),
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any], **rest: Any) -> "TrainingRecord":
        """Take back what `to_dict` returned; ``rest`` are the parts kept in other files."""
        return cls(
            data=str(content["data"]),
            settings={one_line(str(k)): v for k, v in content["settings"].items()},
            seconds=float(content["seconds"]),
            ended=str(content["ended"]),
            device=str(content["device"]),
            versions={str(k): str(v) for k, v in content["versions"].items()},
            notes=str(content["notes"]),
            started_from=_start(content.get("started_from", {})),
            **rest,
        )


def _start(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is known of the start of a fine-tuning, checked; empty if it was none."""
    found = dict(content)
    if found:
        texts = [found["name"], found["model"], found["weights_sha256"]]
        texts += [*found["targets"], *found["notes"]]
        if not all(isinstance(text, str) for text in texts):
            raise TypeError("`started_from` holds something else than texts")
    return found


def package_versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that decide a result."""
    versions = {"python": platform.python_version()}
    for name in ("atomlens", "torch", "numpy", "scipy", "numba", "lightning"):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions
