"""What is packed for a GPU, and the script that trains there in calls."""

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

RECIPES = Path(__file__).parents[2] / "recipes"

FAKE_PYTHON = """#!/usr/bin/env bash
# stands for python: notes its arguments, and makes a large state or checks the one it finds
case "$*" in *box.py*) ;; *) exit 0 ;; esac
echo "$@" >> "$NOTES"
state="$OUT/runs/qm9/training/state with a space"
if [ -f "$state" ]; then sha256sum < "$state" > "$NOTES.second"
else
  mkdir -p "$(dirname "$state")"
  head -c 33000000 /dev/urandom > "$state"
  sha256sum < "$state" > "$NOTES.first"
fi
exit "${FAIL:-0}"
"""


@pytest.fixture
def fake(tmp_path: Path) -> dict[str, str]:
    python = tmp_path / "python"
    python.write_text(FAKE_PYTHON)
    python.chmod(0o755)
    found = {"PYTHON": python, "NOTES": tmp_path / "notes", "OUT": tmp_path / "out"}
    return {**os.environ, **{k: str(v) for k, v in found.items()}}


def call(fake: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(RECIPES / "gpu.sh"), *arguments]
    return subprocess.run(command, env=fake, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("fail", ["0", "1"])
def test_large_states_come_back_in_parts_and_are_whole_in_the_next_call(
    fake: dict[str, str], tmp_path: Path, fail: str
) -> None:
    out = tmp_path / "out"
    done = call({**fake, "FAIL": fail}, "train", "packed", str(out), "qm9", "--device", "cpu")
    assert done.returncode == int(fail), done.stderr
    files = [p for p in out.rglob("*") if p.is_file()]
    assert len(files) == 3
    assert max(p.stat().st_size for p in files) <= 15 * 2**20
    assert call(fake, "train", "packed", str(out)).returncode == 0
    first, second = (Path(fake["NOTES"] + end).read_text() for end in (".first", ".second"))
    assert first == second
    said = Path(fake["NOTES"]).read_text().splitlines()
    assert "--train-only --minutes 8.5" in said[0]
    assert f"qm9 --device cpu --data packed --out {out}/runs" in said[0]


def test_the_script_says_how_it_is_called(fake: dict[str, str]) -> None:
    for arguments in ((), ("train", "packed"), ("dance", "a", "b")):
        done = call(fake, *arguments)
        assert done.returncode == 2
        assert "recipes/gpu.sh pack DATA PACKED" in done.stdout


def test_cells_from_lengths_and_angles(monkeypatch: pytest.MonkeyPatch) -> None:
    from ase.geometry import cellpar_to_cell

    monkeypatch.syspath_prepend(str(RECIPES))
    from pack_box import cell_vectors

    cells = np.array([[4.0, 5.0, 6.0, 90, 90, 90], [3.2, 3.3, 5.1, 75, 102, 118]])
    expected = [cellpar_to_cell(cell) for cell in cells]
    np.testing.assert_allclose(cell_vectors(cells), expected, atol=1e-12)


def test_crystals_are_packed_from_the_arrays_of_their_data_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(RECIPES))
    from pack_box import LARGEST_CELL, crystals

    sizes = [2, 1, LARGEST_CELL + 1, 3, 1]
    generator = np.random.default_rng(0)
    np.savez(
        tmp_path / "arrays.npz",
        id=np.array([f"mp-{i}".encode() for i in range(5)]),
        n_atoms=sizes,
        Z=generator.integers(1, 90, sum(sizes)).astype(np.uint8),
        frac=generator.random((sum(sizes), 3)),
        cell=np.tile([4.0, 5.0, 6.0, 90, 80, 110], (5, 1)),
        formation_energy_per_atom_2019=np.arange(5.0),
        band_gap_2018=[0.0, np.nan, 1.0, 2.0, 3.0],
    )
    np.savez(tmp_path / "split.npz", train=[4, 2, 0], val=[3], test=[1])
    data = crystals(tmp_path / "arrays.npz", tmp_path / "split.npz")
    assert data.structures.names == ("mp-0", "mp-1", "mp-3", "mp-4")  # too large to be trained on
    assert {part: rows.tolist() for part, rows in data.splits.items()} == {
        "train": [0, 3],
        "validation": [2],
        "test": [1],
    }
    np.testing.assert_array_equal(data.values[:, 0], [0, 1, 3, 4])
    first = data.structures.to_atoms(0)
    with np.load(tmp_path / "arrays.npz") as pack:
        np.testing.assert_allclose(first.get_scaled_positions(), pack["frac"][:2], atol=1e-9)
