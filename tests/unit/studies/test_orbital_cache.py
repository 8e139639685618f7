"""Orbitals of many molecules: kept, resumed, in parallel, and with failures named."""

from pathlib import Path

import numpy as np
import pytest
from ase.build import molecule

from atomlens.studies.orbitals import cache as orbital_cache
from atomlens.studies.orbitals.cache import orbital_key, orbitals_of_many
from atomlens.studies.orbitals.solution import OrbitalSettings

HUCKEL = OrbitalSettings(method="huckel")
MOLECULES = [molecule(name) for name in ("C2H4", "CH4", "C6H6")]


def test_what_cannot_be_calculated_is_named_and_the_rest_goes_on(tmp_path: Path) -> None:
    many = orbitals_of_many(MOLECULES, HUCKEL, folder=tmp_path)
    assert many.kept == (0, 2)
    assert [o.name for o in many.found] == ["C2H4", "C6H6"]
    assert [f.name for f in many.failures] == ["CH4"]


def test_what_is_in_the_folder_is_not_calculated_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = orbitals_of_many(MOLECULES[:1], HUCKEL, folder=tmp_path)
    monkeypatch.setattr(orbital_cache, "frontier_orbitals", _never)
    second = orbitals_of_many(MOLECULES[:1], HUCKEL, folder=tmp_path)
    np.testing.assert_array_equal(first.found[0].homo, second.found[0].homo)
    assert first.found[0].homo_energy == second.found[0].homo_energy


def test_a_damaged_file_is_calculated_again(tmp_path: Path) -> None:
    orbitals_of_many(MOLECULES[:1], HUCKEL, folder=tmp_path)
    (kept,) = tmp_path.iterdir()
    for damaged in (kept.read_text()[:40], "[" * 100_000):
        kept.write_text(damaged)
        assert orbitals_of_many(MOLECULES[:1], HUCKEL, folder=tmp_path).found[0].n_homo == 1


def test_processes_find_the_same_as_one(tmp_path: Path) -> None:
    alone = orbitals_of_many(MOLECULES, HUCKEL, folder=tmp_path / "a")
    together = orbitals_of_many(MOLECULES, HUCKEL, folder=tmp_path / "b", n_workers=2)
    assert together.kept == alone.kept
    assert together.failures == alone.failures
    for one, other in zip(alone.found, together.found, strict=True):
        np.testing.assert_array_equal(one.lumo, other.lumo)


def test_a_folder_that_cannot_be_written_costs_no_result(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert len(orbitals_of_many(MOLECULES[:1], HUCKEL, folder=blocked).found) == 1


def test_progress_counts_every_molecule(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    orbitals_of_many(
        MOLECULES, HUCKEL, folder=tmp_path, progress=lambda done, total: seen.append((done, total))
    )
    assert seen == [(0, 3), (1, 3), (2, 3), (3, 3)]


def test_the_key_knows_geometry_charge_and_settings_but_not_the_name() -> None:
    atoms, named, moved, charged = (molecule("C2H4") for _ in range(4))
    named.info["name"] = "ethylene"
    moved.positions[0, 0] += 0.01
    charged.info["charge"] = 2
    key = orbital_key(atoms, HUCKEL)
    assert orbital_key(named, HUCKEL) == key
    others = [orbital_key(a, HUCKEL) for a in (moved, charged)]
    others.append(orbital_key(atoms, OrbitalSettings()))
    assert len({key, *others}) == 4


def _never(*_: object) -> None:
    raise AssertionError("it was calculated again")
