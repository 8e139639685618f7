"""Screenings that are killed at any moment end as if nothing had happened; here and on Ray.

ATOMLENS_KILLS=50 kills so often; by default a few times.
"""

import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from atomlens.cli import main
from atomlens.screening import screen
from atomlens.screening.shards import ShardStore
from killing import Running, run, small_files
from screening_makers import contents, waters

pytest.importorskip("pyarrow")

N_KILLS = int(os.environ.get("ATOMLENS_KILLS", "3"))
"""How often each test kills."""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model") / "m"
    arguments = ["train", "toy", "--limit", "40", "--model", "cgcnn", "--epochs", "1", "--quiet"]
    assert main([*arguments, "--set", "model.n_features=8", "--out", str(folder)]) == 0
    # so that all is imported and compiled when processes are forked
    assert main(["screen", str(folder), "CCO", "--out", str(folder.parent / "warm")]) == 0
    return folder


def screening(model: Path, many: Path, out: Path, *more: str) -> Callable[[], int]:
    """Return what the command does when it is typed."""
    words = ["screen", str(model), str(many), "--out", str(out), "--shard-size", "4"]
    return lambda: main([*words, "--by", "signal", "--top", "9", *more])


def tidy(folder: Path) -> dict[str, bytes]:
    """What is in a folder but for leftovers of killed processes, which are hidden."""
    return {k: v for k, v in contents(folder).items() if not Path(k).name.startswith(".")}


@pytest.mark.parametrize("workers", ["1", "2"])
def test_killed_again_and_again_a_screening_ends_as_the_undisturbed_one(
    workers: str, model: Path, tmp_path: Path
) -> None:
    many = waters(tmp_path / "many", 60)
    (many / "w003.xyz").write_text("3\nbroken\nO 0 0 0\n")
    whole, out = tmp_path / "whole", tmp_path / "killed"
    first = run(screening(model, many, whole, "--workers", workers))
    assert first.code == 1, first.said
    draws = random.Random(7)
    for number in range(N_KILLS):
        running = Running(screening(model, many, out, "--workers", workers))
        time.sleep(draws.uniform(0.1, 1.0) * first.seconds)
        with suppress(ProcessLookupError):  # it has ended by itself
            os.kill(running.child, signal.SIGKILL)  # not those that it started
        said = running.wait().said
        assert "Traceback" not in said
        assert "bug" not in said
        if number % 5 == 4:  # begin anew now and then, or all is done after a few
            subprocess.run(["rm", "-rf", str(out)], check=True)
    done = run(screening(model, many, out, "--workers", workers))
    assert done.code == 1, done.said
    assert tidy(out) == tidy(whole)
    assert not [name for name in contents(out) if ".part" in name]


def test_workers_that_are_killed_cost_nothing(model: Path, tmp_path: Path) -> None:
    """The processes beside ours, not ours."""
    many = waters(tmp_path / "many", 60)
    whole, out = tmp_path / "whole", tmp_path / "killed"
    assert run(screening(model, many, whole)).code == 0
    running = Running(screening(model, many, out, "--workers", "2"))
    killed: list[int] = []

    def kill_some() -> None:
        draws = random.Random(11)
        while len(killed) < N_KILLS and not ended.is_set():
            workers = workers_of(running.child)
            if not workers:
                time.sleep(0.01)
                continue
            with suppress(ProcessLookupError):
                os.kill(draws.choice(workers), signal.SIGKILL)
                killed.append(1)
            time.sleep(draws.uniform(0.05, 0.4))

    ended = threading.Event()
    killer = threading.Thread(target=kill_some)
    killer.start()
    done = running.wait()
    ended.set()
    killer.join()
    assert done.code in (0, 1), done.said
    assert killed
    if done.code == 1:  # a shard's worker was killed again and again
        assert "ended the process" in done.said
        return
    assert tidy(out) == tidy(whole)


def workers_of(process: int) -> list[int]:
    """The living workers of a process, whichever of its threads started them."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
                line = (folder / "cmdline").read_bytes()
            except OSError:
                continue
            if int(parent) == process and state != "Z" and b"\0-c\0" in line:
                found.append(int(folder.name))
    return found


def test_on_a_full_disk_what_is_finished_is_kept(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    many, out = waters(tmp_path / "many", 12), tmp_path / "out"
    words = ["screen", str(model), str(many), "--out", str(out), "--shard-size", "4"]
    written = ShardStore.write

    def full(self: ShardStore, shard: Any, rows: Any) -> None:
        if shard.number == 2:
            raise OSError(28, "No space left on device")
        written(self, shard, rows)

    with monkeypatch.context() as disk:
        disk.setattr(ShardStore, "write", full)
        assert main(words) == 2
    said = capsys.readouterr().err
    assert "cannot be written (No space left on device)" in said
    assert "give the same command again" in said
    assert "bug" not in said
    assert len(list((out / "shards").glob("*.parquet"))) == 2
    assert not (out / "results.parquet").exists()
    assert main(words) == 0
    assert main([*words[:4], str(tmp_path / "whole"), *words[5:]]) == 0
    assert contents(out) == contents(tmp_path / "whole")


def test_a_file_that_may_not_grow_is_one_sentence_and_can_go_on(
    model: Path, tmp_path: Path
) -> None:
    """The limit of a process on the size of its files stands for a full disk that is real."""
    many, out = waters(tmp_path / "many", 12), tmp_path / "out"
    done = run(screening(model, many, out), before=small_files(3000))
    assert done.code == 2
    assert "File too large" in done.said
    assert "bug" not in done.said
    assert not [name for name in contents(out) if ".part" in name]
    assert run(screening(model, many, out)).code == 0


def test_a_folder_that_cannot_be_written_to_is_one_sentence(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Administrators may write everywhere, so the system's refusal is made."""
    out = tmp_path / "out"
    out.mkdir()
    opened = os.open

    def closed(path: Any, flags: int, *more: Any, **named: Any) -> int:
        if flags & os.O_CREAT and str(path).startswith(str(out)):
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, flags, *more, **named)

    monkeypatch.setattr(os, "open", closed)
    assert main(["screen", str(model), "CCO", "--out", str(out)]) == 2
    said = capsys.readouterr().err
    assert "cannot be written (Permission denied)" in said
    assert "bug" not in said
    assert not [p for p in out.iterdir() if p.name == "screen.json"]


def test_two_processes_do_not_write_one_screening(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from atomlens.files import only_writer

    out = tmp_path / "out"
    with only_writer(out / "screen.json"):
        assert main(["screen", str(model), "CCO", "--out", str(out)]) == 2
    assert "another process writes this" in capsys.readouterr().err


@pytest.fixture
def cluster() -> Iterator[Any]:
    """A cluster of two workers on this machine."""
    ray = pytest.importorskip("ray")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="error")
    yield ray
    ray.shutdown()


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_a_ray_cluster_whose_worker_is_killed_gives_the_same_bytes(
    cluster: Any, model: Path, tmp_path: Path
) -> None:
    many = waters(tmp_path / "many", 60)
    given: dict[str, Any] = {"shard_size": 4, "by": "signal", "top": 9}
    screen(model, many, tmp_path / "whole", **given)
    killed: list[int] = []

    def kill_one(n_done: int) -> None:
        if n_done >= 12 and not killed:
            workers = workers_of_ray()
            assert workers  # the second may still be starting
            os.kill(workers[0], signal.SIGKILL)
            killed.append(workers[0])

    result = screen(
        model, many, tmp_path / "ray", ray="auto", n_workers=2, progress=kill_one, **given
    )
    assert killed
    assert result.counts["answered"] == 60
    assert contents(tmp_path / "ray") == contents(tmp_path / "whole")
    again = screen(model, many, tmp_path / "ray", **given)
    assert again.n_reused == again.n_shards == 15


def workers_of_ray() -> list[int]:
    """The processes of the cluster that screen."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                title = (folder / "cmdline").read_bytes()
            except OSError:
                continue
            if title.startswith(b"ray::") and b"Screener" in title:
                found.append(int(folder.name))
    return found


def test_without_ray_its_extra_is_named(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from atomlens.screening import on_ray

    monkeypatch.setattr(on_ray, "find_spec", lambda name: None)
    words = ["screen", str(model), "CCO", "--out", str(tmp_path / "out"), "--ray", "local"]
    assert main(words) == 2
    assert "atomlens[scale]" in capsys.readouterr().err
