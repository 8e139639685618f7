"""Every block of code on every page: run by a test, or marked as not run with a reason.

What is not run is read all the same: commands, options, settings, recipes, scripts and extras
that a page names exist.
"""

import argparse
import json
import os
import re
import shutil
import textwrap
import tomllib
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from ase.build import bulk

from atomlens.cli import main
from atomlens.cli.parser import COMMANDS, build_parser
from page_blocks import PAGES, ROOT, Block, blocks_of, words_of

BLOCKS = [block for page in PAGES for block in blocks_of(page)]
CODE = [b for b in BLOCKS if b.kind in ("console", "python", "sh")]
COMMAND_LINES = [
    pytest.param(b, command, id=f"{b.name}-{k}")
    for b in CODE
    if b.kind != "python" and not b.is_synopsis
    for k, command in enumerate(b.commands)
]
RUN_ELSEWHERE = {
    "README.md": "tests/integration/test_readme.py",
    "docs/a-model-of-your-own.md": "tests/integration/test_examples.py",
}
"""Pages that a test of their own types or runs."""

SMALL = {
    "lens": "epochs=1 model.n_layers=1 model.n_features=8",
    "finder": "epochs=1 model.n_layers=1 model.n_features=8 model.n_hidden=[8,8,8,8]",
    "scann-plus": "epochs=1 model.n_layers=1 model.n_features=16 model.n_heads=2",
}
"""Settings that the tests add to trainings, by the model that is named (or is the default)."""


def runs(block: Block) -> bool:
    """Return whether the tests of this file run a block."""
    where = block.page.relative_to(ROOT).as_posix()
    return not (block.not_run or block.is_synopsis or block.kind == "sh" or where in RUN_ELSEWHERE)


RUN_PAGES = sorted({block.page for block in CODE if runs(block)})


def _table(header: str, rows: list[str], path: str) -> None:
    Path(path).write_text("\n".join([header, *rows]) + "\n")


def _crystals(folder: str) -> list[str]:
    Path(folder).mkdir()
    names = []
    for k, (metal, anion) in enumerate((m, x) for m in ("Li", "Na", "K", "Mg") for x in "OSF"):
        names.append(f"{folder}/{k}{metal}{anion}.cif")
        bulk(f"{metal}{anion}", "rocksalt", a=4.2 + 0.1 * k).write(names[-1])
    return names


SMILES = ["C", "CC", "CCC", "CCO", "CO", "CN", "CCN", "C=C", "C#N", "CF", "CCF", "COC"]


def _molecules() -> None:
    from atomlens.structures import to_atoms

    Path("molecules").mkdir()
    for smiles in ("CCO", "CCN", "CCCCCCCCCCO", "CCCCCCCCCCN", "CCCCCCCCCCC"):
        to_atoms(smiles).write(f"molecules/{smiles}.xyz", format="xyz")


def crystals() -> None:
    """Crystals, and a table that names them."""
    _table(
        "file,gap",
        [f"{name},{k / 4}" for k, name in enumerate(_crystals("crystals"))],
        "crystals.csv",
    )


def formulas() -> None:
    """A table of formulas."""
    found = [
        f"{m}{i}{x}{j}" for m in ("Li", "Na", "K", "Fe") for x in "OS" for i, j in ((1, 2), (2, 3))
    ]
    _table("formula,gap", [f"{f},{k / 4}" for k, f in enumerate(found)], "table.csv")


def spectra() -> None:
    """Spectra of some formulas, and of new ones."""
    rows = [
        {
            "formula": f"{metal}O{n}",
            "energy": [0.5, 2.0, 4.0, 6.0],
            "eps_re": [5.0 + k, 6.0 + n, 4.0, 2.0],
            "eps_im": [0.0, 0.1 * k, 1.0 + n, 2.0],
        }
        for k, metal in enumerate(("Ti", "Zn", "Mg", "Ca", "Zr", "Sn"))
        for n in (1, 2)
    ]
    for name, some in (("spectra.jsonl", rows), ("new.jsonl", rows[:3])):
        Path(name).write_text("".join(json.dumps(row) + "\n" for row in some))


def molecules() -> None:
    """Files of molecules, some of them unknown to the box, and a table with SMILES."""
    _molecules()
    columns = "smiles,homo,lumo,gap,alpha,cv,boiling_point"
    _table(columns, [f"{s},-7,1,8,30,9,{k}" for k, s in enumerate(SMILES)], "table.csv")


def getting_started() -> None:
    """What the reader has at that point: the examples, and the demo's model (here of the box)."""
    molecules()
    Path("examples").mkdir()
    shutil.copy(ROOT / "examples" / "boiling_points.csv", "examples")
    import atomlens

    Path("demo").mkdir()
    shutil.copytree(Path(atomlens.__file__).parent / "box" / "qm9", "demo/model")


def cluster() -> None:
    """A table with a gap, and candidates."""
    molecules()
    for k, name in enumerate(_crystals("candidates")):
        Path(name).rename(f"candidates/{k % 2}-{k}.cif")


def candidates() -> None:
    """Formulas to be screened, and crystals."""
    _crystals("crystals")
    _table("formula,price", [f"{f},low" for f in ("GaAs", "CdTe", "SnS", "BaZrS3")], "formulas.csv")


PREPARED: dict[str, Callable[[], None]] = {
    "docs/crystals.md": crystals,
    "docs/formulas.md": formulas,
    "docs/spectra.md": spectra,
    "docs/fitting-in.md": molecules,
    "docs/data-formats.md": molecules,
    "docs/gpu.md": molecules,
    "docs/getting-started.md": getting_started,
    "docs/cluster.md": cluster,
    "docs/reading-a-claim.md": molecules,
    "docs/screening.md": candidates,
}
"""The files that the reader of a page is supposed to have."""


NEEDED = {
    "docs/fitting-in.md": ("sklearn", "chemiscope"),
    "docs/screening.md": ("pyarrow",),
}
"""Packages without which the blocks of a page cannot run."""


def typed(command: str) -> None:
    """Run a command as a reader types it; trainings get settings that make them short."""
    words = words_of(os.path.expandvars(command))
    if words[0] == "pip":
        return  # its extras are held against pyproject below
    assert words[0] == "atomlens", f"only atomlens is run by the tests: {command}"
    if words[1] in ("train", "cv") and "ridge" not in words:
        model = words[words.index("--model") + 1] if "--model" in words else "scann-plus"
        small = SMALL[model].split() if "--from" not in words else ["epochs=1"]
        words += [word for setting in small for word in ("--set", setting)]
        words += ["--batch-size", "8"]
    assert main([*words[1:], *(["--no-browser"] if words[1] == "view" else [])]) == 0, command


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("page", RUN_PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_the_blocks_of_a_page_run_one_after_the_other(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ATOMLENS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "1")
    monkeypatch.setattr("atomlens.training.pipeline.draw", lambda *_: True)
    where = page.relative_to(ROOT).as_posix()
    for package in NEEDED.get(where, ()):
        pytest.importorskip(package)
    PREPARED.get(where, lambda: None)()
    names: dict[str, object] = {}
    for block in blocks_of(page):
        if block.kind not in ("console", "python") or not runs(block):
            continue
        if block.kind == "python":
            code = compile(textwrap.dedent(block.text), block.name, "exec")
            exec(code, names)
            continue
        for command in block.commands:
            if not block.left_out or block.left_out not in command:
                typed(command)


def test_pages_that_are_run_elsewhere_are() -> None:
    for page, test in RUN_ELSEWHERE.items():
        assert Path(page).name in (ROOT / test).read_text(encoding="utf-8")


def test_reasons_are_sentences_and_no_mark_is_lost() -> None:
    """A mark that is misspelt, or that stands before no block, would hide itself."""
    marks = 0
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        assert all(c.startswith("not run") for c in re.findall(r"<!-- (.*?)-->", text)), page.name
        marks += len(re.findall(r"<!-- not run[,:]", text))
    told = [b for b in BLOCKS if b.left_out]
    single = {(b.page, b.line) for b in CODE if b.not_run and not _of_page(b)}
    assert marks == len(single) + len(told)
    assert all(len(b.not_run.split()) > 2 for b in CODE if b.not_run)


def _of_page(block: Block) -> bool:
    lines = block.page.read_text(encoding="utf-8").splitlines()[: block.line]
    return not any(f"not run: {block.not_run}" in line for line in lines[max(0, block.line - 4) :])


def test_most_of_what_a_newcomer_reads_is_run() -> None:
    first = ("index", "getting-started", "crystals", "formulas", "spectra", "fitting-in")
    for name in first:
        own = [b for b in CODE if b.page.stem == name and b.page.parent.name == "docs"]
        assert own
        assert sum(runs(b) for b in own) >= len(own) / 3, name


@pytest.mark.parametrize(("block", "command"), COMMAND_LINES)
def test_a_command_that_a_page_shows_can_be_typed(block: Block, command: str) -> None:
    """Whether it is run or not: its options, settings, recipes, scripts and extras are there."""
    said = words_of(command)
    words = [w for k, w in enumerate(said) if w != "..." or said[k - 1].startswith("--")]
    words = [w.replace("$SLURM_ARRAY_TASK_ID", "1") for w in words if w != "$resume"]
    if words[0] in ("torchrun", "srun"):
        words = ["atomlens", *words[words.index("atomlens") + 1 :]]
    if words[0] == "pip":
        extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        named = re.findall(r"atomlens\[([\w,]+)\]", command)
        assert {e for n in named for e in n.split(",")} <= set(extras["optional-dependencies"])
    elif words[0] == "python" and words[1:2] and words[1].endswith(".py"):
        assert (ROOT / words[1]).is_file(), command
    elif words[0] == "make" and words[1:]:
        assert re.search(rf"^{words[1]}:", (ROOT / "Makefile").read_text(), re.M), command
    elif words[0] == "atomlens":
        words = words[1:]
        parser = build_parser(words)
        options = parser.parse_args(words)  # leaves with 2 and a sentence where it cannot
        check_settings(words, options)


def check_settings(words: list[str], options: argparse.Namespace) -> None:
    """Fail where ``--set`` or ``--config`` names what there is not."""
    for k, word in enumerate(words[:-1]):
        if word == "--config":
            assert (ROOT / words[k + 1]).is_file() or "/" not in words[k + 1], words[k + 1]
        if word == "--set" and "=" in words[k + 1]:
            group, _, name = words[k + 1].partition("=")[0].rpartition(".")
            known = known_settings(options, group)
            assert name in known, f"{words[k + 1]}: no setting of {group or options.command}"


def known_settings(options: argparse.Namespace, group: str) -> set[str]:
    """Return the names of the settings of a group, of every model or builder."""
    from atomlens.models import MODELS
    from atomlens.neighbors import BUILDERS
    from atomlens.studies import STUDIES
    from atomlens.studies.faithful.study import FaithfulSettings
    from atomlens.training import TrainSettings

    if options.command == "screen":
        return _fields(STUDIES[options.measure].Settings)
    if options.command == "study":
        return _fields(STUDIES[options.study].Settings)
    if options.command == "faithful":
        return _fields(FaithfulSettings)
    kinds: dict[str, list[Any]] = {
        "": [TrainSettings],
        "training": [TrainSettings],
        "model": [model.Config for model in MODELS.values()],
        "builder": list(BUILDERS.values()),
    }
    if options.command == "graph":
        return set().union(*map(_fields, kinds["builder"]))
    return set().union(*map(_fields, kinds[group]))


def _fields(kind: Any) -> set[str]:
    return {f.name for f in fields(kind)}


@pytest.mark.parametrize(
    "block", [b for b in CODE if b.is_synopsis], ids=lambda block: str(block.name)
)
def test_a_grammar_names_commands_and_options_that_there_are(block: Block) -> None:
    for command in block.commands:
        words = command.split()
        if words[1] == "COMMAND":
            continue
        assert words[1] in COMMANDS, command
        with pytest.raises(SystemExit):
            build_parser([words[1]]).parse_args([words[1], "--help"])
        known = _options(build_parser([words[1]]))
        for option in re.findall(r"(?<![\w-])--[a-z][\w-]*", command):
            assert option in known, f"{block.name}: {words[1]} has no {option}"


def _options(parser: argparse.ArgumentParser) -> set[str]:
    found: set[str] = set()
    for action in parser._actions:
        found |= set(action.option_strings)
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                found |= _options(below)
    return found


LINKS = sorted(
    {
        link
        for page in [*PAGES, ROOT / "CHANGELOG.md"]
        for link in re.findall(r"https?://[^\s<>`|]+", page.read_text(encoding="utf-8"))
    }
)


def test_links_to_other_places_are_well_formed() -> None:
    """They are not opened here: whether a place still answers is no matter of the code."""
    assert len(LINKS) > 5
    for link in (one.rstrip(").,;:") for one in LINKS):
        parts = urlsplit(link)
        if parts.hostname in ("127.0.0.1", "server"):
            continue
        assert parts.scheme == "https", link
        assert re.fullmatch(r"[a-z\d-]+(\.[a-z\d-]+)+", parts.netloc), link
        assert "//" not in parts.path, link
        if parts.netloc == "doi.org":
            assert re.fullmatch(r"/10\.\d{4,9}/[\w.()/;-]+", parts.path), link


READ = {"yaml": yaml.safe_load, "json": json.loads, "toml": tomllib.loads}


@pytest.mark.parametrize(
    "block", [b for b in BLOCKS if b.kind in READ], ids=lambda block: str(block.name)
)
def test_data_on_pages_can_be_read(block: Block) -> None:
    content = READ[block.kind](block.text)
    assert content
    if block.kind == "yaml":
        from atomlens.training import TrainSettings

        assert set(content) <= {"training", "model", "builder", "data"}
        assert set(content.get("training", {})) <= _fields(TrainSettings)


def test_every_fence_says_what_it_holds() -> None:
    assert {b.kind for b in BLOCKS} <= {"console", "python", "text", "sh", *READ}
