"""Batches of like length: complete, seeded by the epoch, and with little padding."""

import random

import pytest

from adapterkit.training.batching import LengthGroupedSampler

LENGTHS = random.Random(0).choices(range(20, 400), k=90)


def order(lengths: list[int], *, epoch: int = 0, seed: int = 0, batch_size: int = 8) -> list[int]:
    sampler = LengthGroupedSampler(lengths, batch_size, seed=seed)
    sampler.set_epoch(epoch)
    return list(sampler)


def padded(lengths: list[int], indices: list[int], batch_size: int = 8) -> int:
    batches = [indices[start : start + batch_size] for start in range(0, len(indices), batch_size)]
    return sum(max(lengths[i] for i in batch) * len(batch) for batch in batches)


@pytest.mark.parametrize("rows", [1, 5, 8, 9, 16, 90])
def test_every_row_comes_exactly_once_and_the_longest_in_the_first_batch(rows: int) -> None:
    lengths = LENGTHS[:rows]
    indices = order(lengths)
    assert sorted(indices) == list(range(rows))
    # A length may be taken for up to a tenth less than another's of nearly the same.
    assert max(lengths[i] for i in indices[:8]) > 0.9 * max(lengths)


def test_a_batch_holds_rows_of_like_length() -> None:
    assert padded(LENGTHS, order(LENGTHS)) < 1.15 * sum(LENGTHS) < padded(LENGTHS, list(range(90)))


def test_the_order_depends_on_seed_and_epoch_alone() -> None:
    assert order(LENGTHS, epoch=1) == order(LENGTHS, epoch=1)
    assert len({tuple(order(LENGTHS, epoch=epoch, seed=seed)) for epoch in range(3) for seed in range(3)}) == 9


def test_epochs_do_not_repeat_the_same_batches() -> None:
    def batches(epoch: int) -> set[frozenset[int]]:
        indices = order(LENGTHS, epoch=epoch)
        return {frozenset(indices[start : start + 8]) for start in range(0, 90, 8)}

    assert len(batches(0) & batches(1)) < 4
