"""From a data set to a model folder, with every kind of target, loss and model."""

import json
import os
import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from atomlens.datasets import Dataset, load_dataset, save_packed
from atomlens.errors import DatasetError, SettingsError, TrainingError
from atomlens.predictor import Predictor, load
from atomlens.targets import Target
from atomlens.training import TrainingProgress, TrainingState, TrainSettings, train

SMALL: dict[str, Any] = {
    "epochs": 2,
    "batch_size": 16,
    "learning_rate": 3e-3,
    "model_settings": {"n_layers": 1, "n_features": 16, "n_heads": 2, "n_embedding": 8},
}
TOY = load_dataset("toy", limit=60)


def with_targets(values: np.ndarray, *targets: Target) -> Dataset:
    return replace(TOY, targets=targets, values=values)


def n_oxygen() -> np.ndarray:
    return TOY.structures.element_counts()[:, 8]


class Listener(TrainingProgress):
    def __init__(self) -> None:
        self.epochs: list[TrainingState] = []
        self.messages: list[str] = []

    def message(self, text: str) -> None:
        self.messages.append(text)

    def warning(self, text: str) -> None:
        self.messages.append(text)

    def epoch(self, state: TrainingState) -> None:
        self.epochs.append(state)


def test_a_run_leaves_the_files_of_the_contract(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "run"
    trained = train(TOY, out=out, **SMALL)
    assert {f.name for f in out.iterdir()} == {
        "settings.json",
        "model.safetensors",
        "metrics.json",
        "split.json",
        "samples.safetensors",
        "history.csv",
        "README.md",
        "parity.png",
        "learning_curve.png",
    }
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["test"]["targets"]["signal"]["n"] == 6
    assert metrics == trained.metrics
    split = json.loads((out / "split.json").read_text())
    names = [name for part in split.values() for name in part]
    assert sorted(names) == sorted(TOY.structures.names)
    assert len((out / "history.csv").read_text().splitlines()) == 3
    card = (out / "README.md").read_text()
    for word in ("signal", "eV", "48 train", "MAE", "do not mean", "not what would change"):
        assert word in card


def test_the_reported_test_error_is_the_one_of_the_saved_model(tmp_path: Path) -> None:
    trained = train(TOY, out=tmp_path / "run", **SMALL)
    again = load(tmp_path / "run")
    names = set(again.record.split["test"])
    rows = [i for i, name in enumerate(TOY.structures.names) if name in names]
    found = again.evaluate(TOY.subset(rows))["signal"]
    assert found.mae == pytest.approx(  # type: ignore[union-attr]
        trained.metrics["test"]["targets"]["signal"]["mae"], rel=1e-5
    )


def test_the_same_seed_gives_the_same_bits_and_another_one_does_not() -> None:
    first, second, other = (train(TOY, **SMALL, seed=s) for s in (1, 1, 2))
    weights = [m.models[0].state_dict()["head.weight"] for m in (first, second, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_training_leaves_the_random_numbers_of_the_caller_alone() -> None:
    torch.manual_seed(5)
    np.random.seed(5)  # noqa: NPY002
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # type: ignore[index] # noqa: NPY002
    train(TOY, **SMALL)
    assert torch.equal(before[0], torch.get_rng_state())
    assert np.array_equal(before[1], np.random.get_state()[1])  # type: ignore[index] # noqa: NPY002


@pytest.mark.filterwarnings("ignore:warmup_epochs=8 is as long as the training")
def test_the_best_epoch_is_kept_not_the_last() -> None:
    """A rate that grows to absurd size spoils the model; the kept one was measured before."""
    growing = {"epochs": 8, "schedule": "constant", "warmup_epochs": 8.0, "learning_rate": 3.0}
    trained = train(TOY, **{**SMALL, **growing})
    measured = [row["validation_mae_signal"] for row in trained.record.history]
    kept = trained.metrics["validation"]["targets"]["signal"]["mae"]
    assert kept == pytest.approx(min(measured), rel=1e-5)
    assert min(measured) < measured[-1]


def test_a_small_set_can_be_learned_by_heart() -> None:
    few = TOY.subset(range(8))
    sizes = {**SMALL["model_settings"], "dropout": 0.0, "attention_dropout": 0.0}
    changes = {
        "epochs": 200,
        "loss": "mse",
        "learning_rate": 1e-2,
        "model_settings": sizes,
        "split": "random:8/0/0",
    }
    trained = train(few, **{**SMALL, **changes})
    found = trained.evaluate(few)["signal"]
    assert found.mae < 0.1 * found.mad  # type: ignore[union-attr]
    assert trained.std_source == "none"


@pytest.mark.parametrize("loss", ["mse", "rmse", "huber", "robust-l1", "gaussian"])
def test_every_loss_trains_and_tells_its_error(loss: str) -> None:
    trained = train(TOY, **SMALL, loss=loss)
    prediction = trained.predict(TOY.structures.subset([0, 1]))
    expected = "heteroscedastic" if loss in ("robust-l1", "gaussian") else "validation"
    assert prediction.std_source == expected
    assert (prediction.std > 0).all()
    varies = np.ptp(prediction.std) > 0
    assert varies == (expected == "heteroscedastic")


@pytest.mark.parametrize("precision", ["bf16-mixed"])
def test_mixed_precision_trains(precision: str) -> None:
    trained = train(TOY, **SMALL, precision=precision)
    assert trained.models[0].state_dict()["head.weight"].dtype == torch.float32
    assert np.isfinite(trained.metrics["test"]["targets"]["signal"]["mae"])


@pytest.mark.filterwarnings("ignore:Every value of size in the training part")
@pytest.mark.filterwarnings("ignore:No sample of the test part is of class no of oxide")
def test_several_targets_with_unknown_values_and_classes(tmp_path: Path) -> None:
    values = np.stack([TOY.values[:, 0], TOY.structures.n_atoms * 2.0, n_oxygen() > 0], axis=1)
    values[::3, 0] = np.nan
    values[::5, 2] = np.nan
    data = with_targets(
        values,
        Target(name="signal", unit="eV"),
        Target(name="size", unit="eV", extensive=True),
        Target(name="oxide", kind="classification", classes=("no", "yes")),
    )
    names = ["signal", "size", "oxide"]
    trained = train(data, target=names, out=tmp_path / "run", **{**SMALL, "ensemble": 2})
    prediction = load(tmp_path / "run").predict(data.structures)
    assert prediction.values.shape == (60, 3)
    assert np.corrcoef(prediction.values[:, 1], values[:, 1])[0, 1] > 0.99
    shares = prediction.probabilities[2]
    assert shares is not None
    assert np.allclose(shares.sum(axis=1), 1)
    assert set(trained.metrics["test"]["targets"]) == set(names)
    assert (tmp_path / "run" / "parity_signal.png").exists()


def test_a_property_that_cannot_be_negative_never_is() -> None:
    data = with_targets(
        np.maximum(TOY.values + 8.5, 0), Target(name="gap", unit="eV", nonnegative=True)
    )
    trained = train(data, **{**SMALL, "split": "random:.6/.2/.2"})  # enough for intervals
    prediction = trained.predict(data.structures)
    assert (prediction.values >= 0).all()
    told = np.isfinite(prediction.interval_low)  # not where a structure is too unlike the others
    assert told.mean() > 0.9
    assert (prediction.interval_low[told] >= 0).all()
    assert trained.config.lower_bounds == (0.0,)


def test_crystals_get_the_longer_reach_of_the_papers() -> None:
    crystals = load_dataset("toy", limit=12, kind="crystals")
    trained = train(crystals, **{**SMALL, "epochs": 1, "split": "random:8/2/2"})
    assert trained.config.cutoff == 6.0
    short = train(
        crystals,
        **{**SMALL, "epochs": 1, "split": "random:8/2/2", "builder_settings": {"cutoff": 5.0}},
    )
    assert short.config.cutoff == 5.0


@pytest.mark.parametrize("model", ["mean", "ridge"])
def test_the_baselines_are_fitted_at_once(tmp_path: Path, model: str) -> None:
    count = with_targets(n_oxygen()[:, None], Target(name="oxygen"))
    changes = {"ensemble": 3, "model_settings": {}}
    train(count, model=model, out=tmp_path / "run", **{**SMALL, **changes})
    baseline = load(tmp_path / "run")
    assert len(baseline.models) == 1
    found = baseline.evaluate(count)["oxygen"]
    rows = [i for i, n in enumerate(count.structures.names) if n in baseline.record.split["train"]]
    if model == "ridge":
        assert found.mae < 0.01  # type: ignore[union-attr]
    else:
        values = baseline.predict(count.structures).values
        assert values == pytest.approx(np.full((60, 1), n_oxygen()[rows].mean()), abs=1e-5)


def test_the_ensemble_tells_its_spread_and_is_better_than_its_members() -> None:
    trained = train(TOY, **{**SMALL, "epochs": 6, "ensemble": 3})
    prediction = trained.predict(TOY.structures)
    assert prediction.std_source == "ensemble"
    assert np.ptp(prediction.std) > 0
    explained = trained.explain(TOY.structures.subset([0]))
    assert explained.scores_std is not None
    assert explained.scores_std.max() > 0
    mean_error = trained.evaluate(TOY)["signal"].mae  # type: ignore[union-attr]
    alone = [replace(trained, models=(m,)).evaluate(TOY)["signal"].mae for m in trained.models]  # type: ignore[union-attr]
    assert mean_error <= np.mean(alone) * (1 + 1e-9)


def test_progress_hears_every_epoch_and_counts_to_the_end() -> None:
    listener = Listener()
    train(TOY, **{**SMALL, "ensemble": 2}, progress=listener)
    assert [(s.member, s.epoch) for s in listener.epochs] == [(0, 1), (0, 2), (1, 1), (1, 2)]
    last = listener.epochs[-1]
    assert last.n_done == last.n_total == 12
    assert last.seconds_left == pytest.approx(0)
    assert set(last.validation) == {"signal"}
    assert listener.epochs[0].is_best


def test_patience_ends_the_training_early() -> None:
    trained = train(TOY, **{**SMALL, "epochs": 60, "patience": 1, "learning_rate": 0.05})
    assert len(trained.record.history) < 60
    assert "had not become better" in trained.record.ended


def test_structures_without_a_graph_are_counted_and_named(tmp_path: Path) -> None:
    broken = replace(TOY.structures, is_formula=np.arange(60) < 2)
    listener = Listener()
    trained = train(
        replace(TOY, structures=broken), out=tmp_path / "run", progress=listener, **SMALL
    )
    assert [f.name for f in trained.record.failures] == ["toy-00000", "toy-00001"]
    assert trained.metrics["n_failed"] == 2
    assert len(load(tmp_path / "run").record.failures) == 2
    assert "2 of 60" in listener.messages[0]


def test_samples_in_a_list_are_a_data_set() -> None:
    trained = train(list(TOY.subset(range(30))), **SMALL)
    assert trained.targets[0].name == "signal"
    assert len(trained.record.split["train"]) == 24


def test_what_cannot_be_trained_is_said_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("x")
    with pytest.raises(TrainingError, match="not empty"):
        train("no such data", out=tmp_path)
    with pytest.raises(SettingsError, match="Did you mean 'scann-plus'"):
        train(TOY, model="scan-plus")
    with pytest.raises(SettingsError, match="Did you mean 'epochs'"):
        train(TOY, epoch=3)
    with pytest.raises(DatasetError, match="target"):
        train(TOY, target="homo")
    with pytest.raises(DatasetError, match="empty"):
        train([])
    two = with_targets(np.zeros((60, 2)), Target(name="a"), Target(name="b"))
    with pytest.raises(DatasetError, match="a, b"):
        train(two)
    with pytest.raises(TrainingError, match="resume needs"):
        train(TOY, resume=True)


def test_the_settings_used_are_written_down(tmp_path: Path) -> None:
    settings = TrainSettings(**{**SMALL, "seed": 3})
    train(TOY, out=tmp_path / "run", settings=settings, epochs=1)
    used = json.loads((tmp_path / "run" / "settings.json").read_text())["training"]["settings"]
    assert (used["epochs"], used["seed"], used["batch_size"]) == (1, 3, 16)
    assert used["builder"] == "voronoi"


NO_BETTER = "signal: no better than predicting the mean"
"""What is said of a network that was trained for a moment."""


def test_lightning_says_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", NO_BETTER, UserWarning)
        train(TOY, **SMALL)
    assert capfd.readouterr() == ("", "")


TWO_DEVICES = f"""
import sys
import warnings
from atomlens.datasets import load_dataset
from atomlens.training import train
if __name__ == "__main__":
    warnings.filterwarnings("ignore", {NO_BETTER!r}, UserWarning)
    train(load_dataset("toy", limit=60), out=sys.argv[1], devices=2, **eval(sys.argv[2]))
"""


@pytest.mark.slow
def test_two_devices_learn_what_one_learns(tmp_path: Path) -> None:
    """Without dropout, twice 8 samples give the gradient of 16."""
    sizes = {**SMALL["model_settings"], "dropout": 0.0, "attention_dropout": 0.0}
    settings = {**SMALL, "model_settings": sizes, "accelerator": "cpu", "n_threads": 1}
    one = train(TOY, **settings)
    script = tmp_path / "two_devices.py"
    script.write_text(TWO_DEVICES)
    shared = repr({**settings, "batch_size": 8})
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path / "run"), shared],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == done.stderr == ""
    two = load(tmp_path / "run")
    for first, second in zip(one.record.history, two.record.history, strict=True):
        assert second["train_loss"] == pytest.approx(first["train_loss"], rel=1e-3)
        assert second["validation_loss"] == pytest.approx(first["validation_loss"], rel=1e-3)


@pytest.mark.slow
def test_the_command_trains_on_two_devices(tmp_path: Path) -> None:
    rows = [f"{'C' * n}{end},{3 * n % 8}.5" for n in range(1, 9) for end in ("O", "N", "F")]
    (tmp_path / "t.csv").write_text("\n".join(["smiles,y", *rows]) + "\n")
    sizes = [f"model.{name}={value}" for name, value in SMALL["model_settings"].items()]
    options = [x for size in [*sizes, "accelerator=cpu"] for x in ("--set", size)]
    command = ["train", "t.csv", "--target", "y", "--devices", "2", "--epochs", "1", "--quiet"]
    done = subprocess.run(
        [sys.executable, "-m", "atomlens", *command, "--out", "m", "--batch-size", "4", *options],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert load(tmp_path / "m").record.settings["devices"] == 2


BARE = """
import sys
from importlib.machinery import PathFinder
import lightning_fabric  # looks for these packages itself, and does without
ABSENT = {"ase", "pymatgen", "rdkit", "jsonargparse", "pandas", "matplotlib", "h5py", "sklearn"}
for name in [n for n in sys.modules if n.partition(".")[0] in ABSENT]:
    del sys.modules[name]
class Without(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        absent = name.partition(".")[0] in ABSENT
        return None if absent else super().find_spec(name, path, target)
sys.meta_path = [Without if finder is PathFinder else finder for finder in sys.meta_path]
from atomlens.training import train, TrainingProgress
from atomlens.datasets import load_packed
from atomlens.predictor import load
class Listener(TrainingProgress):
    def message(self, text): print(text)
packed, out, settings = sys.argv[1:]
train(packed, target="signal", out=out, progress=Listener(), **eval(settings))
prediction = load(out).predict(load_packed(packed).structures)
print(prediction.to_records()[0]["signal"])
assert not ABSENT & set(sys.modules)
"""


def test_a_bare_machine_trains_from_a_packed_file(tmp_path: Path) -> None:
    packed = save_packed(TOY, tmp_path / "toy.atomlens.npz")
    done = subprocess.run(
        [sys.executable, "-c", BARE, str(packed), str(tmp_path / "run"), repr(SMALL)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    message, value = done.stdout.splitlines()
    assert "matplotlib is not installed" in message
    expected = load(tmp_path / "run").predict(TOY.structures.subset([0])).values[0, 0]
    assert float(value) == pytest.approx(expected, rel=1e-5)
    assert isinstance(Predictor.load(tmp_path / "run"), Predictor)


@pytest.mark.parametrize("extensive", [False, True])
def test_the_model_mean_is_as_good_as_always_saying_the_mean(extensive: bool) -> None:
    data = load_dataset("toy", limit=40)
    target = replace(data.targets[0], extensive=extensive)
    values = data.values + np.arange(40.0)[:, None]
    trained = train(replace(data, targets=(target,), values=values), model="mean")
    for part in ("validation", "test"):
        assert trained.metrics[part]["targets"][target.name]["mad_mae"] == pytest.approx(
            1, rel=1e-4
        )
