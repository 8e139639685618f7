"""Odd content where a run goes on, where commands are typed, and in files other than structures."""

import contextlib
import io
import json
import shutil
import struct
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pandas
import pytest

import atomlens as al
from atomlens import train
from atomlens.cli import main
from atomlens.cli.settings import read_config
from atomlens.datasets import Toy, load_dataset, make_split
from atomlens.datasets.sources.attribution import read_task
from atomlens.predictor import load
from atomlens.predictor.inputs import gather
from atomlens.reports.tables import read_rows, write_table
from atomlens.screening.enz.candidates import read_candidates
from atomlens.structures import read_structures
from atomlens.training.checkpoint import CHECKPOINT
from clocks import set_ticking
from hostile import altered, answered, as_json, damaged, seeds, undated

pytestmark = pytest.mark.usefixtures("no_pictures")

SMALL: dict[str, Any] = {
    "model": "cgcnn",
    "epochs": 2,
    "batch_size": 8,
    "checkpoint_seconds": 0.0,
    "model_settings": {"n_features": 8, "n_hidden": 8},
}


def odd_header(content: bytes, rng: Random) -> bytes:
    """Return a safetensors file whose header says something odd of the same bytes."""
    (length,) = struct.unpack("<Q", content[:8])
    header = as_json(altered(json.loads(content[8 : 8 + length]), rng))
    said = rng.choice((len(header),) * 4 + (0, 10**9, 2**63, len(header) - 1))
    return struct.pack("<Q", said) + header + content[8 + length :]


class Killed(BaseException):
    """Stands for a kill."""


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in which a training was killed after its first epoch."""
    from atomlens.training.member import MemberTraining

    out = tmp_path_factory.mktemp("run") / "out"
    one_step, done = MemberTraining._one_step, iter(range(1000))

    def fatal(self: MemberTraining) -> None:
        if next(done) == 3:
            raise Killed
        one_step(self)

    with pytest.MonkeyPatch.context() as patch:
        set_ticking(patch)
        patch.setattr(MemberTraining, "_one_step", fatal)
        with pytest.raises(Killed):
            train(Toy(n=40).load(), out=out, **SMALL)
    assert list(out.rglob(CHECKPOINT))
    return out


def test_damaged_states_of_trainings_go_on_or_give_a_sentence(
    stopped: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    data = Toy(n=40).load()

    def resume() -> bool:
        model = train(data, out=out, resume=True, **SMALL)
        assert np.isfinite(model.predict(data.structures).values).all()
        return True

    shutil.copytree(stopped, out)
    assert answered(resume, "undamaged") is True
    for case, rng in seeds("state", 60):
        shutil.rmtree(out)
        shutil.copytree(stopped, out)
        path = rng.choice(sorted(p for p in out.rglob("*") if p.is_file() and p.stat().st_size))
        content = path.read_bytes()
        if path.name == CHECKPOINT and rng.random() < 0.7:
            (length,) = struct.unpack("<Q", content[:8])
            header = json.loads(content[8 : 8 + length])
            state = altered(json.loads(header["__metadata__"]["state"]), rng)
            header["__metadata__"]["state"] = json.dumps(state)
            new = json.dumps(header).encode()
            content = struct.pack("<Q", len(new)) + new + content[8 + length :]
        elif path.suffix == ".json" and rng.random() < 0.7:
            content = as_json(altered(json.loads(content), rng))
        else:
            content = damaged(content, rng)
        path.write_bytes(content)
        answered(resume, (case, path.name))


@pytest.fixture(scope="module")
def folder_of_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model") / "m"
    with pytest.MonkeyPatch.context() as patch:
        set_ticking(patch)
        train(Toy(n=30).load(), out=folder, **SMALL)
    return folder


def test_damaged_headers_of_tensors_load_or_give_a_sentence(
    folder_of_model: Path, tmp_path: Path
) -> None:
    from atomlens.predictor.folder import checksum_of

    folder = tmp_path / "m"
    shutil.copytree(folder_of_model, folder)
    names = [path.name for path in folder.glob("*.safetensors")]
    settings = json.loads((folder / "settings.json").read_text())
    for case, rng in seeds("header", 120):
        name = rng.choice(names)
        good = (folder_of_model / name).read_bytes()
        changed = odd_header(good, rng)
        (folder / name).write_bytes(changed)
        said = dict(settings)
        if name == "model.safetensors":
            said["weights_sha256"] = checksum_of(changed)
        (folder / "settings.json").write_text(json.dumps(said))
        answered(lambda: bool(load(folder).predict("C")), (case, name))
        (folder / name).write_bytes(good)


def test_odd_names_of_models_data_sets_splits_and_files_are_a_sentence() -> None:
    from atomlens.checkpoints import import_cgcnn, import_scann

    names = ("qm9", "box:qm9", "formula-gap", "./qm9", "toy", "random:.8/.1/.1", "a.json", "a.npz")
    data = Toy(n=6).load()
    asked: dict[str, Callable[[str], Any]] = {
        "model": lambda text: bool(al.load(text)),
        "data": lambda text: bool(load_dataset(text, limit=3)),
        "split": lambda text: make_split(text, data),
        "structures": lambda text: bool(read_structures([text])),
        "path": lambda text: bool(read_structures([Path(text)])),
        "inputs": lambda text: bool(gather([text, "CCO"])),
        "candidates": lambda text: bool(read_candidates([text])),
        "config": lambda text: read_config(Path(text), ("training",)),
        "cgcnn": lambda text: import_cgcnn(Path(text)),
        "scann": lambda text: import_scann(Path(text), Path(text)),
        "task": lambda text: read_task(text),
    }
    for what, ask in asked.items():
        for text in ("C" * 300, "formula:" + "C" * 5000, "a\0b", "~nobody/a.cif", "."):
            answered(lambda ask=ask, text=text: ask(text), (what, text))
    for case, rng in seeds("name", 150):
        text = damaged(rng.choice(names).encode(), rng).decode("utf-8", errors="replace")
        what = rng.choice(sorted(asked))
        answered(lambda what=what, text=text: asked[what](text), (case, what))


def test_damaged_tables_of_earlier_runs_are_rows_or_nothing(tmp_path: Path) -> None:
    rows = [
        {"name": "a", "pressure": 5.0, "uptake": 1.25, "gas": "CH4", "error": ""},
        {"name": "b", "pressure": 1e5, "uptake": None, "gas": "CO2", "error": "=cmd()"},
    ]
    for case, rng in seeds("rows", 250):
        path = tmp_path / f"rows{rng.choice(('.csv', '.json', '.jsonl', '.parquet'))}"
        if path.suffix == ".parquet":
            pytest.importorskip("pyarrow")
        write_table(rows, path)
        path.write_bytes(damaged(path.read_bytes(), rng))
        found = answered(lambda path=path: read_rows(path), (case, path.suffix))
        if not isinstance(found, str):
            assert all(isinstance(row, dict) for row in found), case


def test_damaged_labels_are_taken_over_or_give_a_sentence(tmp_path: Path) -> None:
    """Rows of an earlier run may hold anything; what does not fit is simulated again."""
    from atomlens.labels import label_adsorption

    row = {
        "name": "argon",
        "gas": "CH4",
        "pressure": 5.0,
        "temperature": 298.0,
        "uptake": 1.0,
        "cycles": 50,
        "charges": "none",
    }
    for case, rng in seeds("labels", 60):
        known = altered([row, row], rng)
        known = [one for one in known if isinstance(one, dict)] if isinstance(known, list) else []
        answered(lambda known=known: label_adsorption([], (5.0,), gas="CH4", known=known), case)


def test_damaged_lists_of_candidates_are_read_or_give_a_sentence(tmp_path: Path) -> None:
    lists = {
        "l.txt": b"NaCl\nFe2O3 # rust\n\nLi0.5CoO2\n",
        "l.csv": b"formula,e_above_hull [meV/atom]\nNaCl,0\nFe2O3,25\n",
    }
    for case, rng in seeds("list", 200):
        name = rng.choice(sorted(lists))
        path = tmp_path / name
        path.write_bytes(damaged(lists[name], rng))
        answered(lambda path=path: read_candidates([str(path)]), (case, name))


def test_damaged_tasks_of_attribution_are_read_or_give_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "task.npz"
    np.savez_compressed(
        path,
        smiles=np.array([b"CCO", b"C", b"CC"]),
        y=np.array([1, 0, 1]),
        train=np.array([0, 1]),
        test=np.array([2]),
        n_atoms=np.array([3, 1, 2]),
        n_rationales=np.array([1, 1, 1]),
        attribution=np.array([1, 0, 0, 0, 1, 0]),
    )
    good = path.read_bytes()
    assert read_task(path).smiles == ("CCO", "C", "CC")
    for case, rng in seeds("task", 120):
        path.write_bytes(damaged(good, rng))
        answered(lambda: read_task(path), case)


def test_packed_files_that_announce_more_than_they_hold_are_a_sentence(tmp_path: Path) -> None:
    import zipfile

    header = (
        b"\x93NUMPY\x01\x00\x76\x00" + b"{'descr': '<f8', 'fortran_order': False, 'shape': (%s), }"
    )
    path = tmp_path / "task.npz"
    for shape in (b"10**9,", b"1000000000000,", b"-1,", b"2,3,4,5", b"99999999999999999999,"):
        for zeros in (0, 50 << 20) if shape == b"-1," else (0,):
            with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
                for name in (
                    "smiles",
                    "y",
                    "train",
                    "test",
                    "n_atoms",
                    "n_rationales",
                    "attribution",
                ):
                    start = (header % shape).ljust(127) + b"\n"
                    archive.writestr(f"{name}.npy", start + bytes(zeros if name == "smiles" else 8))
            for read in (lambda: read_task(path), lambda: load_dataset(path)):
                assert isinstance(answered(read, (shape, zeros)), str)


@pytest.mark.parametrize("ending", ["xlsx", "parquet"])
def test_tables_that_are_no_text_give_rows_or_a_sentence(ending: str, tmp_path: Path) -> None:
    pytest.importorskip({"xlsx": "openpyxl", "parquet": "pyarrow"}[ending])
    frame = pandas.DataFrame({"name": ["a", "b"], "smiles": ["CCO", "C"], "y": [1.5, 2.5]})
    path = tmp_path / f"t.{ending}"
    (frame.to_excel if ending == "xlsx" else frame.to_parquet)(path, index=False)
    good = undated(path.read_bytes()) if ending == "xlsx" else path.read_bytes()
    path.write_bytes(good)
    assert len(load_dataset(path)) == 2
    for case, rng in seeds(ending, 80):
        path.write_bytes(damaged(good, rng))
        answered(lambda: load_dataset(path), case)


def test_tables_with_odd_cells_give_rows_or_a_sentence(tmp_path: Path) -> None:
    """Values that Excel and Parquet hold besides numbers and texts: dates, lists, bytes."""
    pytest.importorskip("pyarrow")
    odd = ([1], {"a": 1}, b"\xff", pandas.Timestamp("2024-01-01"), float("inf"), 10**18, True, "")
    for value in odd:
        for column in ("smiles", "y", "name", "split"):
            columns: dict[str, list[Any]] = {"smiles": ["C", "CC"], "y": [1.0, 2.0]}
            columns |= {"name": ["a", "b"], "split": ["train", "test"]}
            columns[column] = [value, value]
            path = tmp_path / "t.parquet"
            pandas.DataFrame(columns).to_parquet(path)
            answered(lambda path=path: load_dataset(path), (value, column))


def test_damaged_uploads_give_items_or_a_sentence() -> None:
    from atomlens.structures.options import ReadingOptions
    from atomlens.web.uploads import Upload, read_all

    sent = {
        "a.xyz": b"3\nwater\nO 0 0 0.1\nH 0 0.76 -0.5\nH 0 -0.76 -0.5\n",
        "a.smi": b"CCO ethanol\nC methane\n",
        "a.csv": b"smiles,y\nC,1\n",
        "a.json": b'{"numbers": [8, 1, 1], "positions": [[0, 0, 0], [0, 0, 1], [0, 1, 0]]}',
    }
    for case, rng in seeds("upload", 80):
        name = rng.choice(sorted(sent))
        content = damaged(sent[name], rng)
        label = damaged(name.encode(), rng).decode("utf-8", errors="replace")[:3000]
        text = content.decode("utf-8", errors="replace")[:3000] if rng.random() < 0.3 else ""
        reading = ReadingOptions(strict=rng.random() < 0.2)
        files = [Upload(label, content)]
        items = answered(
            lambda f=files, t=text, r=reading: read_all(f, t, lambda *_: None, r), (case, name)
        )
        assert isinstance(items, str) or items, case


@contextlib.contextmanager
def quiet() -> Iterator[tuple[io.StringIO, io.StringIO]]:
    out, said = io.StringIO(), io.StringIO()
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(said),
    ):
        warnings.simplefilter("default")
        yield out, said


def test_commands_with_damaged_words_end_without_a_traceback(
    folder_of_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # what is typed may name an output
    (tmp_path / "t.csv").write_text("name,smiles,y\na,C,1\nb,CC,2\n")
    model, table = str(folder_of_model), str(tmp_path / "t.csv")
    commands = (
        ["predict", model, "CCO", "--format", "json"],
        ["predict", model, table, "--out", str(tmp_path / "p.csv"), "--quiet"],
        ["predict", model, "NaCl", "--disorder", "majority", "--strict"],
        ["evaluate", model, table, "--target", "y"],
        ["graph", "CCO", "--set", "cutoff=4"],
        ["datasets", "info", "toy"],
        ["models", "info", model],
        ["train", table, "--model", "mean", "--dry-run"],
        ["study", "orbits", "NaCl", "--model", model, "--out", str(tmp_path / "s"), "--quiet"],
        ["explain", model, "--conformers", "2", "--disorder", "majority", "--out", "CCO"],
        ["graph", "CCO", "--builder", "radius", "--ordered-models", "2", "--strict"],
        ["label", "CCO", "--with", "gcmc", "--gas", "CH4", "--pressure", "5", "--cycles", "10"],
    )
    for case, rng in seeds("command", 120):
        typed = list(rng.choice(commands))
        place = rng.randrange(1, len(typed))
        if rng.random() < 0.5 and typed[place] not in (model, table):
            typed[place] = damaged(typed[place].encode(), rng).decode("utf-8", errors="replace")
        else:
            typed[place] = rng.choice(
                (
                    "",
                    "-",
                    "--",
                    "-1",
                    "nan",
                    "1e999",
                    "\0",
                    "/dev/null",
                    ".",
                    "--set",
                    "a=b",
                    "*",
                    "é",
                )
            )
        with quiet() as (_, said):
            code = main([one[:3000] for one in typed])
        told = said.getvalue()
        assert code in (0, 1, 2), (case, typed, told)
        assert "Traceback" not in told, (case, typed, told)
        assert "this is a bug" not in told, (case, typed, told)
