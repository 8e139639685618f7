"""docs/bad-input.md shows what bad inputs really print."""

import re
from pathlib import Path

import pytest

from atomlens.structures import read_structures
from small_cifs import CRYSTAL

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "bad-input.md").read_text(encoding="utf-8")
FILES = {
    "empty.cif": "",
    "wrong.cif": "3\nwater\nO 0 0 0\nH 0.96 0 0\nH -0.24 0.93 0\n",
    "notes.xyzzy": "hello",
    "truncated.xyz": "5\nmethane\nC 0 0 0\nH 0.63 0.63 0.63\n",
    "cut.cif": CRYSTAL[:150],
    "nan.xyz": "2\nx\nO 0 0 0\nH nan 0 0\n",
    "close.xyz": "2\nx\nO 0 0 0\nH 0 0 0.05\n",
    "unknown.xyz": "2\nx\nO 0 0 0\nQq 0 0 1\n",
    "flat.cif": CRYSTAL.format(c=0, occupancy=1),
    "disordered.cif": CRYSTAL.format(c=5.64, occupancy=0.5),
}
SHOWN = re.findall(r"^\| [^|]+ \| `(.+)` \|$", PAGE.partition("## After reading")[0], re.MULTILINE)


def test_the_page_shows_every_kind_of_bad_file() -> None:
    assert {name for name in FILES if any(s.startswith(f"{name}: ") for s in SHOWN)} == set(FILES)


@pytest.mark.parametrize("shown", SHOWN)
def test_the_message_is_the_one_on_the_page(
    shown: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    quoted = re.match(r"'([^']+)'", shown)
    name = quoted[1] if quoted else shown.partition(":")[0]
    if name in FILES:
        Path(name).write_text(FILES[name])
    (failure,) = read_structures([name]).failures
    pattern = ".*".join(re.escape(part) for part in shown.split("..."))
    assert re.fullmatch(pattern, failure.message)
