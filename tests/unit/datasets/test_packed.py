import subprocess
import sys
import zipfile

import numpy as np
import pytest

from atomlens.datasets import Dataset, Toy, load_packed, save_packed
from atomlens.errors import DatasetError, Failure, SettingsError
from atomlens.structures.arrays import StructureArrays
from atomlens.targets import Target


def rich_dataset() -> Dataset:
    toy = Toy(kind="crystals", n=4).load()
    values = np.concatenate([toy.values, [[0.0], [np.nan], [1.0], [2.0]]], axis=1)
    return Dataset(
        name="rich",
        structures=toy.structures,
        targets=(
            *toy.targets,
            Target(name="kind", kind="classification", classes=("a", "b", "ü")),
        ),
        values=values,
        splits={"train": np.array([2, 0]), "test": np.array([3])},
        node_labels=toy.node_labels,
        failures=(Failure(name="bad", message="bad: too bad."),),
    )


def assert_same(a: StructureArrays, b: StructureArrays) -> None:
    assert a.fingerprint() == b.fingerprint()
    assert a.names == b.names


@pytest.mark.parametrize("compressed", [True, False])
def test_a_data_set_comes_back_whole_from_a_packed_file(tmp_path, compressed):
    data = rich_dataset()
    again = load_packed(save_packed(data, tmp_path / "d.atomlens.npz", compressed=compressed))
    assert_same(again.structures, data.structures)
    assert again.name == data.name
    assert again.targets == data.targets
    assert np.array_equal(again.values, data.values, equal_nan=True)
    assert again.failures == data.failures
    assert {k: v.tolist() for k, v in again.splits.items()} == {"train": [2, 0], "test": [3]}
    for mine, own in zip(again.node_labels, data.node_labels, strict=True):
        assert np.array_equal(mine, own)


def test_the_same_data_give_the_same_bytes(tmp_path):
    a = save_packed(rich_dataset(), tmp_path / "a.npz").read_bytes()
    assert a == save_packed(rich_dataset(), tmp_path / "b.npz").read_bytes()


def test_molecules_are_stored_in_single_precision(tmp_path):
    data = Toy(n=5).load()
    again = load_packed(save_packed(data, tmp_path / "a.npz"))
    assert np.array_equal(again.structures.positions, data.structures.positions.astype(np.float32))
    exact = load_packed(save_packed(data, tmp_path / "b.npz", precision="float64"))
    assert_same(exact.structures, data.structures)


def test_rounding_moves_no_atom_by_more_than_half_the_resolution(tmp_path):
    data = Toy(n=40).load()
    plain = save_packed(data, tmp_path / "a.npz")
    rounded = save_packed(data, tmp_path / "b.npz", resolution=1e-3)
    moved = np.abs(load_packed(rounded).structures.positions - data.structures.positions)
    assert 0 < moved.max() <= 0.5e-3
    assert rounded.stat().st_size < 0.8 * plain.stat().st_size


def test_a_resolution_of_zero_is_an_error(tmp_path):
    with pytest.raises(SettingsError, match="above 0"):
        save_packed(Toy(n=1).load(), tmp_path / "a.npz", resolution=0.0)


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = save_packed(Toy(n=2).load(), tmp_path / "a.npz")
    before = path.read_bytes()

    def broken(stream, **arrays):
        stream.write(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(np, "savez_compressed", broken)
    with pytest.raises(DatasetError, match="disk full"):
        save_packed(Toy(n=3).load(), path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.npz"]


def rewritten(path, **changes):
    with np.load(path) as archive:
        arrays = {name: archive[name] for name in archive.files}
    arrays.update(changes)
    np.savez(path, **{k: v for k, v in arrays.items() if v is not None})


@pytest.mark.parametrize(
    "changes",
    [
        {"header": None},
        {"header": np.frombuffer(b"{}", dtype=np.uint8)},
        {"header": np.frombuffer(b"[1", dtype=np.uint8)},
        {"positions": np.zeros((3, 3))},
        {"offsets": np.array([0, 5, 3, 9, 12])},
        {"values": np.zeros((4, 7))},
        {"atomic_numbers": np.zeros(400, dtype=np.uint8)},
        {"split_train": np.array([99])},
        {"node_labels": np.zeros(2)},
        {"values": np.array([["x"] * 2] * 4)},
        {"name_offsets": np.array([0, 1])},
    ],
)
def test_arrays_that_do_not_fit_are_an_error(tmp_path, changes):
    path = save_packed(rich_dataset(), tmp_path / "d.npz")
    rewritten(path, **changes)
    with pytest.raises(DatasetError, match="undamaged") as caught:
        load_packed(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("keep", [0, 10, 500, -30])
def test_a_truncated_file_is_an_error(tmp_path, keep):
    path = save_packed(rich_dataset(), tmp_path / "d.npz")
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DatasetError, match="undamaged"):
        load_packed(path)


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(DatasetError, match="no such file"):
        load_packed(tmp_path / "none.npz")


class Trap:
    def __reduce__(self):
        return print, ("unpickled",)


def test_nothing_is_ever_unpickled(tmp_path, capsys):
    path = save_packed(rich_dataset(), tmp_path / "d.npz")
    rewritten(path, values=np.array([Trap()], dtype=object))
    with pytest.raises(DatasetError, match="undamaged"):
        load_packed(path)
    assert "unpickled" not in capsys.readouterr().out


def test_a_bit_error_is_found(tmp_path):
    path = save_packed(rich_dataset(), tmp_path / "d.npz")
    with zipfile.ZipFile(path) as archive:
        start = archive.getinfo("positions.npy").header_offset
    content = bytearray(path.read_bytes())
    content[start + 400] ^= 1
    path.write_bytes(content)
    with pytest.raises(DatasetError, match="undamaged"):
        load_packed(path)


def test_packed_files_load_without_chemistry_packages(tmp_path):
    path = save_packed(rich_dataset(), tmp_path / "d.npz")
    code = (
        "import sys\n"
        "for name in 'ase pymatgen rdkit pandas jsonargparse matplotlib h5py'.split():\n"
        "    sys.modules[name] = None\n"
        "from atomlens.datasets import load_dataset, make_split\n"
        f"data = load_dataset({str(path)!r}, 'signal')\n"
        "make_split('random:2/1/1', data)\n"
        "print(len(data))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "4"
