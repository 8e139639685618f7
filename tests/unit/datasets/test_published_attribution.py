"""The repository of the published attribution tasks, as its files are: folders and zips."""

import io
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest

from atomlens.datasets import load_dataset
from atomlens.datasets.sources.attribution import read_task
from atomlens.errors import DatasetError

SMILES = ("CCC(=O)CC", "CC(=O)C", "CCCC", "C1CC1", "FC(F)C=O", "CCOC=O")
RATIONALES = (
    np.array([[1, 1, 1, 1, 0, 0], [0, 0, 1, 1, 1, 1], [1, 1, 1, 1, 1, 1]]).T,
    np.zeros((4, 1)),
    np.zeros((4, 1)),
    np.zeros((3, 1)),
    np.zeros((5, 1)),
    np.array([[1, 1, 1, 1, 1]]).T,
)
Y = (1, 0, 0, 0, 0, 1)
TRAIN, TEST = (0, 1, 2), (5, 4, 3)


def graph(nodes: np.ndarray) -> dict[str, object]:
    """Return what the authors' tool keeps of one graph."""
    n = np.int32(len(nodes))
    ends = np.arange(max(len(nodes) - 1, 0), dtype=np.int32)
    return {
        "nodes": nodes.astype(np.float32),
        "edges": None,
        "receivers": ends + 1,
        "senders": ends,
        "globals": (nodes.sum(axis=0) > 0).astype(np.float32),
        "n_node": n,
        "n_edge": np.int32(len(ends)),
    }


def save_pickled(path: Path, graphs: list[list[dict[str, object]]], protocol: int = 3) -> None:
    """Write an array of objects as numpy did in 2020."""
    array = np.empty((len(graphs), len(graphs[0])), dtype=object)
    for i, row in enumerate(graphs):
        array[i, :] = row
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        stream, {"descr": "|O", "fortran_order": False, "shape": array.shape}
    )
    pickle.dump(array, stream, protocol=protocol)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("datadict_list.npy", stream.getvalue())


def write_task(data: Path, name: str, protocol: int = 3) -> Path:
    """Write the folder of one task with all of its files."""
    folder = data / name
    folder.mkdir(parents=True)
    rows = [f"ZINC{i},{s},{1 - y}" for i, (s, y) in enumerate(zip(SMILES, Y, strict=True))]
    (folder / f"{name}_smiles.csv").write_text("\n".join(["mol_id,smiles,label", *rows]) + "\n")
    np.savez(folder / f"{name}_traintest_indices.npz", train_index=TRAIN, test_index=TEST)
    np.savez_compressed(folder / "y_true.npz", y=np.array(Y, dtype=np.float32)[:, None])
    save_pickled(
        folder / "true_raw_attribution_datadicts.npz", [[graph(r)] for r in RATIONALES], protocol
    )
    inputs = [graph(np.eye(14)[: len(r)]) for r in RATIONALES]
    for file in ("x_true.npz", "x_aug.npz"):
        save_pickled(folder / file, [inputs], protocol)
    np.savez(folder / "y_aug.npz", y_aug=np.array(Y)[:, None])
    np.savez(folder / "null_vectors.npz", node=np.zeros(14), edge=np.zeros(5))
    return folder


def write_bias_task(data: Path, smarts: str = "c1ccccc1") -> Path:
    """Write a folder that says in SMARTS what to find, without attributions."""
    folder = data / "dataset_bias" / "ester-benzene"
    folder.mkdir(parents=True)
    smiles = ("CCOC(=O)c1ccccc1", "CCOC(C)=O", "c1ccccc1", "COC(=O)C(c1ccccc1)c1ccccc1", "not it")
    rows = [f"{i},{s},True,False,False,False" for i, s in enumerate(smiles)]
    head = "mol_id,smiles,A&B,A&~B,~A&B,~(A&B)"
    (folder / "ester-benzene_smiles.csv").write_text("\n".join([head, *rows]) + "\n")
    (folder / "ester-benzene_smarts.csv").write_text(
        f"label,role,smarts\nester,A,[#6][CX3](=O)[OX2H0][#6]\nbenzene,B,{smarts}\n"
    )
    np.savez(
        folder / "ester-benzene_traintest_indices.npz", train_index=[0, 1], test_index=[2, 3, 4]
    )
    return folder


def zipped(folder: Path, path: Path, above: str = "") -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, Path(above, file.relative_to(folder)))
    return path


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_a_task_is_read_from_its_folder_whatever_numpy_wrote_it(
    protocol: int, tmp_path: Path
) -> None:
    task = read_task(f"attribution-tasks:{write_task(tmp_path, 'logic8', protocol)}")
    assert task.name == "logic8"
    assert task.smiles == SMILES
    np.testing.assert_array_equal(task.y, Y)  # not the column `label`, which is about another rule
    np.testing.assert_array_equal(task.train, TRAIN)
    np.testing.assert_array_equal(task.test, TEST)
    for own, expected in zip(task.rationales, RATIONALES, strict=True):
        np.testing.assert_array_equal(own, expected)
    data = load_dataset(f"attribution-tasks:{tmp_path / 'logic8'}")
    assert [data.structures.names[i] for i in data.splits["test"]] == [
        "logic8-5",
        "logic8-4",
        "logic8-3",
    ]


def test_a_task_is_read_from_a_zip_of_it_and_of_the_repository(tmp_path: Path) -> None:
    for name in ("logic8", "logic10"):
        write_task(tmp_path / "data", name)
    one = zipped(tmp_path / "data" / "logic8", tmp_path / "mine.zip", "logic8")
    bare = zipped(tmp_path / "data" / "logic8", tmp_path / "bare.zip")
    whole = zipped(tmp_path / "data", tmp_path / "main.zip", "graph-attribution-main/data")
    for given, name in (
        (one, "logic8"),
        (bare, "logic8"),
        (whole / "logic10", "logic10"),
        (whole / "graph-attribution-main" / "data" / "logic8", "logic8"),
    ):
        task = read_task(given)
        assert (task.name, task.smiles) == (name, SMILES)
        np.testing.assert_array_equal(task.rationales[0], RATIONALES[0])
    with pytest.raises(DatasetError, match=r"main\.zip: it holds the tasks .*logic10, .*logic8"):
        read_task(whole)
    with pytest.raises(DatasetError, match=r"no task logic9 in it, but .*logic10, .*logic8\."):
        read_task(whole / "logic9")


def test_a_folder_above_tasks_names_them(tmp_path: Path) -> None:
    write_task(tmp_path / "data", "logic8")
    write_bias_task(tmp_path / "data")
    with pytest.raises(DatasetError, match=r"tasks dataset_bias/ester-benzene, logic8; name one"):
        read_task(tmp_path / "data")


def test_motifs_in_smarts_give_answers_and_every_union_of_places(tmp_path: Path) -> None:
    task = read_task(write_bias_task(tmp_path))
    np.testing.assert_array_equal(task.y, [1, 0, 0, 1, 0])
    assert [r.shape for r in task.rationales] == [(11, 1), (6, 1), (6, 1), (17, 3), (0, 1)]
    ester = np.array([1, 1, 1, 1, 1] + [0] * 12)
    rings = np.array([0] * 5 + [1] * 6 + [0] * 6), np.array([0] * 11 + [1] * 6)
    found = {tuple(column) for column in task.rationales[3].T.astype(int).tolist()}
    unions = (rings[0], rings[1], rings[0] + rings[1])
    assert found == {tuple((ester + own).clip(max=1).tolist()) for own in unions}
    assert not task.rationales[1].any()


def test_motifs_that_are_no_smarts_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"ester-benzene_smarts\.csv has no SMARTS"):
        read_task(write_bias_task(tmp_path, "c1ccccc"))


def test_files_without_attributions_of_atoms_are_told_apart(tmp_path: Path) -> None:
    labelled = tmp_path / "all_16_logics_train_and_test"
    labelled.mkdir()
    for part in ("train", "test"):
        (labelled / f"logic_3_{part}.csv").write_text("smiles,label\nCCO,1\nCC,0\n")
    packed = zipped(tmp_path, tmp_path.parent / "all_16_logics_train_and_test.zip")
    for given in (labelled, packed):
        with pytest.raises(DatasetError, match=r"logic_3_train\.csv.*no attributions of atoms"):
            read_task(given)
    graphs = tmp_path / "bashapes"
    graphs.mkdir()
    (graphs / "bashapes_nxgraph.pkl").write_bytes(b"")
    with pytest.raises(DatasetError, match="nodes of a made graph, which has no atoms"):
        read_task(graphs)


@pytest.mark.parametrize(
    "missing",
    ["logic8_traintest_indices.npz", "y_true.npz", "true_raw_attribution_datadicts.npz"],
)
def test_a_missing_file_is_named(missing: str, tmp_path: Path) -> None:
    folder = write_task(tmp_path, "logic8")
    (folder / missing).unlink()
    with pytest.raises(DatasetError, match=f"there is no {missing}"):
        read_task(folder)


def test_a_molecule_in_both_parts_and_a_table_without_smiles_are_refused(tmp_path: Path) -> None:
    folder = write_task(tmp_path, "logic8")
    np.savez(folder / "logic8_traintest_indices.npz", train_index=[0, 1, 5], test_index=[5, 4])
    with pytest.raises(DatasetError, match=r"1 test molecule is in the training part.*row 5"):
        read_task(folder)
    (folder / "logic8_smiles.csv").write_text("mol_id,molecule\nZINC1,CCO\n")
    with pytest.raises(DatasetError, match=r"logic8_smiles\.csv has no column smiles"):
        read_task(folder)


def test_a_zip_that_leads_out_of_its_folder_writes_nothing(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as archive:
        archive.writestr("../logic8_smiles.csv", "smiles\nC\n")
    with pytest.raises(DatasetError, match="would lie outside"):
        read_task(tmp_path / "evil.zip")
    (tmp_path / "broken.zip").write_bytes(b"PK no zip")
    with pytest.raises(DatasetError, match=r"broken\.zip: it cannot be read"):
        read_task(tmp_path / "broken.zip")
