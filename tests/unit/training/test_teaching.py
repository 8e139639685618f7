"""Attention that is taught where it should stand."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import atomlens as al
from atomlens.datasets import Dataset, load_dataset
from atomlens.errors import SettingsError, TrainingError
from atomlens.graphs.padding import Capacity, PaddedCutter
from atomlens.models.base import ModelOutput
from atomlens.neighbors import build_store, make_builder
from atomlens.training.teaching import AttentionTeaching, read_taught

SMALL = {"n_layers": 1, "n_features": 16, "n_heads": 2}


def toy() -> Dataset:
    return load_dataset("toy", limit=60)


def labels(path: Path, data: Dataset, rows: range, atom: int = 0) -> Path:
    """Write that all the attention should stand on one atom."""
    lines = [f"sample,atom,{data.targets[0].name}"]
    for row in rows:
        name, n_atoms = data.structures.names[row], int(data.structures.n_atoms[row])
        lines += [f"{name},{i},{int(i == atom)}" for i in range(n_atoms)]
    path.write_text("\n".join(lines) + "\n")
    return path


def first_shares(predictor: al.Predictor, data: Dataset) -> np.ndarray:
    batch = build_store(data.structures, predictor.builder).store.batch()
    attention = predictor.models[0](batch).node_attention.detach().numpy()
    return attention[data.structures.offsets[:-1]]


@pytest.mark.parametrize(("model", "factor"), [("lens", 2.0), ("scann-plus", 1.3)])
def test_attention_goes_where_it_is_taught(tmp_path: Path, model: str, factor: float) -> None:
    """The norm of SCANN's readout lets attention spread less than that of `lens`."""
    data = toy()
    path = labels(tmp_path / "labels.csv", data, range(60))
    common = {"model": model, "epochs": 6, "batch_size": 8, "learning_rate": 5e-3, "n_threads": 1}
    plain = al.train(data, **common, model_settings=SMALL)
    taught = al.train(
        data, **common, model_settings=SMALL, attention_labels=str(path), attention_weight=3.0
    )
    assert first_shares(taught, data).mean() > factor * first_shares(plain, data).mean()


def test_a_weight_of_zero_changes_no_bit(tmp_path: Path) -> None:
    data = toy()
    path = labels(tmp_path / "labels.csv", data, range(60))
    common = {"model": "lens", "epochs": 1, "n_threads": 1, "model_settings": SMALL}
    plain = al.train(data, **common)
    taught = al.train(data, **common, attention_labels=str(path), attention_weight=0.0)
    for own, other in zip(plain.models[0].parameters(), taught.models[0].parameters(), strict=True):
        assert torch.equal(own, other)


def test_samples_without_weights_teach_nothing(tmp_path: Path) -> None:
    """Of half of the samples nothing is said; the loss is that of the others alone."""
    data = toy()
    store = build_store(data.structures, make_builder("voronoi")).store
    taught = read_taught(labels(tmp_path / "labels.csv", data, range(0, 60, 2)), data)
    teaching = AttentionTeaching(taught, data.structures.names, data.targets, store, 1.0)
    store = store.with_fields(node_rows=torch.arange(len(store.atomic_numbers)))

    def loss(rows: list[int]) -> float:
        batch = store.batch(torch.tensor(rows))
        even = 1 / batch.node_counts.float()
        output = ModelOutput(
            values=torch.zeros(len(rows), 1),
            node_attention=even.repeat_interleave(batch.node_counts),
        )
        return float(teaching(output, batch.node_rows))

    n_atoms = data.structures.n_atoms
    assert loss([1, 3]) == 0
    assert loss([0]) == pytest.approx(np.log(n_atoms[0]), rel=1e-5)  # all on one of n atoms
    assert loss([0, 1, 4]) == pytest.approx(np.log(n_atoms[[0, 4]]).mean(), rel=1e-5)


def test_nodes_that_fill_a_batch_teach_nothing(tmp_path: Path) -> None:
    data = toy()
    store = build_store(data.structures, make_builder("voronoi")).store
    taught = read_taught(labels(tmp_path / "labels.csv", data, range(60)), data)
    teaching = AttentionTeaching(taught, data.structures.names, data.targets, store, 1.0)
    store = store.with_fields(node_rows=torch.arange(len(store.atomic_numbers)))
    counts = store.node_counts.numpy(), store.edge_counts.numpy()
    padded = PaddedCutter(store, Capacity.of(*counts, 2))(torch.tensor([3, 5]))
    plain = store.batch(torch.tensor([3, 5]))
    losses = []
    for batch in (padded, plain):
        even = (1 / batch.node_counts.float()).repeat_interleave(batch.node_counts)
        output = ModelOutput(values=torch.zeros(len(batch.node_counts), 1), node_attention=even)
        losses.append(float(teaching(output, batch.node_rows)))
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sample,atom\ntoy-00000,0\n", "no column is called as a target"),
        ("sample,signal\ntoy-00000,1\n", "'atom'"),
        ("sample,atom,signal\nelsewhere,0,1\n", "none of its samples"),
        ("sample,atom,signal\ntoy-00000,99,1\n", "is none of the"),
        ("sample,atom,signal\ntoy-00000,0.5,1\n", "is none of the"),
        ("sample,atom,signal\ntoy-00000,0,-1\n", "is no weight"),
        ("sample,atom,signal\ntoy-00000,0,inf\n", "is no weight"),
        ("sample,atom,signal\ntoy-00000,0,1\n", "have no weight"),
        ("", "'sample'"),
    ],
)
def test_a_file_that_says_what_cannot_be_is_refused(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "labels.csv"
    path.write_text(text)
    with pytest.raises(TrainingError, match=message):
        read_taught(path, toy())


def test_weights_of_zero_alone_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="all of its weights are 0"):
        read_taught(labels(tmp_path / "labels.csv", toy(), range(1), atom=-1), toy())


def test_what_has_no_attention_cannot_be_taught(tmp_path: Path) -> None:
    path = labels(tmp_path / "labels.csv", toy(), range(60))
    with pytest.raises(SettingsError, match="no attention that could be taught"):
        al.train(toy(), model="cgcnn", epochs=1, attention_labels=str(path))
    with pytest.raises(SettingsError, match="trained in steps"):
        al.train(toy(), model="ridge", epochs=1, attention_labels=str(path))


def test_samples_outside_the_training_part_are_refused(tmp_path: Path) -> None:
    data = toy()
    path = labels(tmp_path / "labels.csv", data, range(59, 60))
    split = {"train": np.arange(50), "validation": np.arange(50, 55), "test": np.arange(55, 60)}
    data = replace(data, splits=split)
    with pytest.raises(TrainingError, match="none of its samples is in the training part"):
        al.train(data, model="lens", epochs=1, split="source", attention_labels=str(path))


def test_a_name_that_several_samples_have_teaches_none_of_them(tmp_path: Path) -> None:
    """C2H6O twice, with as many atoms: the weights of one were those of the other, too."""
    isomers = {"name": ["a", "a", "b"], "smiles": ["CCO", "COC", "C"], "y": [1.0, 2.0, 3.0]}
    path = tmp_path / "labels.csv"
    path.write_text("sample,atom,y\n" + "".join(f"a,{i},{int(i == 0)}\n" for i in range(9)))
    with pytest.warns(UserWarning, match="share their name"):
        data = load_dataset(isomers, target="y")
    with pytest.raises(TrainingError, match="line 2: 2 samples are called 'a'"):
        read_taught(path, data)
    conformers = load_dataset({"smiles": ["CCCCO"], "y": [1.0]}, target="y", conformers=2)
    assert len(conformers) == 2
    names = conformers.structures.names
    text = "".join(f"{n},{i},1\n" for n in dict.fromkeys(names) for i in range(15))
    path.write_text(f"sample,atom,y\n{text}")
    assert len(read_taught(path, conformers).weights) == len(set(names))


def test_samples_that_are_not_there_are_counted(tmp_path: Path) -> None:
    path = labels(tmp_path / "labels.csv", toy(), range(2))
    path.write_text(path.read_text() + "elsewhere,0,1\nelsewhere,1,0\n")
    with pytest.warns(UserWarning, match="1 of its 3 samples are not in 'toy' .* 'elsewhere'"):
        read_taught(path, toy())
