"""The data sets of the public deposits, read from small archives of the same form."""

import io
import json
import zipfile

import numpy as np
import pytest

import small_deposits as small
from atomlens.datasets import (
    DATASETS,
    FullereneMd,
    Mp2018,
    PtGrapheneMd,
    Qm9,
    Qm9Figshare,
    SmFe12Cd,
    load_dataset,
)
from atomlens.datasets.sampling import split_in_order
from atomlens.errors import DatasetError, SettingsError
from small_deposits import put, tar_of, zip_of


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setenv("ATOMLENS_CACHE", str(folder))
    return folder


def archive(folder, name, content):
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(content)
    return folder


def test_bare_numbers_in_a_title_are_homo_lumo_and_total_energy(tmp_path):
    data = FullereneMd(folder=put("fullerene-md", tmp_path / "d")).load()
    assert len(data) == 36
    assert data.structures.names[:2] == ("C6-0000", "C6-0001")
    assert data[1].targets == {"homo": -5.49, "lumo": -4.01, "total_energy": -6219.0}
    assert [f.name for f in data.failures] == ["C6_opt"]
    assert "'X X X'" in data.failures[0].message


def test_a_tar_and_a_zip_give_the_same_data(tmp_path):
    members = small.fullerene_members()
    backwards = dict(reversed(members.items()))
    one = FullereneMd(folder=archive(tmp_path / "a", "fullerene.zip", zip_of(members))).load()
    two = FullereneMd(folder=archive(tmp_path / "b", "Fullerene.tar.gz", tar_of(backwards))).load()
    assert one.structures.names == two.structures.names
    assert one.structures.fingerprint() == two.structures.fingerprint()
    assert np.array_equal(one.values, two.values)


def test_unpacked_files_stand_for_the_archive(tmp_path):
    folder = put("fullerene-md", tmp_path / "d")
    whole = FullereneMd(folder=folder).load()
    with zipfile.ZipFile(folder / "fullerene.zip") as packed:
        packed.extractall(tmp_path / "unpacked")
    loose = FullereneMd(folder=tmp_path / "unpacked").load()
    assert loose.structures.fingerprint() == whole.structures.fingerprint()
    assert loose.structures.names == whole.structures.names


def test_keys_in_a_title_are_found_whatever_their_case_and_unit(tmp_path):
    title = 'HOMO_eV=1.0 E_LUMO=2.0 "Total Energy [eV]"=-3.0'
    text = small.xyz(["C", "C"], np.array([[0, 0, 0], [0, 0, 1.4]]), title)
    folder = archive(tmp_path / "d", "fullerenes.zip", zip_of({"x/a.xyz": text}))
    (sample,) = FullereneMd(folder=folder).load()
    assert sample.targets == {"homo": 1.0, "lumo": 2.0, "total_energy": -3.0}


def test_a_target_that_no_title_gives_is_said_with_what_is_there(tmp_path):
    text = small.xyz(["C", "C"], np.array([[0, 0, 0], [0, 0, 1.4]]), "homo=1 lomo=2 energy=3")
    folder = archive(tmp_path / "d", "fullerene.zip", zip_of({"x/a.xyz": text}))
    with pytest.raises(DatasetError, match=r"does not give lumo \(as .*keys homo, lomo, energy\."):
        FullereneMd(folder=folder).load(["homo"])


def test_a_value_that_one_title_lacks_is_unknown(tmp_path):
    carbon = np.array([[0, 0, 0], [0, 0, 1.4]])
    members = {
        "x/a.xyz": small.xyz(["C", "C"], carbon, "homo=1 lumo=2 energy=3"),
        "x/b.xyz": small.xyz(["C", "C"], carbon, "homo=1 energy=3"),
    }
    folder = archive(tmp_path / "d", "fullerene.zip", zip_of(members))
    assert np.isnan(FullereneMd(folder=folder).load().values).sum() == 1
    data = FullereneMd(folder=folder).load(["lumo"])
    assert data.structures.names == ("a",)
    assert data.without_value == ("b",)
    assert data.failures == ()


def test_the_energy_on_graphene_is_relative_to_the_reference(tmp_path):
    data = load_dataset("pt-graphene-md", folder=put("pt-graphene-md", tmp_path / "d"))
    assert data[0].targets == {"relative_energy": 2.5}
    assert data[1].targets == {"relative_energy": 2.75}
    assert data.structures.formula(0) == "PtC6"


def test_alloys_have_their_lattice_and_their_formation_energy(tmp_path):
    data = SmFe12Cd(folder=put("smfe12-cd", tmp_path / "d")).load()
    assert data.structures.names[0] == "single/Mo_0"
    assert data[0].targets == {"formation_energy": -0.05}
    assert data.structures.pbc.all()
    assert np.diagonal(data.structures.cells[0]).tolist() == [7.8, 7.8, 5.2]


@pytest.mark.parametrize("said", ["-0.25", 'what_it_costs="-0.25"', "Formation_energy=-0.25"])
def test_a_lattice_and_one_number_need_no_known_key(tmp_path, said):
    lattice = 'Lattice="3 0 0 0 3 0 0 0 3" Properties=species:S:1:pos:R:3 '
    text = small.xyz(["Fe"], np.zeros((1, 3)), lattice + said)
    folder = archive(tmp_path / "d", "SmFe12-CD.zip", zip_of({"x/a.xyz": text}))
    assert SmFe12Cd(folder=folder).load()[0].targets == {"formation_energy": -0.25}


def test_an_alloy_without_a_lattice_is_a_failure(tmp_path):
    members = small.smfe12_members() | {"smfe12/a/b.xyz": "1\ne_f=1\nFe 0 0 0\n"}
    folder = archive(tmp_path / "d", "smfe12.zip", zip_of(members))
    data = SmFe12Cd(folder=folder).load()
    assert len(data) == 36
    assert [f.message for f in data.failures] == ["a/b: the title gives no lattice."]


def test_a_damaged_member_is_counted_and_the_rest_goes_on(tmp_path):
    folder = put("smfe12-cd", tmp_path / "d")
    path = folder / "smfe12.zip"
    with zipfile.ZipFile(path) as packed:
        info = packed.getinfo("smfe12/single/Zn_3.xyz")
    content = bytearray(path.read_bytes())
    start = info.header_offset + 30 + len(info.filename) + 20
    content[start : start + 20] = bytes(20)
    path.write_bytes(content)
    data = SmFe12Cd(folder=folder).load()
    assert len(data) == 35
    assert [f.name for f in data.failures] == ["single/Zn_3"]
    assert "damaged" in data.failures[0].message


def test_a_frame_that_is_cut_off_is_counted(tmp_path):
    members = small.fullerene_members()
    members["fullerene/C8.xyz"] = members["fullerene/C8.xyz"][:-40]
    data = FullereneMd(folder=archive(tmp_path / "d", "fullerene.zip", zip_of(members))).load()
    assert len(data) == 35
    assert any("cut off" in f.message for f in data.failures)


@pytest.mark.parametrize("name", ["../C6.xyz", "/C6.xyz", "a/../../C6.xyz", "C:\\C6.xyz"])
@pytest.mark.parametrize("pack", [zip_of, tar_of])
def test_an_archive_that_reaches_outside_of_itself_is_refused(tmp_path, name, pack):
    members = small.fullerene_members() | {name: "1\n1 2 3\nC 0 0 0\n"}
    suffix = "zip" if pack is zip_of else "tar.gz"
    folder = archive(tmp_path / "d", f"fullerene.{suffix}", pack(members))
    with pytest.raises(DatasetError, match="leads outside of the archive"):
        FullereneMd(folder=folder).load()


def test_a_link_in_an_archive_is_refused(tmp_path):
    import tarfile

    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as packed:
        link = tarfile.TarInfo("x/a.xyz")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        packed.addfile(link)
    folder = archive(tmp_path / "d", "fullerene.tar.gz", stream.getvalue())
    with pytest.raises(DatasetError, match="is a link"):
        FullereneMd(folder=folder).load()


@pytest.mark.parametrize("name", small.DEPOSITED)
def test_an_archive_that_is_cut_off_is_named(tmp_path, name):
    folder = put(name, tmp_path / "d")
    path = sorted(folder.iterdir())[0]
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DatasetError, match=rf"{path.name}.*get a complete copy"):
        load_dataset(name, folder=folder)


@pytest.mark.parametrize("name", small.DEPOSITED)
def test_without_the_files_the_command_is_named(name):
    with pytest.raises(DatasetError, match=f"Run: atomlens datasets fetch {name} "):
        load_dataset(name)


def test_two_files_that_could_be_meant_are_named(tmp_path):
    folder = put("fullerene-md", tmp_path / "d")
    (folder / "fullerene-2.zip").write_bytes(b"")
    with pytest.raises(DatasetError, match=r"fullerene-2\.zip and fullerene\.zip could both"):
        FullereneMd(folder=folder).load()


@pytest.mark.parametrize("name", small.DEPOSITED)
def test_files_are_parsed_once(tmp_path, monkeypatch, name):
    folder = put(name, tmp_path / "d")
    first = load_dataset(name, folder=folder)
    monkeypatch.setattr(DATASETS[name], "parse", lambda *_: pytest.fail("parsed again"))
    again = load_dataset(name, folder=folder)
    assert again.structures.fingerprint() == first.structures.fingerprint()
    assert np.array_equal(again.values, first.values)
    assert again.failures == first.failures


def test_other_files_are_parsed_again(tmp_path):
    folder = put("pt-graphene-md", tmp_path / "d")
    assert len(PtGrapheneMd(folder=folder).load()) == 36
    members = dict(list(small.pt_graphene_members().items())[:1])
    archive(folder, "pt_graphene.zip", zip_of(members))
    assert len(PtGrapheneMd(folder=folder).load()) == small.N_FRAMES


def test_the_cache_may_be_damaged_or_impossible(tmp_path, cache, monkeypatch):
    folder = put("pt-graphene-md", tmp_path / "d")
    PtGrapheneMd(folder=folder).load()
    (kept,) = (cache / "pt-graphene-md").iterdir()
    kept.write_bytes(b"damaged")
    assert len(PtGrapheneMd(folder=folder).load()) == 36
    monkeypatch.setenv("ATOMLENS_CACHE", str(kept))
    assert len(PtGrapheneMd(folder=folder).load()) == 36


def test_both_deposits_of_qm9_hold_the_same(tmp_path, monkeypatch):
    """The csv files of qm9pack and the XYZ files of the authors, from one set of numbers."""
    from test_qm9_files import HEADER, line

    generator = np.random.default_rng(5)
    rows, members = [HEADER], {}
    for number, symbols in enumerate(("CHHHH", "NHHH", "OCF", "CO"), start=21):
        positions = generator.normal(scale=2.0, size=(len(symbols), 3)).round(6)
        values = generator.normal(size=15).round(5).tolist()
        rows.append(line(number, symbols, positions, values))
        text = small.qm9_file(number, symbols, positions.tolist(), values)
        members[f"dsgdb9nsd_{number:06d}.xyz"] = text
    package = tmp_path / "site" / "qm9pack"
    (package / "data").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    for part in (1, 2, 3):
        chosen = [rows[0], *(rows[1:] if part == 1 else rows[1:1])]
        (package / "data" / f"qm9_part{part}.csv").write_text("\n".join(chosen) + "\n")
    monkeypatch.syspath_prepend(str(package.parent))
    monkeypatch.setattr("atomlens.datasets.sources.qm9._FILES", ("qm9_part1.csv",))
    folder = archive(tmp_path / "d", "dsgdb9nsd.xyz.tar.bz2", tar_of(members, "bz2"))
    (folder / "uncharacterized.txt").write_text(small.UNCHARACTERIZED)
    ours, theirs = Qm9().load(), Qm9Figshare(folder=folder).load()
    assert theirs.targets == ours.targets
    assert theirs.structures.names == ours.structures.names
    assert theirs.structures.fingerprint() == ours.structures.fingerprint()
    assert np.array_equal(theirs.values, ours.values)


def test_uncharacterized_molecules_are_left_out_and_the_rest_is_in_order(tmp_path):
    data = Qm9Figshare(folder=put("qm9-figshare", tmp_path / "d")).load()
    numbers = [int(name[-6:]) for name in data.structures.names]
    assert numbers == list(range(3, 3 * small.N_FRAMES + 3))
    assert data.failures == ()


def test_powers_of_ten_are_those_of_the_deposit(tmp_path):
    data = Qm9Figshare(folder=put("qm9-figshare", tmp_path / "d")).load()
    assert "*^-" in small.qm9_file(1, "O", [[1.2e-6, 0.0, 0.0]], [0.0] * 15)
    members = {"dsgdb9nsd_000009.xyz": small.qm9_file(9, "O", [[1.2e-6, 0.0, 0.0]], [0.0] * 15)}
    archive(tmp_path / "d", "dsgdb9nsd.xyz.tar.bz2", tar_of(members, "bz2"))
    again = Qm9Figshare(folder=tmp_path / "d").load()
    assert again.structures.positions[0, 0] == 1.2e-6
    assert len(data) > len(again) == 1


def test_a_damaged_molecule_is_counted(tmp_path):
    folder = put("qm9-figshare", tmp_path / "d")
    members = small.qm9_members()
    members["dsgdb9nsd_000007.xyz"] = members["dsgdb9nsd_000007.xyz"].replace("H", "Xx", 1)
    members["dsgdb9nsd_000008.xyz"] = "5\ngdb 8\t1.0\n"
    archive(folder, "dsgdb9nsd.xyz.tar.bz2", tar_of(members, "bz2"))
    data = Qm9Figshare(folder=folder).load()
    assert [f.name for f in data.failures] == ["dsgdb9nsd_000008.xyz", "dsgdb9nsd_000007.xyz"]
    assert len(data) == 3 * small.N_FRAMES - 2


def test_crystals_come_with_both_values_and_their_identity(tmp_path):
    data = Mp2018(folder=put("mp-2018", tmp_path / "d")).load()
    assert data.structures.names[:2] == ("mp-0", "mp-1")
    assert data[1].targets == {"formation_energy": -1.4, "band_gap": 3.1}
    assert data.structures[1].atomic_numbers.tolist() == [11, 17]
    assert data.structures.cells[1] == pytest.approx(4.02 * np.eye(3))
    assert [t.nonnegative for t in data.targets] == [False, True]


def test_lone_atoms_can_be_left_out(tmp_path):
    folder = put("mp-2018", tmp_path / "d")
    data = load_dataset("mp-2018", "band_gap", folder=folder, drop_single_atom=True)
    assert len(data) == 2 * small.N_FRAMES
    assert data.structures.n_atoms.min() == 2


def test_a_list_is_read_across_the_borders_of_its_pieces(tmp_path, monkeypatch):
    whole = Mp2018(folder=put("mp-2018", tmp_path / "d")).load()
    text = json.dumps(small.mp_entries(), indent=1).replace("Na", "N\u0061")
    monkeypatch.setattr("atomlens.datasets.sources.mp2018._CHUNK", 61)
    pieces = Mp2018(folder=archive(tmp_path / "e", "mp.2018.6.1.json", text.encode())).load()
    assert pieces.structures.fingerprint() == whole.structures.fingerprint()


def test_a_crystal_without_a_value_or_with_a_bad_cif_is_counted(tmp_path):
    entries = small.mp_entries()
    del entries[0]["band_gap"]
    entries[1]["structure"] = "data_x\n"
    entries[2]["formation_energy_per_atom"] = "much"
    content = json.dumps(entries).encode()
    data = Mp2018(folder=archive(tmp_path / "d", "mp.2018.6.1.json", content)).load()
    assert [f.name for f in data.failures] == ["mp-0", "mp-1", "mp-2"]
    assert "it has no band_gap; it has the keys material_id, structure" in data.failures[0].message
    assert len(data) == 33


@pytest.mark.parametrize("text", ["", "{}", "[1]", '[{"a": 1}', '[{"a": }]'])
def test_json_of_another_kind_is_said(tmp_path, text):
    folder = archive(tmp_path / "d", "mp.2018.6.1.json", text.encode())
    with pytest.raises(DatasetError, match=r"mp\.2018\.6\.1\.json"):
        Mp2018(folder=folder).load()


def test_the_published_split_has_its_sizes_with_and_without_lone_atoms():
    source = Mp2018()
    for n, n_validation in ((69_239, 5_000), (69_106, 4_867)):
        split = source.own_split(n)
        sizes = {part: len(rows) for part, rows in split.items()}
        assert sizes == {"train": 60_000, "test": 4_239, "validation": n_validation}
        assert np.array_equal(np.sort(np.concatenate(list(split.values()))), np.arange(n))


def test_both_sources_of_qm9_are_split_alike():
    ours = split_in_order(130_831, 110_000, 10_000, 3)
    theirs = Qm9Figshare(seed=3).own_split(130_831)
    assert all(np.array_equal(ours[part], theirs[part]) for part in ours)


def test_files_of_one_name_in_two_folders_are_told_apart(tmp_path):
    text = "2\n1 2 3\nC 0 0 0\nC 0 0 1.4\n"
    for folder in ("one", "two"):
        archive(tmp_path / folder, "C60.xyz", text.encode())
    assert FullereneMd(folder=tmp_path).load().structures.names == ("C60", "C60-2")


def test_an_option_that_does_not_exist_offers_the_nearest():
    with pytest.raises(SettingsError, match="drop_single_atom"):
        load_dataset("mp-2018", drop_single_atoms=True)
