"""Odd content at every boundary: readers, tables, configurations, splits, caches, importers,
model folders. What comes of it is a result or one sentence, in bounded time and memory.

``ATOMLENS_FUZZ_CASES=10`` tries ten times as many cases, ``ATOMLENS_FUZZ_SEED=any`` others.
"""

import argparse
import bz2
import gzip
import json
import lzma
import math
import os
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ase.build import bulk, molecule
from ase.db import connect
from ase.io import write

from atomlens.datasets import Toy, load_dataset, make_split, save_packed
from atomlens.errors import Failure
from atomlens.neighbors import make_builder
from atomlens.predictor import load
from atomlens.structures import read_structures
from clocks import set_ticking
from hostile import altered, answered, as_json, damaged, seeds, undate_database
from reading_cases import PWI, XSF, trajectory

WATER_XYZ = b"3\nwater\nO 0 0 0.1\nH 0 0.76 -0.5\nH 0 -0.76 -0.5\n"
CIF = b"""data_salt
_cell_length_a 5.64(1)
_cell_length_b 5.64(1)
_cell_length_c 5.64(1)
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_symmetry_space_group_name_H-M 'F m -3 m'
_symmetry_Int_Tables_number 225
_chemical_formula_sum 'Na Cl'
_cell_formula_units_Z 4
loop_
_symmetry_equiv_pos_as_xyz
'x, y, z'
'x+1/2, y+1/2, z'
'x+1/2, y, z+1/2'
'x, y+1/2, z+1/2'
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
_atom_site_occupancy
_atom_site_charge
Na1 Na 0.0 0.0 0.0 1.0 0.8
Cl1 Cl 0.5 0.5 0.5 1.0 -0.8
"""
PROTEIN = b"""data_1ABC
loop_
_atom_site.group_PDB
_atom_site.id
_atom_site.type_symbol
_atom_site.label_atom_id
_atom_site.label_alt_id
_atom_site.Cartn_x
_atom_site.Cartn_y
_atom_site.Cartn_z
_atom_site.occupancy
_atom_site.pdbx_PDB_model_num
ATOM 1 N N . 0.0 0.0 0.0 1.0 1
ATOM 2 C "C A" A 1.46 0.0 0.0 0.6 1
ATOM 3 C CA B 1.46 0.1 0.1 0.4 1
HETATM 4 O O . 0.0 0.0 0.0 1.0 2
"""
PDB = b"""HEADER    TEST
CRYST1   10.000   10.000   10.000  90.00  90.00  90.00 P 1           1
ATOM      1  N   MET A   1      11.104   6.134  -6.504  1.00  0.00           N
ATOM      2  CA AMET A   1      11.639   6.071  -5.147  0.50  0.00           C
HETATM    3  O   HOH A   2       8.000   6.000  -5.000  1.00  0.00           O
END
"""
MAGNET = CIF.replace(
    b"loop_\n_symmetry_equiv_pos_as_xyz\n'x, y, z'\n'x+1/2, y+1/2, z'\n",
    b'_space_group_magn.number_BNS 225.117\n_space_group_magn.name_BNS "F m -3 m 1\'"\n'
    b"loop_\n_space_group_symop_magn_operation.xyz\n'x, y, z, +1'\n'x+1/2, y+1/2, z, -1'\n",
)
DISORDERED = CIF.replace(b"0.0 0.0 0.0 1.0 0.8", b"0.0 0.0 0.0 0.7 0.8\nK1 K 0 0 0 0.3 0.8")
MOVED = (
    b"CsCl\n1.0\n4.12 0 0\n0 4.12 0\n0 0 4.12\nCs Cl\n1 1\nDirect configuration=     1\n0 0 0\n"
    b".5 .5 .5\nDirect configuration=     2\n0 0 0\n.52 .5 .5\n"
)
SITE = {"species": [{"element": "Fe", "occu": 1}], "abc": [0, 0, 0], "xyz": [0, 0, 0]}
IRON = {"lattice": {"matrix": [[2.8, 0, 0], [0, 2.8, 0], [0, 0, 2.8]]}, "sites": [SITE]}
ARRAYS = {"numbers": [8, 1, 1], "positions": [[0, 0, 0], [0, 0, 1], [0, 1, 0]]}
OPTIMADE = {
    "data": [
        {
            "id": "x",
            "attributes": {
                "lattice_vectors": [[4, 0, 0], [0, 4, 0], [0, 0, 4]],
                "cartesian_site_positions": [[0, 0, 0]],
                "species_at_sites": ["Po"],
                "species": [{"name": "Po", "chemical_symbols": ["Po"], "concentration": [1.0]}],
            },
        }
    ]
}
JARVIS = [
    {
        "jid": "J-1",
        "atoms": {
            "lattice_mat": [[4, 0, 0], [0, 4, 0], [0, 0, 4]],
            "coords": [[0, 0, 0]],
            "elements": ["Po"],
            "cartesian": False,
        },
    }
]
JSONS: tuple[Any, ...] = (
    IRON,
    [{"material_id": "a", "structure": IRON, "gap": 1.5}],
    {"a": ARRAYS},
    {"1": ARRAYS | {"key_value_pairs": {"name": "w"}}, "ids": [1], "nextid": 2},
    OPTIMADE,
    JARVIS,
    {"index": [0], "columns": ["structure", "y"], "data": [[IRON, 1.0]]},
    {"structure": {"0": IRON, "1": IRON}, "y": {"0": 1.0, "1": 2.0}},
)
TEXTS = (
    "CCO",
    "c1ccc2ccccc2c1",
    "[Na+].[Cl-]",
    "Fe2O3",
    "Li0.5CoO2",
    "(NH4)2[Fe(CN)6].6H2O",
    "smiles:C#N",
    "formula:NaCl",
)
PACKERS = ((".gz", partial(gzip.compress, mtime=0)), (".bz2", bz2.compress), (".xz", lzma.compress))
CONFIG = {
    "training": {"epochs": 3, "batch_size": 8, "learning_rate": 0.001, "split": "random"},
    "model": {"n_layers": 2, "n_features": 16},
    "builder": {"cutoff": 4.0},
    "recipe": {"data": "toy", "target": "toy", "model": "scann-plus", "title": "a recipe"},
    "reduced": {"training": {"epochs": 1}},
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, bytes]]:
    folder = tmp_path_factory.mktemp("good")
    salt = bulk("NaCl", "rocksalt", a=5.64, cubic=True)
    ethanol = molecule("CH3CH2OH")
    ethanol.info.update(name="ethanol", homo=-7.1)
    write(folder / "POSCAR", salt)
    write(folder / "frames.extxyz", [ethanol, salt])
    with connect(folder / "rows.db", use_lock_file=False) as database:
        for atoms in (salt, ethanol):
            database.write(atoms, gap=1.5)
    undate_database(folder / "rows.db")
    made = [(path.name, path.read_bytes()) for path in sorted(folder.iterdir())]
    made += [("salt.cif", CIF)] * 3 + [("water.xyz", WATER_XYZ)] * 2
    from rdkit import Chem
    from rdkit.Chem import rdDistGeom

    mol = Chem.AddHs(Chem.MolFromSmiles("CCO"))
    rdDistGeom.EmbedMolecule(mol, randomSeed=1)
    block = Chem.MolToMolBlock(mol).encode()
    wide = Chem.MolToV3KMolBlock(mol).encode()
    made += [("a.mol", block), ("a.sdf", (block + b"> <homo>\n-7\n\n$$$$\n") * 2)]
    made += [("a.traj", trajectory()), ("a.xsf", XSF.encode()), ("a.pwi", PWI.encode())]
    made += [("v3.mol", wide), ("v3.sdf", (wide + b"$$$$\n") * 2)]
    made += [
        ("a.pdb", PDB),
        ("b.cif", PROTEIN),
        ("a.mcif", MAGNET),
        ("d.cif", DISORDERED),
        ("XDATCAR", MOVED),
    ]
    iron = json.dumps(IRON).encode()
    return [*made, ("lines.json", iron + b"\n" + iron), ("a.json", iron)]


def check_structures(result: Any, case: str) -> None:
    assert result.items, case
    for item in result.items:
        if isinstance(item, Failure):
            assert item.message, case
            assert item.message.isprintable(), (case, item)
            assert item.name.isprintable(), (case, item)
            assert "more memory than" not in item.message, (case, item)
            continue
        assert len(item) > 0, case
        assert np.isfinite(item.positions).all(), case
        name = item.info["name"]
        assert name, case
        assert name.isprintable(), (case, name)
        assert len(name) < 300, case


@pytest.mark.parametrize("bit", ["1.", "1", "1 ", "-", "a", "(", "'"])
def test_a_long_line_is_no_endless_search(bit: str, tmp_path: Path) -> None:
    line = bit * (10_000 // len(bit))
    for name, content in (
        ("POSCAR", f"x\n1.0\n{line}\n{line}\n{line}\n"),
        ("a.xyz", f"2\n{line}\nH 0 0 0\nH 0 0 1\n"),
        ("a.cif", f"data_x\n_cell_length_a {line}\n"),
        ("a.mol", f"{line}\n{line}\n{line}\n{line}\n"),
    ):
        path = tmp_path / name
        path.write_text(content)
        check_structures(answered(lambda p=path: read_structures(p), name), name)


def test_damaged_files_of_structures_give_structures_or_a_sentence(
    files: list[tuple[str, bytes]], tmp_path: Path
) -> None:
    kinds = sorted({name for name, _ in files})
    assert len(kinds) == 19
    for case, rng in seeds("reader", 900):
        name = rng.choice(kinds)
        content = damaged(rng.choice([c for n, c in files if n == name]), rng)
        if name != "rows.db" and rng.random() < 0.15:
            ending, pack = rng.choice(PACKERS)
            name, content = name + ending, pack(content)
            content = damaged(content, rng) if rng.random() < 0.5 else content
        path = tmp_path / name
        path.write_bytes(content)
        how = rng.choice(("refuse", "refuse", "majority", "enumerate"))
        found = answered(lambda p=path, h=how: read_structures(p, disorder=h), (case, name))
        check_structures(found, (case, name))
        path.unlink()


def test_a_file_with_the_content_of_another_kind_gives_structures_or_a_sentence(
    files: list[tuple[str, bytes]], tmp_path: Path
) -> None:
    """A file may be called anything; what is in it decides what is said."""
    names = ("a.cif", "POSCAR", "a.xyz", "a.sdf", "a.mol", "a.db", "a.json", "a.pdb", "a.csv")
    names += ("a.traj", "a.xsf", "a.gen", "a.pwi")
    for name in names:
        for real, content in [*files, ("zeros", bytes(3000)), ("dots", b"." * 3000)]:
            path = tmp_path / name
            path.write_bytes(content)
            check_structures(answered(lambda p=path: read_structures(p), (name, real)), real)


def test_huge_counts_and_cells_in_files_are_answered_in_bounds(tmp_path: Path) -> None:
    """Very many rows, very long lines, very large counts: bounded time, and good ones are read."""
    n = 100_000
    places = [f"Ar {4 * x} {4 * y} {4 * z}" for x, y, z in np.ndindex(50, 50, 40)]
    block = (
        CIF[: CIF.index(b"loop_\n_symmetry")].replace(b"5.64(1)", b"400")
        + CIF[CIF.index(b"loop_\n_atom_site") :].partition(b"_atom_site_occupancy")[0]
    )
    block = block.replace(b"'F m -3 m'", b"'P 1'").replace(b"225", b"1")
    block = block.replace(b"_chemical_formula_sum 'Na Cl'\n_cell_formula_units_Z 4\n", b"")
    cases = {
        "loop.cif": block + b"".join(b"Ar%d Ar 0.1 0.2 0.3\n" % i for i in range(100_000)),
        "unknown.cif": block + b"? ? ? ? ?\n" * 200_000,
        "tags.cif": b"data_x\n" + b"".join(b"_tag_%d 1\n" % i for i in range(200_000)),
        "blocks.cif": b"".join(b"data_%d\n_a 1\n" % i for i in range(20_000)),
        "quotes.cif": CIF + b"'" * 500_000,
        "text.cif": CIF + b"\n;" + b"x" * 500_000,
        "many.xyz": b"%d\n\n" % n + "\n".join(places).encode(),
        "counts.xyz": b"99999999999999999999\n\nC 0 0 0\n",
        "title.xyz": b"1\n" + b"a=1 " * 100_000 + b"\nC 0 0 0\n",
        "frames.xyz": b"1\n\nC 0 0 0\n" * 4000,
        "POSCAR": b"x\n1\n9 0 0\n0 9 0\n0 0 9\nH\n999999999\nDirect\n0 0 0\n",
        "POSCAR2": b"x\n1\n9 0 0\n0 9 0\n0 0 9\n" + b"H " * 50_000 + b"\n" + b"1 " * 50_000,
        "many.sdf": b"x\n\n\n999999 0  0  0  0  0            999 V2000\n$$$$\n" * 1000,
        "deep.json": b"[" * 200_000,
        "wide.json": b"[" + b"0," * 50_000 + b"0]",
        "keys.json": b"{" + b",".join(b'"%d": 0' % i for i in range(200_000)) + b"}",
        "bomb.cif.gz": gzip.compress(bytes(60 << 20), 9),
        "bomb.xyz.bz2": bz2.compress(bytes(60 << 20), 9),
        "bomb.json.xz": lzma.compress(bytes(60 << 20), preset=1),
    }
    for name, content in cases.items():
        path = tmp_path / name
        path.write_bytes(content)
        found = answered(lambda p=path: read_structures(p), name)
        if name in ("many.xyz", "frames.xyz"):
            assert not found.failures, name
            continue
        check_structures(found, name)


def test_folders_links_and_pipes_in_the_place_of_files_are_a_sentence(tmp_path: Path) -> None:
    """Pipes, devices, loops of links, folders called like files, next to a good file."""
    from atomlens.datasets.splits import make_split as split_of
    from atomlens.screening.enz.candidates import read_candidates

    (tmp_path / "good.cif").write_bytes(CIF)
    os.mkfifo(tmp_path / "pipe.cif")
    (tmp_path / "folder.cif").mkdir()
    (tmp_path / "loop.cif").symlink_to("loop.cif")
    (tmp_path / "round").mkdir()
    (tmp_path / "round" / "again").symlink_to("..", target_is_directory=True)
    (tmp_path / "gone.cif").symlink_to("nowhere.cif")
    (tmp_path / "zero.cif").symlink_to("/dev/zero")
    (tmp_path / "empty.xyz").touch()
    found = answered(lambda: read_structures(tmp_path), "folder")
    assert [len(atoms) for atoms in found.structures] == [8]
    assert {f.name for f in found.failures} >= {"pipe.cif", "loop.cif", "gone.cif", "zero.cif"}
    data = Toy(n=3).load()
    for odd in ("pipe", "folder", "loop", "gone", "zero"):
        path = tmp_path / f"{odd}.cif"
        for ending in ("csv", "json", "jsonl", "npz", "xlsx", "parquet", "smi", "yaml", "txt"):
            named = tmp_path / f"{odd}.{ending}"
            named.symlink_to(path)
            told = answered(lambda n=named: load_dataset(n), named)
            assert isinstance(told, str), named
            told = answered(lambda n=named: split_of(str(n), data), named)
            assert isinstance(told, str), named
            if ending == "txt":
                answered(lambda n=named: read_candidates([str(n)]), named)


def test_damaged_json_gives_structures_or_a_sentence(tmp_path: Path) -> None:
    for case, rng in seeds("json", 300):
        content = as_json(altered(rng.choice(JSONS), rng))
        path = tmp_path / "a.json"
        path.write_bytes(content if rng.random() < 0.8 else damaged(content, rng))
        check_structures(answered(lambda path=path: read_structures(path), case), case)


def test_damaged_smiles_and_formulas_give_structures_or_a_sentence() -> None:
    for case, rng in seeds("text", 200):
        text = damaged(rng.choice(TEXTS).encode(), rng).decode("utf-8", errors="replace")
        result = answered(lambda text=text: read_structures([text]), case)
        check_structures(result, case)


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("tables")
    water = molecule("H2O")
    water.info["y"] = 1.5
    write(folder / "a.extxyz", [water, water], format="extxyz")
    save_packed(Toy(n=3).load(), folder / "a.npz")
    rows = [
        {"id": "a", "species": ["O", "H"], "coords": [[0, 0, 0], [0, 0, 1]], "y": 1},
        {"id": "b", "structure": IRON, "targets": {"y": 2.5}},
        {
            "id": "c",
            "species": ["Fe"],
            "frac_coords": [[0, 0, 0]],
            "lattice": [3, 3, 3, 90, 90, 90],
            "y": 3,
        },
        {"id": "d", "formula": "NaCl", "y": 1.5},
    ]
    spectra = [{"formula": f, "energy": [1, 2, 3], "eps": [1.0, 2.0, 3.0]} for f in ("NaCl", "MgO")]
    csv = b"name,smiles,y [eV],split,fold\na,CCO,1.5,train,0\nb,C1CC1,2.5,test,1\nc,O,3,val,0\n"
    return {
        "t.csv": csv,
        "t.tsv": csv.replace(b",", b"\t"),
        "s.csv": b"formula;y;z\nFe2O3;1;a\nLi0.5CoO2;2;b\nNaCl;3;a\nKCl;4;b\n",
        "f.csv": b"file,y\nwater.xyz,1.5\nwater.xyz,2\n",
        "t.csv.gz": gzip.compress(csv, mtime=0),
        "t.jsonl": b"\n".join(json.dumps(row).encode() for row in rows),
        "spectra.jsonl": b"\n".join(json.dumps(row).encode() for row in spectra),
        "a.extxyz": (folder / "a.extxyz").read_bytes(),
        "a.npz": (folder / "a.npz").read_bytes(),
        "id_prop.csv": b"water,1.5\nsalt,2.5\n",
    }


def check_data(data: Any, case: str) -> None:
    if isinstance(data, str):
        return
    assert len(data) > 0, case
    assert data.values.shape == (len(data), sum(t.n_values for t in data.targets)), case
    assert not np.isinf(data.values).any(), case
    for name in data.structures.names:
        assert name.isprintable(), (case, name)
    for failure in data.failures:
        assert failure.message.isprintable(), (case, failure)


def test_damaged_tables_give_rows_or_a_sentence(tables: dict[str, bytes], tmp_path: Path) -> None:
    (tmp_path / "water.xyz").write_bytes(WATER_XYZ)
    (tmp_path / "salt.cif").write_bytes(CIF)
    for case, rng in seeds("table", 500):
        name = rng.choice(list(tables))
        content = tables[name]
        if name.endswith("l") and rng.random() < 0.6:
            rows = [json.loads(line) for line in content.splitlines()]
            content = b"\n".join(as_json(row) for row in as_list(altered(rows, rng)))
        else:
            content = damaged(content, rng)
        path = tmp_path / name
        path.write_bytes(content)
        source = tmp_path if name == "id_prop.csv" else path
        target = rng.choice((None, None, "y"))
        check_data(answered(lambda s=source, t=target: load_dataset(s, t), case), case)
        path.unlink()


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def test_damaged_configurations_give_options_or_a_sentence(tmp_path: Path) -> None:
    import yaml

    from atomlens.cli.train import add_arguments, given_settings, settings_from, take_recipe

    parser = argparse.ArgumentParser()
    add_arguments(parser)
    path = tmp_path / "c.yaml"
    toml = b'[training]\nepochs = 3\nsplit = "random"\n\n[model]\nn_layers = 2\n'

    def read() -> Any:
        options = parser.parse_args(["--config", str(path)])
        config = take_recipe(options)
        return settings_from(options, given_settings(options, config))

    for case, rng in seeds("config", 200):
        path = path.with_suffix(".yaml")
        if rng.random() < 0.6:
            text = yaml.safe_dump(altered(CONFIG, rng), allow_unicode=True)
            path.write_bytes(text.encode("utf-8", errors="replace"))
        elif rng.random() < 0.25:
            path = path.with_suffix(".toml")
            path.write_bytes(toml if rng.random() < 0.2 else damaged(toml, rng))
        else:
            path.write_bytes(damaged(yaml.safe_dump(CONFIG).encode(), rng))
        answered(read, case)


def test_damaged_split_files_give_parts_or_a_sentence(tmp_path: Path) -> None:
    data = Toy(n=6).load()
    names = list(data.structures.names)
    parts = {"train": [names[0], names[2], names[4]], "test": [1], "validation": [names[5]]}
    table = "name,split\n" + "".join(f"{n},{p}\n" for p in ("train", "test") for n in names[:2])
    for case, rng in seeds("split", 250):
        kind = rng.choice(("json", "csv"))
        path = tmp_path / f"split.{kind}"
        good = json.dumps(parts).encode() if kind == "json" else table.encode()
        if kind == "json" and rng.random() < 0.5:
            path.write_bytes(as_json(altered(parts, rng)))
        else:
            path.write_bytes(damaged(good, rng))
        split = answered(lambda path=path: make_split(str(path), data), case)
        if not isinstance(split, str):
            assert len(split.train) > 0, case


def test_damaged_caches_of_graphs_are_built_again(tmp_path: Path) -> None:
    from atomlens.neighbors.cache import cached_store

    structures = Toy(n=4).load().structures
    builder = make_builder("radius", cutoff=3.0)
    whole = cached_store(structures, builder, cache_dir=tmp_path)
    expected = whole.store.distances.numpy().copy()
    (folder,) = [p for p in tmp_path.iterdir() if p.is_dir()]
    good = {p.name: p.read_bytes() for p in folder.iterdir()}
    for case, rng in seeds("cache", 100):
        name = rng.choice(sorted(good))
        if name.endswith(".json") and rng.random() < 0.6:
            (folder / name).write_bytes(as_json(altered(json.loads(good[name]), rng)))
        else:
            (folder / name).write_bytes(damaged(good[name], rng))
        found = answered(lambda: cached_store(structures, builder, cache_dir=tmp_path), case)
        assert np.array_equal(found.store.distances.numpy(), expected), case
        assert np.array_equal(found.kept, whole.kept), case
        for name, content in good.items():
            (folder / name).write_bytes(content)


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from atomlens import train

    folder = tmp_path_factory.mktemp("models") / "ensemble"
    with pytest.MonkeyPatch.context() as patch:
        set_ticking(patch)
        train(
            Toy(n=40).load(),
            model="cgcnn",
            out=folder,
            epochs=1,
            ensemble=2,
            model_settings={"n_features": 8, "n_hidden": 8},
        )
    return folder


def check_prediction(folder: Path, out: Path) -> bool:
    """Load, predict and save; whatever succeeds must be finite and loadable again."""
    model = load(folder)
    prediction = model.predict(["formula:NaCl", "C"], device="cpu")
    for i in np.flatnonzero(prediction.ok):
        assert np.isfinite(prediction.values[i]).all()
    prediction.to_frame()
    records = prediction.to_records()
    json.dumps(records, allow_nan=False)
    model.save(out)
    load(out)
    shutil.rmtree(out)
    return True


def test_damaged_model_folders_load_or_give_a_sentence(model_folder: Path, tmp_path: Path) -> None:
    good = {p.name: p.read_bytes() for p in model_folder.iterdir() if p.is_file()}
    names = [n for n in sorted(good) if n.endswith((".json", ".safetensors", ".csv"))]
    folder = tmp_path / "model"
    folder.mkdir()
    for case, rng in seeds("model", 180):
        for name, content in good.items():
            (folder / name).write_bytes(content)
        name = rng.choice([*names, "settings.json", "settings.json"])
        if name.endswith(".json") and rng.random() < 0.8:
            changed = altered(json.loads(good[name]), rng)
            (folder / name).write_bytes(as_json(changed))
        else:
            (folder / name).write_bytes(damaged(good[name], rng))
        answered(lambda: check_prediction(folder, tmp_path / "again"), (case, name))


def test_weights_that_are_no_numbers_are_refused(model_folder: Path, tmp_path: Path) -> None:
    from safetensors.torch import load as load_tensors
    from safetensors.torch import save as save_tensors

    from atomlens.predictor.folder import checksum_of

    tensors = load_tensors((model_folder / "model.safetensors").read_bytes())
    floats = [name for name, t in tensors.items() if t.is_floating_point()]
    folder = tmp_path / "model"
    shutil.copytree(model_folder, folder)
    settings = json.loads((folder / "settings.json").read_text())
    for case, rng in seeds("weights", 20):
        name = rng.choice(floats)
        changed = {n: t.clone() for n, t in tensors.items()}
        flat = changed[name].view(-1)
        flat[rng.randrange(len(flat))] = rng.choice((math.nan, math.inf, -math.inf))
        content = save_tensors(changed)
        (folder / "model.safetensors").write_bytes(content)
        settings["weights_sha256"] = checksum_of(content)
        (folder / "settings.json").write_text(json.dumps(settings))
        said = answered(lambda: load(folder), case)
        assert isinstance(said, str), case
        assert name in said, (case, said)


def test_damaged_checkpoints_of_cgcnn_load_or_give_a_sentence(tmp_path: Path) -> None:
    from atomlens.checkpoints import import_cgcnn
    from checkpoint_makers import cgcnn_checkpoint

    path = tmp_path / "band-gap.pth.tar"
    torch.save(cgcnn_checkpoint(), path)
    good = path.read_bytes()
    assert import_cgcnn(path).targets
    for case, rng in seeds("cgcnn", 100):
        if rng.random() < 0.5:
            content = cgcnn_checkpoint()
            group = rng.choice(
                (content, content["args"], content["normalizer"], content["state_dict"])
            )
            odd = rng.choice(
                (None, "x", -1, 10**9, math.nan, [], {}, torch.zeros(0), torch.full((3,), math.nan))
            )
            group[rng.choice(sorted(group))] = odd
            torch.save(content, path)
        else:
            path.write_bytes(damaged(good, rng))
        answered(lambda: import_cgcnn(path, tmp_path / "out"), case)
        shutil.rmtree(tmp_path / "out", ignore_errors=True)


def test_damaged_checkpoints_of_scann_load_or_give_a_sentence(tmp_path: Path) -> None:
    pytest.importorskip("h5py")
    from atomlens.checkpoints import import_scann
    from checkpoint_makers import scann_checkpoint

    weights, settings = scann_checkpoint(tmp_path)
    good, said = weights.read_bytes(), json.loads(settings.read_text())
    assert import_scann(weights, settings).targets
    for case, rng in seeds("scann", 150):
        weights.write_bytes(good)
        settings.write_bytes(as_json(said))
        if rng.random() < 0.5:
            weights.write_bytes(damaged(good, rng))
        elif rng.random() < 0.8:
            settings.write_bytes(as_json(altered(said, rng)))
        else:
            settings.write_bytes(damaged(as_json(said), rng))
        answered(lambda: import_scann(weights, settings, tmp_path / "out"), case)
        shutil.rmtree(tmp_path / "out", ignore_errors=True)
