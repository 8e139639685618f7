"""What the README tells a newcomer to type works as typed."""

import re
import shlex
from pathlib import Path

import pytest

from atomlens.cli import main

README = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
SMALL = ["--epochs", "1", "--set", "model.n_layers=1", "--set", "model.n_features=16"]
MOLECULES = ["C", "CC", "CCC", "CCCC", "O", "CO", "CCO", "CCCO", "N", "CN", "CCN", "CCCN"]


@pytest.fixture(autouse=True)
def _newcomer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with a table, the structures it names, and new ones."""
    from ase.io import write

    from atomlens.structures import to_atoms

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ATOMLENS_CACHE", str(tmp_path / "cache"))
    for folder in ("structures", "new-structures"):
        Path(folder).mkdir()
    rows = ["file,gap"]
    for number, smiles in enumerate(MOLECULES):
        atoms = to_atoms(f"smiles:{smiles}")
        atoms.info.clear()
        write(f"structures/{number}.xyz", atoms, format="xyz")
        rows.append(f"structures/{number}.xyz,{len(atoms) / 10}")
    Path("gaps.csv").write_text("\n".join(rows) + "\n")
    for smiles in ("CCCCO", "CCCCN"):
        write(f"new-structures/{smiles}.xyz", to_atoms(smiles), format="extxyz")


def test_the_readme_runs_from_top_to_bottom() -> None:
    commands = re.findall(r"^ {4}atomlens (.*)$", README, re.MULTILINE)
    assert [c.split()[0] for c in commands] == ["train", "evaluate", "predict", "explain"]
    for command in commands:
        arguments = shlex.split(command)
        assert main([*arguments, *(SMALL if arguments[0] == "train" else [])]) == 0, command
    assert Path("predictions.csv").read_text().count("\n") == 3
    assert Path("pages/index.html").is_file()
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert "epochs=50" in code
    small = 'epochs=1, model_settings={"n_layers": 1, "n_features": 16}'
    names: dict[str, object] = {}
    exec(code.replace("epochs=50", small), names)
    assert Path("page.html").is_file()
