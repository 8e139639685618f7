"""CoRE MOF through its package: the table, the archive, what is refused."""

import sys
from pathlib import Path

import pytest

from atomlens.datasets import DATASETS, load_dataset
from atomlens.datasets.sources.core_mof import CoreMof
from atomlens.errors import DatasetError, MissingDependencyError
from small_frameworks import cif, put_frameworks

BAD = {"OVERLAP_clean": cif("Zn", 4.0, oxygen=0.01)}


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = put_frameworks(tmp_path / "site", 6, BAD, rows=("OVERLAP_clean", "GONE_clean"))
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv("ATOMLENS_CACHE", str(tmp_path / "cache"))
    return folder / "CoRE_MOF" / "data"


def test_pore_descriptors_come_with_names_and_units(package: Path) -> None:
    data = load_dataset("core-mof")
    units = {t.name: t.unit for t in data.targets}
    assert units["PLD"] == "Å"
    assert units["density"] == "g/cm³"
    assert units["ASA_m2_g"] == "m²/g"
    values = dict(zip(units, data.values[2].tolist(), strict=True))
    assert values["LCD"] == 2.0
    assert values["PLD"] == 2.01
    assert values["density"] == 2.03
    assert values["NAV_cm3_g"] == 2.10
    assert values["Has_OMS"] == 0.0


def test_structures_stand_beside_their_row(package: Path) -> None:
    data = load_dataset("core-mof", "PLD")
    assert data.structures.names[3] == "MOF03_clean"
    assert data.structures.formula(3) == "CuO"
    assert data.structures[3].cell[0, 0] == pytest.approx(4.3)
    assert data.values[3, 0] == 3.01


def test_open_metal_sites_are_a_class(package: Path) -> None:
    (target,) = load_dataset("core-mof", "Has_OMS").targets
    assert target.kind == "classification"
    assert target.classes == ("No", "Yes")


def test_overlapping_and_missing_structures_are_named(package: Path) -> None:
    data = load_dataset("core-mof", "PLD")
    assert len(data) == 6
    messages = {f.name: f.message for f in data.failures}
    assert "atoms 0 (Zn) and 1 (O)" in messages["OVERLAP_clean"]
    assert "less than 0.1 Å" in messages["OVERLAP_clean"]
    assert "there is no CIF file of it" in messages["GONE_clean"]


def test_a_limit_draws_the_same_rows_before_and_after_all_were_parsed(package: Path) -> None:
    before = load_dataset("core-mof", "PLD", limit=5, seed=3)
    everything = load_dataset("core-mof", "PLD")
    after = load_dataset("core-mof", "PLD", limit=5, seed=3)
    assert len(before) < len(everything)
    assert before.structures.names == after.structures.names
    assert before.values.tolist() == after.values.tolist()
    assert before.structures.fingerprint() == after.structures.fingerprint()
    assert {f.name for f in before.failures} == {f.name for f in after.failures}


def test_all_structures_are_parsed_only_once(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_dataset("core-mof")

    def fail(*_: object) -> None:
        raise AssertionError("parsed again")

    monkeypatch.setattr(CoreMof, "_parse", fail)
    assert len(load_dataset("core-mof", "PLD", limit=3)) <= 3


def test_both_ways_of_removing_solvent_are_known(package: Path) -> None:
    assert len(load_dataset("core-mof-fsr", "PLD")) == 6
    assert [p.name for p in DATASETS["core-mof-fsr"]().files()] == [
        "2019-FSR.csv",
        "2019-FSR.tar.xz",
    ]


def test_a_missing_package_is_said_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.setattr(sys, "path_importer_cache", {})
    with pytest.raises(MissingDependencyError, match=r'pip install "atomlens\[mof\]"'):
        CoreMof().load()


def test_a_file_that_is_missing_in_the_package_is_named(package: Path) -> None:
    (package / "2019-ASR.tar.xz").unlink()
    with pytest.raises(DatasetError, match=r"lacks its file 2019-ASR\.tar\.xz"):
        load_dataset("core-mof")


def test_a_damaged_archive_is_named(package: Path) -> None:
    path = package / "2019-ASR.tar.xz"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(DatasetError, match=r"2019-ASR\.tar\.xz"):
        load_dataset("core-mof")


def test_a_table_with_words_for_numbers_is_refused(package: Path) -> None:
    path = package / "2019-ASR.csv"
    path.write_text(path.read_text().replace("1.01", "wide"))
    with pytest.raises(DatasetError, match=r"2019-ASR\.csv: this table .* is damaged"):
        load_dataset("core-mof")
