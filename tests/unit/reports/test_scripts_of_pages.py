"""The TypeScript compiler reads the scripts of the pages, and finds what is broken in them."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from ase.build import bulk

from atomlens.reports.payload import page_payload
from explained_makers import explained

ROOT = Path(__file__).parents[3]
SCRIPTS = ROOT / "src/atomlens/reports"
TSC = ROOT / "node_modules/.bin/tsc"


def found(folder: Path) -> str:
    """What the compiler says of the scripts in a folder."""
    settings = json.loads((ROOT / "scripts/jsconfig.json").read_text())
    settings["include"] = ["*.js", "globals.d.ts"]
    (folder / "jsconfig.json").write_text(json.dumps(settings))
    ran = subprocess.run(
        [TSC, "-p", folder / "jsconfig.json"], capture_output=True, text=True, check=False
    )
    assert (ran.returncode == 0) == (not ran.stdout)
    return ran.stdout


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    if not TSC.is_file() or shutil.which("node") is None:
        pytest.skip("there is no TypeScript compiler: scripts/check-pages fetches it")
    for path in [*SCRIPTS.glob("*.js"), ROOT / "scripts/globals.d.ts"]:
        shutil.copy(path, tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("file", "right", "wrong", "said"),
    [
        ("charts.js", "structure.all_equal", "structure.all_equals", "'all_equals' does not exist"),
        ("table.js", "s.scores_std[atom]", "s.score_std[atom]", "'score_std' does not exist"),
        ("page.js", "this.stage.resetView()", "this.stage.reset()", "'reset' does not exist"),
        ("stage.js", "this.options.cell)", "this.options.cells)", "'cells' does not exist"),
        ("labels.js", "s.d.atom !== atom", "s.d.atoms !== atom", "'atoms' does not exist"),
        ("downloads.js", "shortNumber(low)", "shortNumbers(low)", "Cannot find name"),
        ("colours.js", "tables.score,", "tables.scores,", "'scores' does not exist"),
        ("page.js", "drawLegend($(", "drawLegend(2, $(", "arguments"),
        ("demo.js", "() => {", "( => {", "expected"),
    ],
)
def test_what_is_broken_is_found(file: str, right: str, wrong: str, said: str, copy: Path) -> None:
    text = (copy / file).read_text()
    assert right in text
    (copy / file).write_text(text.replace(right, wrong))
    assert said in found(copy)


def test_nothing_is_found_in_what_is_shipped(copy: Path) -> None:
    assert found(copy) == ""


def test_the_compiler_knows_the_fields_that_python_writes() -> None:
    declared = (ROOT / "scripts/globals.d.ts").read_text()

    def fields(interface: str) -> set[str]:
        body = re.search(rf"interface {interface} \{{\n(.*?)\n\}}", declared, re.DOTALL)
        assert body is not None
        return set(re.findall(r"^  (\w+)\??:", body[1], re.MULTILINE))

    written = page_payload([explained(bulk("NaCl", "rocksalt", a=5.64))])
    structure = written["structures"][0]
    assert fields("PageData") == set(written)
    assert fields("Tables") == set(written["scales"])
    assert fields("Payload") == set(structure)
    assert fields("Scene") == set(structure["scene"])
