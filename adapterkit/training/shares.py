"""Which rows of each batch a rank takes, so that all ranks together take the very rows that one process would."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch.utils.data import Sampler

from adapterkit.data.template import IGNORED
from adapterkit.evaluation.loss import RowLoss, row_losses
from adapterkit.ranks import Ranks

Collate = Callable[[list[Any]], dict[str, Any]]


class ShareOfBatches(Sampler[list[int]]):
    """One rank's rows of every batch: each `count`-th, so that long rows and short ones are dealt evenly.

    The last batch of an epoch may have fewer rows than there are ranks; a rank that gets none takes an empty one, since
    all must take as many batches. accelerate repeats rows from the beginning instead, which trains on them twice.

    Args:
        sampler: the rows of an epoch in order, as one process takes them; it may have `set_epoch`.
        batch_size: rows of a batch of all ranks together.
        ranks: whose number and count say which rows are taken.
    """

    def __init__(self, sampler: Sampler[int], batch_size: int, ranks: Ranks) -> None:
        """Take the sampler."""
        # accelerate hands the epoch to what stands under this name.
        self.sampler = sampler
        self.batch_size = batch_size
        self._ranks = ranks

    def __len__(self) -> int:
        """How many batches an epoch has, on every rank."""
        return -(-len(self.sampler) // self.batch_size)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[list[int]]:
        """The indices of this rank's rows, batch after batch."""
        rows = list(self.sampler)
        for start in range(0, len(rows), self.batch_size):
            yield rows[start : start + self.batch_size][self._ranks.number :: self._ranks.count]


def or_empty(collate: Collate) -> Collate:
    """A collation that makes a batch of no rows, too: two tokens without a label, for a pass that has to be made."""

    def collated(rows: list[Any]) -> dict[str, Any]:
        if rows:
            return collate(rows)
        tokens = torch.zeros((1, 2), dtype=torch.int64)
        return {
            "input_ids": tokens,
            "attention_mask": tokens + 1,
            "labels": tokens + IGNORED,
            "rows": torch.empty(0, dtype=torch.int64),
        }

    return collated


def shared_row_losses(
    ranks: Ranks, model: Any, rows: Sequence[Mapping[str, Any]], collate: Collate, *, batch_size: int
) -> list[RowLoss]:
    """As `row_losses`, each rank measuring its share of the rows; every rank gets all.

    Ranks that share one base all measure all rows, since they must make as many forward passes.

    Raises:
        RankStoppedError: another rank failed.
    """
    if ranks.alone or ranks.sharded:
        return row_losses(model, rows, collate, batch_size=batch_size)
    own = [rows[index] for index in range(ranks.number, len(rows), ranks.count)]
    measured = row_losses(model, own, collate, batch_size=-(-batch_size // ranks.count))
    shares = ranks.gather("the losses of rows", measured)
    return [shares[index % ranks.count][index // ranks.count] for index in range(len(rows))]
