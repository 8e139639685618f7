"""Reading with bounds: only regular files, no bombs, no lies, one sentence."""

import gzip
import io
import json
import os
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest

from atomlens.boundary import (
    check_finite,
    net,
    parse_json,
    parse_yaml,
    read_arrays,
    read_bytes,
    read_text,
)
from atomlens.errors import DatasetError, ModelError


def test_pipes_devices_and_folders_are_no_files(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    (tmp_path / "zero").symlink_to("/dev/zero")
    for path in (fifo, tmp_path / "zero", tmp_path):
        with pytest.raises(OSError, match=r"pipe or device|folder"):
            read_bytes(path)


def test_a_file_beyond_the_bound_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "sparse"
    with path.open("wb") as stream:
        stream.truncate(1 << 40)
    with pytest.raises(OSError, match="larger than"):
        read_bytes(path)


def test_packed_text_is_unpacked_up_to_the_bound(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(b"0" * 5_000_000))
    assert len(read_text(path)) == 5_000_000
    with pytest.raises(OSError, match="larger than"):
        read_text(path, most=1_000_000)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 300_000, "{", ""])
def test_odd_json_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_json(text)


def test_whole_numbers_beyond_64_bits_are_floating() -> None:
    assert parse_json("[1, 9223372036854775807]")[0] == 1
    assert parse_json("1" + "0" * 30) == 1e30
    assert parse_json("9" * 5000) == float("inf")
    with pytest.raises(ValueError, match=r"a\.b\[1\] is inf"):
        check_finite(parse_json('{"a": {"b": [1, 1e999]}}'))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: &x [1]\nb: *x", "aliases"),
        ("[" * 3000, "nested"),
        ("a:\n" + "".join(" " * i + "a:\n" for i in range(1, 400)), "nested"),
        ("a: 1\na: 2", "twice"),
        ("a: !!python/object/apply:os.system [ls]", "constructor"),
        ("a: " + "9" * 5000, "digits"),
    ],
)
def test_odd_yaml_is_a_value_error(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_yaml(text)


def test_numbers_of_yaml_are_decimal() -> None:
    assert parse_yaml("a: 010\nb: 80:10:10\nc: 12\nd: -1.5\ne: 1.e+3") == {
        "a": "010",
        "b": "80:10:10",
        "c": 12,
        "d": -1.5,
        "e": 1000.0,
    }


def test_dates_of_yaml_are_text() -> None:
    assert parse_yaml("a: 2024-01-01") == {"a": "2024-01-01"}


def test_an_array_that_announces_more_than_it_holds_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "lie.npz"
    stream = io.BytesIO()
    header = {"descr": "<f8", "fortran_order": False, "shape": (10**12,)}
    np.lib.format.write_array_header_1_0(stream, header)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.npy", stream.getvalue())
    with pytest.raises(ValueError, match="announces 8000000000000 bytes"):
        read_arrays(path)


def test_arrays_come_back_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    arrays = {
        "a": np.arange(6.0).reshape(2, 3),
        "b": np.asfortranarray(np.eye(3)),
        "c": np.array(5),
    }
    np.savez_compressed(path, **arrays)  # type: ignore[arg-type]
    found = read_arrays(path)
    assert all(np.array_equal(found[name], array) for name, array in arrays.items())


def test_pickled_arrays_are_never_read(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, a=np.array([{}], dtype=object))
    with pytest.raises(ValueError, match="Python objects"):
        read_arrays(path)


def test_the_net_makes_one_sentence_and_lets_ours_through() -> None:
    sentence = r"^x: it cannot be read \('k' is missing\); do this\.$"
    with pytest.raises(DatasetError, match=sentence), net(DatasetError, "x", "do this"):
        raise KeyError("k")
    with pytest.raises(ModelError, match="ours"), net(DatasetError, "x", "do this"):
        raise ModelError("ours")
    with pytest.raises(KeyboardInterrupt), net(DatasetError, "x", "do this"):
        raise KeyboardInterrupt


def test_a_fifo_with_a_writer_does_not_hang_a_model_folder(tmp_path: Path) -> None:
    from atomlens.predictor import load

    (tmp_path / "m").mkdir()
    os.mkfifo(tmp_path / "m" / "settings.json")
    answer: list[str] = []

    def run() -> None:
        try:
            load(tmp_path / "m")
        except ModelError as problem:
            answer.append(str(problem))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(300)
    assert answer


def test_json_of_a_model_is_written_readable(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"a": [1, 2.5, None]}))
    assert parse_json(read_text(path)) == {"a": [1, 2.5, None]}


@pytest.mark.parametrize(
    ("problem", "words"),
    [
        (
            OSError("Unable to open file (no signature)"),
            r"\(unable to open file \(no signature\)\)",
        ),
        (OSError(2, "No such file", "a.h5"), r"\(no such file\)"),
    ],
)
def test_what_a_package_says_as_the_system_is_said_in_its_words(
    problem: OSError, words: str
) -> None:
    with pytest.raises(DatasetError, match=words), net(DatasetError, "a.h5", "give another"):
        raise problem
