"""Batches without some atoms go to the cores side by side, and the answers stay as they are."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from ase.build import molecule

from atomlens.explain import Question, absence
from atomlens.explain.absence import MEANINGS, Meaning, one_by_one, without
from atomlens.structures.arrays import StructureArrays
from terms_makers import lens_predictor


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("meaning", MEANINGS)
def test_batches_are_asked_side_by_side_and_answer_as_before(
    meaning: Meaning, two_threads: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(absence, "_NODES_AND_EDGES", 60)
    structures = [molecule(name) for name in ("CH3CH2OH", "CH3CHO", "C6H6")]
    question = Question.about(
        lens_predictor(), StructureArrays.from_atoms(structures), device="cpu"
    )
    sets = list(one_by_one(question.structures))
    of = np.concatenate([index for index, _ in sets])
    absent = np.concatenate([flags for _, flags in sets])
    seen: set[int] = set()
    real = absence._ask

    def watched(*given: Any) -> Any:
        seen.add(torch.get_num_threads())
        return real(*given)

    monkeypatch.setattr(absence, "_ask", watched)
    found = without(question, of, absent, meaning)
    assert seen == {1}
    assert torch.get_num_threads() == 2
    torch.set_num_threads(1)
    alone = without(question, of, absent, meaning)
    np.testing.assert_allclose(found.values, alone.values, rtol=1e-6)
    np.testing.assert_allclose(found.by_member, alone.by_member, rtol=1e-6)
