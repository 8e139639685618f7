"""How a model came about: kept with it, so that a result can be traced and repeated."""

import math
import platform
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from atomlens.boundary import count_in, number_in
from atomlens.elements import SYMBOLS
from atomlens.errors import Failure
from atomlens.predictor.samples import TrainingSamples
from atomlens.printing import one_line
from atomlens.structures.doubts import of_earlier_file

_KINDS = {"molecule", "periodic structure", "formula"}


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What a stranger must know of a model that is given away; sentences for its card."""

    summary: str
    """A line: what it predicts, for what, learned from what."""
    data: str
    """Where the data come from, and which of them were taken."""
    licence: str
    """Of the data, with the attribution that it asks for."""
    split: str
    """How the parts were made."""
    command: str
    """That trains it again."""
    compute: str
    """Seconds of all its training, and of what."""
    needs: str
    """Which data set `models verify` takes."""
    making: tuple[str, ...] = ()
    """What was done on which part, a sentence each."""
    not_for: tuple[str, ...] = ()
    """What it is not for, a sentence each."""
    published: dict[str, float] = field(default_factory=dict)
    """Mean absolute error of a published model, by target in its unit."""
    published_by: str = ""
    """Which model that is."""
    geometries: str = ""
    """Level of theory at which the molecules that it learned from were relaxed, if that is one:
    errors are those of such geometries."""

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "About":
        """Take back plain values, each a text or the like; a TypeError says what is not."""
        known = dict(content)
        known.setdefault("geometries", "")  # folders of earlier days
        given = {f.name: known[f.name] for f in fields(cls)}
        for name in ("making", "not_for"):
            given[name] = tuple(given[name])
        given["published"] = {str(k): number_in(v) for k, v in given["published"].items()}
        texts = [v for v in given.values() if not isinstance(v, tuple | dict)]
        texts += [*given["making"], *given["not_for"]]
        if not all(isinstance(text, str) for text in texts):
            raise TypeError("`about` holds something else than texts")
        return cls(**given)


@dataclass(frozen=True, kw_only=True)
class TrainingRecord:
    """Where a model comes from. Everything is empty for a model that was not trained here."""

    data: str = ""
    """Name of the data set."""
    file: str = ""
    """Name of the file that it was read from, without its folder; empty if it was none."""
    file_sha256: str = ""
    """SHA-256 of that file, as it was when the training began."""
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
    samples: TrainingSamples | None = None
    """The samples of all parts by content; None if unknown (folders of atomlens 0.1)."""
    run: dict[str, Any] = field(default_factory=dict)
    """SHA-256 of ``data``, ``charges``, ``held`` and ``split``, and ``reading``, the options with
    which the data were read; empty for models of atomlens 0.1."""
    means: tuple[float, ...] = ()
    """By value: mean of the training part, per atom for extensive targets, NaN for classes; empty
    if unknown (folders of atomlens 0.1)."""
    lowest: tuple[float, ...] = ()
    """By value: lowest of the training part, as ``means`` has them; empty if unknown"""
    highest: tuple[float, ...] = ()
    """By value: highest of the training part"""
    class_counts: dict[str, tuple[int, ...]] = field(default_factory=dict)
    """By target that has classes: samples of each in the training part; empty if unknown."""
    rare_elements: dict[int, int] = field(default_factory=dict)
    """By atomic number: structures of the training part that have it, of elements that few have."""
    most_atoms: int = 0
    """In a molecule of the training part; 0 if it has none, or if that is unknown."""
    least_shares: dict[str, float] = field(default_factory=dict)
    """By symbol: the smallest share of the atoms that an element has in a structure of the training
    part that has it; of models that look at no places of atoms. Empty if unknown."""
    n_without_value: int = 0
    """Rows that were left out because no value of the targets is known."""
    remarks: tuple[str, ...] = ()
    """What was warned of while the data were read and the training was set up."""
    warnings: tuple[Failure, ...] = ()
    """What the readers found doubtful in structures that were used."""
    doubted: Mapping[str, int] | None = None
    """By kind of doubt (`DoubtKind`): structures that were used of which a reader said such a
    thing. None in folders of earlier days, whose ``warnings`` alone say it."""
    kinds: tuple[str, ...] = ()
    """What the structures of the training part were: ``molecule``, ``periodic structure``,
    ``formula``; empty if unknown (folders of atomlens 0.1)."""
    made_geometries: bool | None = None
    """Whether coordinates of the training part were made here, from SMILES or flat drawings; None
    if unknown."""
    single_molecules: bool | None = None
    """Whether hardly any structure of the training part is several molecules; None if unknown, or
    if it had no molecules."""
    about: About | None = None
    """What the makers of the model say of it; those of the box have it."""

    @property
    def reading(self) -> dict[str, Any]:
        """Options with which the data were read, as plain values; those left out are not in it."""
        return dict(self.run.get("reading", {}))

    @cached_property
    def n_doubted(self) -> Counter[str]:
        """Structures that were used of which a reader said something, by kind of doubt."""
        if self.doubted is not None:
            return Counter(self.doubted)
        told = (of_earlier_file(one.message) for one in self.warnings)
        return Counter(kind for doubt in told for kind in doubt.kinds)

    def to_dict(self) -> dict[str, Any]:
        """Return the part that goes into ``settings.json``: all but split and history."""
        return {
            "data": self.data,
            **({"file": self.file, "file_sha256": self.file_sha256} if self.file else {}),
            "settings": self.settings,
            "seconds": self.seconds,
            "ended": self.ended,
            "device": self.device,
            "versions": self.versions,
            "notes": self.notes,
            "started_from": self.started_from,
            "n_failed": len(self.failures),
            "n_without_value": self.n_without_value,
            "run": self.run,
            "means": list(self.means),
            "lowest": list(self.lowest),
            "highest": list(self.highest),
            **(
                {"class_counts": {name: list(n) for name, n in self.class_counts.items()}}
                if self.class_counts
                else {}
            ),
            **(
                {"rare_elements": {str(z): n for z, n in self.rare_elements.items()}}
                if self.rare_elements
                else {}
            ),
            "most_atoms": self.most_atoms,
            **({"least_shares": dict(self.least_shares)} if self.least_shares else {}),
            "remarks": list(self.remarks),
            "kinds": list(self.kinds),
            "made_geometries": self.made_geometries,
            **(
                {} if self.single_molecules is None else {"single_molecules": self.single_molecules}
            ),
            **({} if self.doubted is None else {"doubted": dict(self.doubted)}),
            **({} if self.about is None else {"about": asdict(self.about)}),
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any], **rest: Any) -> "TrainingRecord":
        """Take back what `to_dict` returned; ``rest`` are the parts kept in other files."""
        return cls(
            data=str(content["data"]),
            file=one_line(str(content.get("file", ""))),
            file_sha256=one_line(str(content.get("file_sha256", ""))),
            settings={one_line(str(k)): v for k, v in content["settings"].items()},
            seconds=number_in(content["seconds"]),
            ended=str(content["ended"]),
            device=str(content["device"]),
            versions={str(k): str(v) for k, v in content["versions"].items()},
            notes=str(content["notes"]),
            started_from=_start(content.get("started_from", {})),
            run=_run(content.get("run", {})),
            means=_by_value(content.get("means", ())),
            lowest=_by_value(content.get("lowest", ())),
            highest=_by_value(content.get("highest", ())),
            class_counts=_counts(content.get("class_counts", {})),
            rare_elements=_numbers_of_elements(content.get("rare_elements", {})),
            most_atoms=count_in(content.get("most_atoms", 0)),
            least_shares=_shares(content.get("least_shares", {})),
            n_without_value=count_in(content.get("n_without_value", 0)),
            remarks=tuple(map(str, content.get("remarks", ()))),
            kinds=_kinds(content.get("kinds", [])),
            made_geometries=_yes_or_no(content, "made_geometries"),
            single_molecules=_yes_or_no(content, "single_molecules"),
            doubted=_doubted(content.get("doubted")),
            about=None if content.get("about") is None else About.from_dict(content["about"]),
            **rest,
        )


def _by_value(content: Any) -> tuple[float, ...]:
    """Return numbers, NaN for None; a ValueError for what no reader of JSON refuses."""
    return tuple(math.nan if value is None else number_in(value) for value in content)


def _shares(content: Any) -> dict[str, float]:
    """Return shares by element; a ValueError for anything else."""
    found = {one_line(str(symbol)): number_in(share) for symbol, share in dict(content).items()}
    if not all(0 <= share <= 1 for share in found.values()):
        raise ValueError("`least_shares` holds something else than shares of the atoms")
    return found


def _counts(content: Any) -> dict[str, tuple[int, ...]]:
    """Return numbers of samples by target; a ValueError for anything else."""
    found = {one_line(str(name)): tuple(numbers) for name, numbers in dict(content).items()}
    if not all(isinstance(n, int) and n >= 0 for numbers in found.values() for n in numbers):
        raise ValueError("`class_counts` holds something else than numbers of samples")
    return found


def _numbers_of_elements(content: Any) -> dict[int, int]:
    """Return numbers of structures by atomic number; a ValueError for anything else."""
    found = {int(z): count_in(n, 1) for z, n in dict(content).items()}
    if not all(0 < z < len(SYMBOLS) for z in found):
        raise ValueError("`rare_elements` holds something else than elements")
    return found


def _doubted(content: Any) -> dict[str, int] | None:
    """Return numbers of structures by kind of doubt, None for none; a ValueError for others."""
    if content is None:
        return None
    return {one_line(str(kind)): count_in(n) for kind, n in dict(content).items()}


def _yes_or_no(content: Mapping[str, Any], name: str) -> bool | None:
    """Return an answer, None for none; a ValueError for anything else."""
    found = content.get(name)
    if found is None or isinstance(found, bool):
        return found
    raise ValueError(f"`{name}` is neither true nor false")


def _kinds(content: Any) -> tuple[str, ...]:
    """Return kinds of structures; a ValueError for anything else."""
    if not isinstance(content, list) or not set(map(str, content)) <= _KINDS:
        raise ValueError("unknown kinds of structures")
    return tuple(map(str, content))


def _start(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is known of the start of a fine-tuning, checked; empty if it was none."""
    found = dict(content)
    if found:
        texts = [found["name"], found["model"], found["weights_sha256"]]
        texts += [*found["targets"], *found["notes"], found.get("licence", "")]
        if not all(isinstance(text, str) for text in texts):
            raise TypeError("`started_from` holds something else than texts")
    return found


def _run(content: Any) -> dict[str, Any]:
    """Return the description of a run.

    Raises:
        ValueError: the content is something else.
    """
    run = dict(content)
    reading = run.get("reading", {})
    digests = (value for key, value in run.items() if key != "reading")
    if not isinstance(reading, dict) or not all(isinstance(d, str) for d in digests):
        raise ValueError("the description of the run is none")
    return run


def package_versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that decide a result."""
    versions = {"python": platform.python_version()}
    for name in ("atomlens", "torch", "numpy", "scipy", "numba", "triton", "lightning-fabric"):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions
