"""Several machines, each with a torchrun of its own, train what one process trains."""

import os
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest

from atomlens.datasets import load_dataset
from atomlens.errors import SettingsError
from atomlens.predictor import load
from atomlens.training import train
from atomlens.training.order import StepOrder

TOY = ["train", "toy", "--limit", "60", "--model", "scann-plus", "--epochs", "3", "--quiet"]
SMALL = {"n_layers": 1, "n_features": 16, "n_heads": 2, "n_embedding": 8}
PLAIN = {**SMALL, "dropout": 0.0, "attention_dropout": 0.0}


def free_port() -> int:
    """Return a port below those that the system gives to whoever asks for any."""
    for port in Random(os.getpid()).sample(range(20_000, 32_000), 100):
        with socket.socket() as one, suppress(OSError):
            one.bind(("127.0.0.1", port))
            return port
    raise OSError("no port is free")


def on_two_nodes(
    outs: tuple[Path, Path], *arguments: str, devices: int = 1
) -> list[tuple[int, str, str]]:
    """Run a command as torchrun runs it on two machines; return codes, outputs and errors."""
    port, processes = str(free_port()), []
    for node, out in enumerate(outs):
        command = [sys.executable, "-m", "torch.distributed.run", "--nnodes", "2"]
        command += ["--node-rank", str(node), "--nproc-per-node", "1"]
        command += ["--master-addr", "127.0.0.1", "--master-port", port, "-m", "atomlens"]
        command += [*arguments, "--devices", str(devices), "--out", str(out)]
        processes.append(
            subprocess.Popen(
                command,
                env={**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    said = [process.communicate(timeout=900) for process in processes]
    return [(p.returncode, *texts) for p, texts in zip(processes, said, strict=True)]


def settings(batch_size: int) -> list[str]:
    values = {f"model.{name}": value for name, value in PLAIN.items()} | {"accelerator": "cpu"}
    options = [word for name, value in values.items() for word in ("--set", f"{name}={value}")]
    return [*options, "--batch-size", str(batch_size)]


@pytest.mark.slow
def test_two_nodes_have_the_loss_curve_of_one_process(tmp_path: Path) -> None:
    """Of 48 samples, 14 a step: three whole steps and one of 6 samples; 7 on each node."""
    out = tmp_path / "two"
    ended = on_two_nodes((out, out), *TOY, *settings(7))
    assert [code for code, *_ in ended] == [0, 0], ended
    assert ended[1][1] == "", "what a training prints comes once"
    one = train(
        load_dataset("toy", limit=60),
        epochs=3,
        batch_size=14,
        accelerator="cpu",
        model="scann-plus",
        model_settings=PLAIN,
    )
    two = load(out)
    assert len(two.record.history) == 3
    for first, second in zip(one.record.history, two.record.history, strict=True):
        assert second["train_loss"] == pytest.approx(first["train_loss"], rel=1e-4)
        assert second["validation_loss"] == pytest.approx(first["validation_loss"], rel=1e-4)
    assert not (out / "training").exists()


@pytest.mark.slow
def test_nodes_that_do_not_share_the_folder_are_told_so(tmp_path: Path) -> None:
    for code, _, said in on_two_nodes((tmp_path / "a", tmp_path / "b"), *TOY, *settings(7)):
        assert code != 0
        assert "not all of the 2 processes see this folder" in said
    assert not (tmp_path / "a" / "settings.json").exists()


def test_more_devices_than_processes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("WORLD_SIZE", "4"), ("LOCAL_WORLD_SIZE", "2"), ("RANK", "0")):
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match="2 processes were started on this machine"):
        train(load_dataset("toy", limit=20), out="never", devices=4)
    with pytest.raises(SettingsError, match="through its folder"):
        train(load_dataset("toy", limit=20), devices=2)
    monkeypatch.setenv("WORLD_SIZE", "5")
    with pytest.raises(SettingsError, match="whole machines of 2"):
        train(load_dataset("toy", limit=20), out="never", devices=2)


def test_tasks_of_srun_do_not_train_each_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("SLURM_NTASKS", "8"), ("SLURM_PROCID", "3"), ("SLURM_STEP_ID", "0")):
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match="srun has started 8 tasks"):
        train(load_dataset("toy", limit=20), out="never", devices=4)


@pytest.mark.parametrize("n_ranks", [1, 2, 3, 4])
@pytest.mark.parametrize("n_rows", [1, 3, 7, 12, 13])
def test_devices_count_by_their_samples(n_ranks: int, n_rows: int) -> None:
    """So the weighted mean of the devices' means is the mean over all samples of the step."""
    import numpy as np

    values = np.arange(n_rows) ** 2.0
    orders = [
        StepOrder(np.arange(n_rows), 2, seed=5, rank=rank, n_ranks=n_ranks)
        for rank in range(n_ranks)
    ]
    together = StepOrder(np.arange(n_rows), 2 * n_ranks, seed=5)
    for step in range(together.n_steps):
        means = [values[o.at(3, step)].mean() * o.weight(step) for o in orders]
        assert np.mean(means) == pytest.approx(values[together.at(3, step)].mean())
        assert sum(o.n_own(step) for o in orders) == len(together.at(3, step))
