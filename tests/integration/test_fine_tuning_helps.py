"""What fine-tuning is for: where there are few samples, it is better than to begin anew."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from atomlens.datasets import load_dataset
from atomlens.predictor import Predictor
from atomlens.training import train

SMALL: dict[str, Any] = {"n_layers": 2, "n_features": 32, "n_heads": 4, "n_embedding": 8}


def error_on_test_part(predictor: Predictor) -> float:
    (figures,) = predictor.metrics["test"]["targets"].values()
    return float(figures["mae"])


@pytest.mark.slow
def test_a_related_set_is_learned_better_than_from_scratch_in_as_many_epochs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Thirty molecules with another scale and zero; measured: about half of the error."""
    monkeypatch.setattr("atomlens.training.pipeline.draw", lambda *_: True)
    toy = load_dataset("toy", limit=330)
    many, few = toy.subset(np.arange(250)), toy.subset(np.arange(250, 330))
    few = replace(few, values=3 + 2 * few.values)
    common: dict[str, Any] = {"batch_size": 16, "n_threads": 1}
    shape: dict[str, Any] = {"model": "scann-plus", "model_settings": SMALL}
    pretrained = train(many, epochs=8, learning_rate=3e-3, **shape, **common)
    short = {"epochs": 4, "learning_rate": 1e-3, "split": "random:30/20/30", **common}
    tuned = train(few, start_from=pretrained, **short)
    scratch = train(few, **shape, **short)
    assert error_on_test_part(tuned) < 0.8 * error_on_test_part(scratch)
