"""A pattern of shapes that was accepted once lets no other through."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from beartype import beartype
from jaxtyping import Float, Int
from torch import Tensor

from shapes import by_pattern

LONG = 40


def checked(function):
    return by_pattern(function, beartype)


@checked
def chosen(
    rows: Float[Tensor, "n m"], index: Int[Tensor, " k"], like: object = None
) -> Float[Tensor, "k m"]:
    return rows[index] if like is None else like


@checked
def spread(values: Float[Tensor, "n 3"], n: int) -> Float[Tensor, " {n}"]:
    return values.new_zeros(n if n < LONG else n + 1)


@checked
def joined(parts: list[Float[Tensor, " n"]] | tuple[Float[Tensor, " n"], ...]) -> list[int] | None:
    return [len(p) for p in parts] if len(parts) != 2 else None


def test_other_sizes_of_one_pattern_pass() -> None:
    for n, m, k in ((4, 2, 3), (5, 2, 3), (7, 4, 6), (3, 3, 3)):
        assert chosen(torch.ones(n, m), torch.zeros(k, dtype=torch.long)).shape == (k, m)


def test_what_does_not_fit_is_found_after_what_fits() -> None:
    rows, index = torch.ones(4, 2), torch.zeros(3, dtype=torch.long)
    for _ in range(2):
        chosen(rows, index)
        for wrong in (rows[0], rows.long(), rows.numpy(), None):
            with pytest.raises(TypeError):
                chosen(wrong, index)
        with pytest.raises(TypeError):
            chosen(rows, index.float())
        for wrong in (torch.ones(4, 2), torch.ones(3, 3), torch.ones(3, 2, 1), rows[0], None, 2):
            with pytest.raises(TypeError):
                chosen(rows, index, like=wrong) if wrong is not None else chosen(rows[:, 0], index)
        assert chosen(rows, index, like=torch.ones(3, 2)).shape == (3, 2)


def test_sizes_that_annotations_name_are_themselves() -> None:
    assert spread(torch.ones(5, 3), 8).shape == (8,)
    with pytest.raises(TypeError):
        spread(torch.ones(5, 4), 8)
    with pytest.raises(TypeError):
        spread(torch.ones(5, 3), LONG)
    assert spread(torch.ones(2, 3), 9).shape == (9,)


def test_members_of_lists_are_looked_at() -> None:
    assert joined([torch.ones(2), torch.ones(2), torch.ones(2)]) == [2, 2, 2]
    assert joined((torch.ones(3), torch.ones(3))) is None
    with pytest.raises(TypeError):
        joined([torch.ones(2), torch.ones(2).long(), torch.ones(2), torch.ones(2)][1:2])
    assert len(joined([torch.ones(2)] * 20)) == 20


def test_threads_do_not_take_the_answers_of_others() -> None:
    def ask(k: int) -> bool:
        index = torch.zeros(k, dtype=torch.long)
        return all(len(chosen(torch.ones(k, 2), index)) == k for _ in range(200))

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(ask, range(2, 10)))
