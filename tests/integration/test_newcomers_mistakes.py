"""The mistakes that newcomers make most often, on every surface: one sentence that says what to do.

Each is made at the command, in Python and in the application, as far as the surface lets one make
it; what is no mistake there says why. The sentence is the same thing everywhere: it names what was
given, says what is wrong and what to do about it.
"""

import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import atomlens as al
from atomlens.cli import main
from atomlens.errors import AtomlensError, Failure
from small_cifs import CRYSTAL
from view_makers import HOME, TOKEN, Asker

pytestmark = pytest.mark.usefixtures("own_folder")

SMILES = ["C", "CC", "CCC", "CCO", "CO", "CN", "CCN", "C=C", "C#N", "CF", "CCF", "COC"]
DISORDERED = CRYSTAL.format(c=5.64, occupancy=0.5)
DOES = re.compile(
    r"[Dd]id you mean|Known:|--[a-z]|`|\b(use|give|name|write|check|choose|drop|remove|lower|leave|"
    r"install|try|format|correct|add|fill|save|put|say|pick|make|have|close|start|get|go on)\b",
    re.IGNORECASE,
)
"""What a sentence says that tells what to do."""


def table(path: str, header: str, rows: list[str]) -> str:
    """Write a table."""
    Path(path).write_text("\n".join([header, *rows]) + "\n")
    return path


def good(path: str = "table.csv") -> str:
    """Write a table that can be learned from."""
    return table(path, "smiles,gap,alpha", [f"{s},{i},{i / 2}" for i, s in enumerate(SMILES)])


def learn(path: str, *more: str, target: str = "gap", out: str = "model") -> list[str]:
    """Return a training as typed."""
    chosen = ["--target", target] if target else []
    return ["train", path, *chosen, "--model", "ridge", "--out", out, *more]


@dataclass(frozen=True, kw_only=True)
class Mistake:
    """One mistake: how it is made on each surface, and words that the sentence must have."""

    words: list[str]
    command: list[str]
    python: Callable[[], Any] | str
    """What is called; or why it cannot be made in Python."""
    page: Callable[[Asker], str] | str
    """What returns the sentence of the application; or why it cannot be made there."""
    before: Callable[[], Any] = field(default=lambda: None)
    code: int = 2


def refused(given: Any) -> str:
    """Return the sentence of the one input that could not be read or used."""
    (failure,) = given.failures
    return str(failure.message)


def typed(text: str) -> Callable[[Asker], str]:
    """Type a text into the application."""
    return lambda ask: ask.give(text)["failures"][0]["message"]


def dropped(name: str, content: Callable[[], bytes] | bytes) -> Callable[[Asker], str]:
    """Drop a file onto the application."""

    def drop(ask: Asker) -> str:
        data = content() if callable(content) else content
        return ask.give(**{name: data})["failures"][0]["message"]

    return drop


def predicted(text: str, model: str) -> Callable[[Asker], str]:
    """Ask a model of the application for what it cannot answer."""

    def ask_it(ask: Asker) -> str:
        job = ask.job("/api/predictions", {"model": model, "structures": [ask.one(text)]})
        return job["result"][0]["error"] if job["state"] == "done" else job["error"]

    return ask_it


def asked(**question: str) -> Callable[[Asker], str]:
    """Ask the application for an explanation that there is not."""

    def ask_it(ask: Asker) -> str:
        body = {"model": "qm9", "structure": ask.one("CCO")} | question
        answer = ask.client.post("/api/explanations", json=body)
        found = answer.json()
        return found["detail"] if answer.status_code != 200 else ask.ended(found)["error"]

    return ask_it


NO_TRAINING = "the application does not train"
NO_PATHS = "the application opens no path"

CUT = b"5\nmethane\nC 0 0 0\nH 0.63 0.63 0.63\n"


def rows_of(values: list[Any]) -> list[str]:
    """Return rows of a table: SMILES and a value each."""
    return [f"{smiles},{value}" for smiles, value in zip(SMILES, values, strict=True)]


def cells(path: str, header: str, values: list[Any]) -> Callable[[], str]:
    """Return what writes a table of two columns."""
    return lambda: table(path, header, rows_of(values))


def warned(call: Callable[[], Any]) -> Callable[[], Any]:
    """Return what makes a failure of the first warning."""

    def run() -> Any:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            call()
        return SimpleNamespace(failures=[Failure(name="", message=str(told[0].message))])

    return run


def qm9(text: str, **options: Any) -> Callable[[], Any]:
    """Return what asks a boxed model."""
    return lambda: al.load("qm9").predict(text, **options)


def folder_of(name: str, **files: str) -> Callable[[], None]:
    """Return what makes a folder."""

    def make() -> None:
        Path(name).mkdir()
        for file, content in files.items():
            Path(name, file).write_text(content)

    return make


def training(**options: Any) -> Callable[[], Any]:
    """Return a training in Python on a good table."""
    return lambda: al.train(good(), **({"target": "gap", "model": "ridge"} | options))


N = len(SMILES)
MISTAKES: dict[str, Mistake] = {
    "wrong column": Mistake(
        words=["gapp", "Did you mean 'gap'"],
        before=good,
        command=learn("table.csv", target="gapp"),
        python=lambda: al.load_dataset("table.csv", "gapp"),
        page=NO_TRAINING,
    ),
    "wrong property": Mistake(
        words=["homoo", "Did you mean 'homo'"],
        command=["explain", "qm9", "CCO", "--target", "homoo", "--out", "pages"],
        python=lambda: al.load("qm9").explain("CCO", target="homoo"),
        page=asked(target="homoo"),
    ),
    "wrong method": Mistake(
        words=["'shap'", "Did you mean 'shapley'"],
        command=["explain", "qm9", "CCO", "--method", "shap", "--out", "pages"],
        python=lambda: al.load("qm9").explain("CCO", method="shap"),
        page=asked(method="shap"),
    ),
    "target not named": Mistake(
        words=["--target", "gap, alpha"],
        before=good,
        command=learn("table.csv", target=""),
        python=training(target=None),
        page=NO_TRAINING,
    ),
    "unit in the cells": Mistake(
        words=["'11 eV'", "gap [eV]"],
        before=cells("units.csv", "smiles,gap", [f"{i} eV" for i in range(N)]),
        command=learn("units.csv"),
        python=lambda: al.load_dataset("units.csv", "gap"),
        page=NO_TRAINING,
    ),
    "two units": Mistake(
        words=["says eV", "meV", "no number is converted"],
        before=cells("units.csv", "smiles,gap [eV]", list(range(N))),
        command=learn("units.csv", "--unit", "meV"),
        python=warned(lambda: al.load_dataset("units.csv", "gap", units={"gap": "meV"})),
        page=NO_TRAINING,
        code=0,
    ),
    "dates of a spreadsheet": Mistake(
        words=["dates", "enter them again"],
        before=cells("dates.csv", "smiles,gap", [f"2024-01-{i + 1:02d}" for i in range(N)]),
        command=learn("dates.csv"),
        python=lambda: al.load_dataset("dates.csv", "gap"),
        page=NO_TRAINING,
    ),
    "words among numbers": Mistake(
        words=["row 12", "'~7'", "write the number alone"],
        before=cells("odd.csv", "smiles,gap", [*range(N - 1), "~7"]),
        command=learn("odd.csv"),
        python=lambda: al.load_dataset("odd.csv", "gap"),
        page=NO_TRAINING,
        code=1,
    ),
    "no line of names": Mistake(
        words=["it has C, 0.5", "line of names"],
        before=cells("bare.csv", "C,0.5", list(range(N))),
        command=learn("bare.csv"),
        python=lambda: al.load_dataset("bare.csv", "gap"),
        page=dropped("bare.csv", b"C,0.5\nCC,0.7\n"),
    ),
    "column of structures under another name": Mistake(
        words=["it has compound, gap", "smiles"],
        before=cells("names.csv", "compound,gap", list(range(N))),
        command=learn("names.csv"),
        python=lambda: al.load_dataset("names.csv", "gap"),
        page=dropped("names.csv", b"compound,gap\nCC,0.7\n"),
    ),
    "table without rows": Mistake(
        words=["empty.csv", "add some"],
        before=lambda: table("empty.csv", "smiles,gap", []),
        command=learn("empty.csv"),
        python=lambda: al.load_dataset("empty.csv", "gap"),
        page=dropped("empty.csv", b"smiles,gap\n"),
    ),
    "table that names missing files": Mistake(
        words=["files.csv"],
        before=lambda: table("files.csv", "file,gap", [f"x/{i}.xyz,{i}" for i in range(N)]),
        command=learn("files.csv"),
        python=lambda: al.load_dataset("files.csv", "gap"),
        page=dropped("files.csv", b"file,gap\nx/0.xyz,0\n"),
    ),
    "missing file": Mistake(
        words=["nowhere.xyz"],
        command=["predict", "qm9", "nowhere.xyz"],
        python=lambda: al.read("nowhere.xyz"),
        page=typed("nowhere.xyz"),
    ),
    "missing table": Mistake(
        words=["nowhere.csv", "there is no such file"],
        command=learn("nowhere.csv"),
        python=lambda: al.load_dataset("nowhere.csv", "gap"),
        page=NO_PATHS,
    ),
    "empty folder": Mistake(
        words=["drawings", "put some there"],
        before=folder_of("drawings", **{"a.txt": "hello"}),
        command=["predict", "qm9", "drawings"],
        python=lambda: al.read("drawings"),
        page=NO_PATHS,
    ),
    "folder instead of a table": Mistake(
        words=["drawings", "put some there"],
        before=folder_of("drawings", **{"a.txt": "hello"}),
        command=learn("drawings"),
        python=lambda: al.load_dataset("drawings", "gap"),
        page=NO_PATHS,
    ),
    "file that is cut off": Mistake(
        words=["cut.xyz"],
        before=lambda: Path("cut.xyz").write_bytes(CUT),
        command=["predict", "qm9", "cut.xyz"],
        python=lambda: al.read("cut.xyz"),
        page=dropped("cut.xyz", CUT),
    ),
    "ring that is not closed": Mistake(
        words=["c1ccccc", "correct it"],
        command=["predict", "qm9", "c1ccccc"],
        python=qm9("c1ccccc"),
        page=typed("c1ccccc"),
    ),
    "name of a compound": Mistake(
        words=["ethanol", "write one like"],
        command=["predict", "qm9", "ethanol"],
        python=qm9("ethanol"),
        page=typed("ethanol"),
    ),
    "formula with a slip": Mistake(
        words=["NaCll", "write one like"],
        command=["predict", "formula-gap", "NaCll"],
        python=lambda: al.load("formula-gap").predict("NaCll"),
        page=typed("NaCll"),
    ),
    "formula for a model of structures": Mistake(
        words=["NaCl", "bare formula", "Give a structure file"],
        command=["predict", "qm9", "NaCl"],
        python=qm9("NaCl"),
        page=predicted("NaCl", "qm9"),
    ),
    "salt": Mistake(
        words=["salt or solvent", "give it alone"],
        command=["predict", "qm9", "CCO.O"],
        python=warned(lambda: al.read("CCO.O")),
        page=lambda ask: ask.job(
            "/api/predictions", {"model": "qm9", "structures": [ask.one("CCO.O")]}
        )["result"][0]["warning"],
        code=0,
    ),
    "disordered crystal": Mistake(
        words=["disordered", "--disorder majority"],
        before=lambda: Path("salt.cif").write_text(DISORDERED),
        command=["predict", "mp", "salt.cif"],
        python=lambda: al.read("salt.cif"),
        page=dropped("salt.cif", DISORDERED.encode()),
    ),
    "wrong model": Mistake(
        words=["qm99", "Did you mean 'qm9'"],
        command=["predict", "qm99", "CCO"],
        python=lambda: al.load("qm99"),
        page=asked(model="qm99"),
    ),
    "wrong model to train": Mistake(
        words=["'scan'", "Did you mean 'scann'"],
        before=good,
        command=["train", "table.csv", "--target", "gap", "--model", "scan", "--out", "x"],
        python=training(model="scan"),
        page=NO_TRAINING,
    ),
    "model that was moved": Mistake(
        words=["runs/gone"],
        command=["predict", "runs/gone", "CCO"],
        python=lambda: al.load("runs/gone"),
        page=asked(model="runs/gone"),
    ),
    "input before the model": Mistake(
        words=["table.csv", "Give the model first"],
        before=good,
        command=["predict", "table.csv", "qm9"],
        python=lambda: al.load("table.csv"),
        page="the application has a list to choose from",
    ),
    "GPU where there is none": Mistake(
        words=["cuda", "use auto or cpu"],
        command=["predict", "qm9", "CCO", "--device", "cuda"],
        python=qm9("CCO", device="cuda"),
        page="the application chooses its device itself",
    ),
    "setting with a slip": Mistake(
        words=["learning_rat", "Did you mean 'learning_rate'"],
        before=good,
        command=learn("table.csv", "--set", "learning_rat=1"),
        python=training(learning_rat=1),
        page=NO_TRAINING,
    ),
    "setting of the model with a slip": Mistake(
        words=["n_layer", "Did you mean 'n_layers'"],
        before=good,
        command=["train", "table.csv", "--target", "gap", "--set", "model.n_layer=1"],
        python=training(model="scann", model_settings={"n_layer": 1}),
        page=NO_TRAINING,
    ),
    "option with a slip": Mistake(
        words=["--targt", "did you mean --target"],
        before=good,
        command=["train", "table.csv", "--targt", "gap"],
        python="Python itself refuses a keyword that there is not",
        page="the application has no options",
    ),
    "output that exists": Mistake(
        words=["full", "give another folder"],
        before=lambda: (good(), folder_of("full", **{"a.txt": "x"})()),
        command=learn("table.csv", out="full"),
        python=training(out="full"),
        page=NO_TRAINING,
    ),
    "output over the input": Mistake(
        words=["table.csv", "another name"],
        before=good,
        command=["predict", "qm9", "table.csv", "--out", "table.csv"],
        python="predict in Python writes no file",
        page="the browser saves files",
    ),
    "output that cannot be written": Mistake(
        words=["table.csv/", "Choose another place"],
        before=good,
        command=["predict", "qm9", "CCO", "--out", "table.csv/x.csv"],
        python=lambda: al.load("qm9").explain("CCO").to_html("table.csv/x.html"),
        page="the browser saves files",
    ),
    "output of an unknown kind": Mistake(
        words=["x.txt", ".csv"],
        command=["predict", "qm9", "CCO", "--out", "x.txt"],
        python="predict in Python writes no file",
        page="the browser saves files",
    ),
}


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch) -> Iterator[Asker]:
    """The application, as its page asks it."""
    pytest.importorskip("fastapi")
    from fastapi.testclient import TestClient

    from atomlens.web.app import create_app

    app, desk, _ = create_app(token=TOKEN)
    with TestClient(app, base_url=HOME, headers={"X-Atomlens-Token": TOKEN}) as client:
        yield Asker(client, desk)


def is_good(sentence: str, words: list[str]) -> None:
    """Fail unless it is one sentence with these words that says what to do."""
    assert sentence.strip(), "nothing was said"
    assert "\n" not in sentence.strip()
    assert len(sentence) < 700
    assert "Traceback" not in sentence
    assert "bug" not in sentence
    for word in words:
        assert word in sentence, sentence
    assert DOES.search(sentence), f"it does not say what to do: {sentence}"


@pytest.mark.filterwarnings("always")
@pytest.mark.parametrize("name", MISTAKES)
def test_the_command_says_what_to_do(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    mistake = MISTAKES[name]
    mistake.before()
    try:
        code = main([*mistake.command, "--quiet"])
    except SystemExit as left:
        code = left.code
    assert code == mistake.code
    lines = capsys.readouterr().err.splitlines()
    said = [line for line in lines if mistake.words[0] in line]
    assert said, lines
    is_good(said[0], mistake.words)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", MISTAKES)
def test_python_says_what_to_do(name: str) -> None:
    mistake = MISTAKES[name]
    if isinstance(mistake.python, str):
        assert len(mistake.python.split()) > 2
        return
    mistake.before()
    try:
        found = mistake.python()
    except AtomlensError as error:
        is_good(str(error), mistake.words)
    else:
        is_good(refused(found), mistake.words)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", MISTAKES)
def test_the_application_says_what_to_do(name: str, ask: Asker) -> None:
    mistake = MISTAKES[name]
    if isinstance(mistake.page, str):
        assert len(mistake.page.split()) > 2
        return
    mistake.before()
    is_good(mistake.page(ask), mistake.words)


@pytest.mark.filterwarnings("ignore")
def test_what_is_no_mistake_is_taken(ask: Asker, capsys: pytest.CaptureFixture[str]) -> None:
    """Line ends and the mark of Windows, a German spreadsheet, equal names, blanks."""
    text = Path(good()).read_text()
    files = {
        "windows.csv": b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode(),
        "german.csv": "\n".join(
            ["smiles;gap", *(f"{s};{i},5" for i, s in enumerate(SMILES))]
        ).encode(),
        "equal.csv": "\n".join(
            ["name,smiles,gap", *(f"same,{s},{i}" for i, s in enumerate(SMILES))]
        ).encode(),
        "blanks.csv": text.replace(",", " , ").encode(),
    }
    for name, content in files.items():
        Path(name).write_bytes(content)
        data = al.load_dataset(name, "gap")
        assert len(data) == N
        assert data.values[3, 0] == (3.5 if name == "german.csv" else 3)
        assert main([*learn(name, out=f"of-{name}"), "--quiet"]) == 0
        assert len(ask.give(**{name: content})["added"]) == N
