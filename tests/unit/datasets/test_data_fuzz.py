"""Damaged data: load_dataset gives samples or one of our sentences, never a traceback."""

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk, molecule
from ase.io import write

from atomlens.datasets import Toy, load_dataset, make_split, save_packed
from atomlens.errors import AtomlensError

N_ROUNDS = 25
SNIPPETS = [
    b"",
    b"\n",
    b",",
    b'"',
    b"\x00",
    b"\xff",
    b"nan",
    b"inf",
    b"1e999",
    b"{",
    b"[",
    b"\\",
    b"NaN",
]


def originals(folder: Path) -> dict[str, bytes]:
    water = molecule("H2O")
    water.info["y"] = 1.5
    write(folder / "a.extxyz", [water, water], format="extxyz")
    save_packed(Toy(n=3).load(), folder / "a.npz")
    row = {
        "id": "a",
        "species": ["O", "H"],
        "coords": [[0, 0, 0], [0, 0, 1]],
        "properties": {"y": 1},
    }
    return {
        "t.csv": b"name,smiles,y [eV],split\na,CCO,1.5,train\nb,C1CC1,2.5,test\nc,O,x,val\n",
        "f.csv": b"formula,y,z\nFe2O3,1,a\nLi0.5CoO2,2,b\nNaCl,3,a\nKCl,4,b\n",
        "t.jsonl": json.dumps(row).encode() + b"\n" + b'{"smiles": "C", "y": 2}\n',
        "a.extxyz": (folder / "a.extxyz").read_bytes(),
        "a.npz": (folder / "a.npz").read_bytes(),
        "id_prop.csv": b"s,1.5\nt,2.5\n",
    }


def sentence_or(call, *arguments):
    """Return what the call returns, or the sentence of our error."""
    try:
        return call(*arguments)
    except AtomlensError as problem:
        return str(problem)


def damaged(content: bytes, generator: np.random.Generator) -> bytes:
    for _ in range(int(generator.integers(1, 4))):
        place = int(generator.integers(len(content) + 1))
        end = place + int(generator.integers(0, 12))
        snippet = SNIPPETS[int(generator.integers(len(SNIPPETS)))]
        content = content[:place] + snippet + content[end:]
    return content


@pytest.mark.parametrize("seed", range(N_ROUNDS))
def test_damaged_data_give_samples_or_a_sentence(tmp_path, seed):
    generator = np.random.default_rng(seed)
    write(tmp_path / "s.cif", bulk("NaCl", "rocksalt", a=5.6))
    for name, content in originals(tmp_path).items():
        (tmp_path / name).write_bytes(damaged(content, generator))
        source = tmp_path if name == "id_prop.csv" else tmp_path / name
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            data = sentence_or(load_dataset, source)
        if isinstance(data, str):
            assert "\n" not in data
            continue
        assert len(data) > 0
        assert data.values.shape == (len(data), len(data.targets))
        assert not np.isinf(data.values).any()
        (tmp_path / name).unlink()


@pytest.mark.parametrize("seed", range(N_ROUNDS))
def test_damaged_splits_give_parts_or_a_sentence(tmp_path, seed):
    generator = np.random.default_rng(seed)
    data = Toy(n=4).load()
    names = data.structures.names
    parts = {"train": [names[0], names[2]], "test": [1], "validation": []}
    path = tmp_path / "split.json"
    path.write_bytes(damaged(json.dumps(parts).encode(), generator))
    split = sentence_or(make_split, str(path), data)
    if isinstance(split, str):
        assert "split" in split
    else:
        assert len(split.train) > 0
