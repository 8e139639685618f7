"""Devices, precision and processes, by Lightning Fabric."""

import logging
import os
import pickle
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch

from atomlens.errors import SettingsError, TrainingError
from atomlens.files import make_folder, writing
from atomlens.machine import choose_device, keep_freed_memory
from atomlens.training.job import Job
from atomlens.training.settings import TrainSettings
from atomlens.training.step import matmul_precision

if TYPE_CHECKING:
    from lightning_fabric import Fabric


def train_member(job: Job, member: int, seconds: float | None) -> None:
    """Train one member; what it learned is in its folder afterwards.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed; the state is saved.
        TrainingError: the loss became not a number before the first good epoch.
        SettingsError: the devices are not there.
        TrainingError: the processes do not see the same folder.
    """
    with _quiet():
        fabric = _fabric(job.settings)
        if fabric.strategy.launcher is None:
            _run(fabric, job, member, seconds)
        elif started_by_others():
            fabric.launch()
            _run(fabric, job, member, seconds)
        else:
            _check_picklable(job)
            fabric.launch(_run_parcel, Parcel(job, member, seconds))


class Parcel:
    """What travels to other processes; Lightning takes frozen dataclasses apart, not this."""

    def __init__(self, job: Job, member: int, seconds: float | None) -> None:
        self.job, self.member, self.seconds = job, member, seconds

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Arrive in another process, where Lightning is about to announce itself."""
        import lightning_fabric  # sets the level of its logger when imported

        logging.getLogger(lightning_fabric.__name__).setLevel(logging.ERROR)
        self.__dict__.update(state)


def _run_parcel(fabric: "Fabric", parcel: Parcel) -> None:
    with _quiet():
        _run(fabric, parcel.job, parcel.member, parcel.seconds)


def _run(fabric: "Fabric", job: Job, member: int, seconds: float | None) -> None:
    from atomlens.training.member import MemberTraining

    _check_shared(fabric, job)
    devices = [fabric.device] if fabric.device.type == "cuda" else []
    with _global_settings(job.settings, fabric.device), torch.random.fork_rng(devices=devices):
        MemberTraining(fabric, job, member, seconds).run()
    fabric.barrier()


def _check_shared(fabric: "Fabric", job: Job) -> None:
    """Make sure that every process sees what the first one writes.

    Raises:
        TrainingError: the folder of the run is another one for some of them.
    """
    if fabric.world_size == 1:
        return
    mark = job.folder / fabric.broadcast(f"seen-{os.getpid()}-{os.urandom(4).hex()}")
    if fabric.global_rank == 0:
        make_folder(mark.parent)
        with writing(mark):
            mark.touch()
    fabric.barrier()
    n_seeing = fabric.all_reduce(
        torch.tensor(float(mark.exists()), device=fabric.device), reduce_op="sum"
    )
    if fabric.global_rank == 0:
        mark.unlink()
    if round(float(n_seeing)) < fabric.world_size:
        raise TrainingError(
            f"{job.folder.parent}: not all of the {fabric.world_size} processes see this folder. "
            "Give one on a file system that all nodes share."
        )


def started_by_others() -> bool:
    """Return whether torchrun, SLURM or the like has started one process per device."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def is_first_process() -> bool:
    """Return whether this process is the one that writes files."""
    return not started_by_others() or int(os.environ.get("RANK", "0")) == 0


def _fabric(settings: TrainSettings) -> "Fabric":
    from lightning_fabric import Fabric
    from lightning_fabric.plugins.environments import LightningEnvironment

    device = choose_device(settings.accelerator)
    if device.type == "cuda" and settings.devices > torch.cuda.device_count():
        raise SettingsError(
            f"devices={settings.devices}, but this machine has {torch.cuda.device_count()} GPUs."
        )
    by_others = started_by_others()
    strategy = "ddp" if by_others else ("auto" if settings.devices == 1 else "ddp_spawn")
    return Fabric(
        accelerator=device.type,
        devices=settings.devices,
        num_nodes=_n_nodes(settings) if by_others else 1,
        strategy=strategy,
        precision="32-true" if settings.precision == "32" else settings.precision,
        plugins=None if by_others else [LightningEnvironment()],
    )


def _n_nodes(settings: TrainSettings) -> int:
    """Return how many machines the processes are on that torchrun or the like has started.

    Raises:
        SettingsError: they are not as many on each as there are devices to be used.
    """
    world = int(os.environ["WORLD_SIZE"])
    here = int(os.environ.get("LOCAL_WORLD_SIZE", settings.devices))
    if here != settings.devices:
        raise SettingsError(
            f"devices={settings.devices}, but {here} processes were started on this machine. "
            f"Give --devices {here} (in Python devices={here}), or torchrun --nproc-per-node "
            f"{settings.devices}."
        )
    if world % here:
        raise SettingsError(
            f"{world} processes do not make whole machines of {here}. Start as many on each."
        )
    return world // here


def check_launch(settings: TrainSettings, *, has_folder: bool) -> None:
    """Refuse processes that could not work together, before any work is done.

    Raises:
        SettingsError: a sentence.
    """
    if started_by_others():
        _n_nodes(settings)
        if not has_folder:
            raise SettingsError(
                "Processes that torchrun starts exchange the model through its folder. Give one "
                "(out, on the command line --out) that all of them see."
            )
    elif settings.devices > 1 and _tasks_of_srun() > 1:
        raise SettingsError(
            f"srun has started {_tasks_of_srun()} tasks, and each would train on "
            f"{settings.devices} devices by itself. Start one torchrun a node (docs/gpu.md)."
        )


def _tasks_of_srun() -> int:
    """Return how many processes like this one SLURM has started; 1 outside of srun."""
    inside = {"SLURM_NTASKS", "SLURM_STEP_ID", "SLURM_PROCID"} <= set(os.environ)
    said = os.environ["SLURM_NTASKS"] if inside else ""
    return int(said) if said.isdecimal() else 1


def _check_picklable(job: Job) -> None:
    try:
        pickle.dumps(job.progress)
    except (pickle.PicklingError, AttributeError, TypeError) as problem:
        raise SettingsError(
            f"With devices={job.settings.devices} the progress object travels to other processes, "
            f"and this one cannot ({problem}). Define its class at the top level of a module."
        ) from None


@contextmanager
def _global_settings(settings: TrainSettings, device: torch.device) -> Iterator[None]:
    """Set number of threads and matrix precision, and put them back."""
    threads, precision = torch.get_num_threads(), torch.get_float32_matmul_precision()
    try:
        keep_freed_memory()
        if settings.n_threads:
            torch.set_num_threads(settings.n_threads)
        torch.set_float32_matmul_precision(matmul_precision(settings, device))
        yield
    finally:
        torch.set_num_threads(threads)
        torch.set_float32_matmul_precision(precision)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Lightning's banners and hints to itself; the library never prints."""
    import lightning_fabric  # sets the level of its logger when imported

    logger = logging.getLogger(lightning_fabric.__name__)
    level = logger.level
    try:
        logger.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            for module in (r"lightning", r"torch\.distributed", r"torch\.jit"):
                warnings.filterwarnings("ignore", module=module)
            yield
    finally:
        logger.setLevel(level)
