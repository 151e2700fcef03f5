"""Look at a training's data before it: one row as the model sees it, or all of them in numbers. No weight is loaded."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from adapterkit.base.load import load_tokenizer
from adapterkit.base.locate import locate_base
from adapterkit.config.checks import check_values
from adapterkit.config.choices import ERROR
from adapterkit.config.schema import TrainConfig
from adapterkit.data.conversation import Conversation, Origin
from adapterkit.data.encode import fit_split
from adapterkit.data.lengths import fit_row
from adapterkit.data.readers import read_splits
from adapterkit.data.splits import SPLITS, Splits
from adapterkit.data.statistics import SplitStatistics, statistics_of
from adapterkit.data.template import encode
from adapterkit.data.view import SeenToken, view
from adapterkit.errors import UnknownNameError, UsageError
from adapterkit.names import nearest
from adapterkit.texts import counted

WHOLE, TRUNCATED, DROPPED = "whole", "truncated", "dropped"


@dataclass(frozen=True)
class InspectedRow:
    """One row as the model sees it.

    Attributes:
        split: train, validation or test.
        number: of the row in its split as it is read, from 1.
        rows: of the split, as it is read.
        origin: where it came from.
        tokens: what the model sees; of a row that is left out, what it would see.
        state: `whole`, `truncated`, or `dropped`.
        length: tokens that it had before it was shortened.
    """

    split: str
    number: int
    rows: int
    origin: Origin
    tokens: Sequence[SeenToken]
    state: str
    length: int

    @property
    def label_tokens(self) -> int:
        """How many tokens the loss counts."""
        return sum(token.label is not None for token in self.tokens)


def inspect_row(config: TrainConfig, split: str = "train", number: int = 1) -> InspectedRow:
    """Read a training's data, and look at one row of it.

    Args:
        config: the whole of the training.
        split: train, validation or test.
        number: of the row, from 1.

    Raises:
        UnknownNameError: there is no such split.
        UsageError: the split has no such row.
        DataError: the data is unusable, or the row is, and the training would refuse it.
        BaseLoadError: the base, or its tokenizer, is not to be had.
    """
    if split not in SPLITS:
        raise UnknownNameError("split", split, nearest(split, SPLITS), hint=f"The splits are {', '.join(SPLITS)}.")
    splits, tokenizer = _read(config)
    rows: Sequence[Conversation] = getattr(splits, split)
    if not 1 <= number <= len(rows):
        told = f"it has {counted(len(rows), 'row')}, counted from 1" if rows else "it has no rows"
        raise UsageError(f"There is no row {number} in the {split} split of {splits.source}: {told}.")
    (row,) = islice(rows, number - 1, number)
    encoded = encode(row, tokenizer)
    fitted = fit_row(row, encoded, tokenizer, config.data.max_length, config.data.on_long_row)
    state = DROPPED if fitted is None else TRUNCATED if fitted.truncated else WHOLE
    tokens = view(row if fitted is None else fitted.conversation, tokenizer)
    return InspectedRow(split, number, len(rows), row.origin, tokens, state, encoded.length)


def data_statistics(config: TrainConfig) -> tuple[str, list[SplitStatistics]]:
    """Read a training's data, encode it, and count.

    Where a row that is too long is an error, it is counted all the same, as it is and as too long.

    Args:
        config: the whole of the training.

    Returns:
        Where the rows came from, and the numbers of every split that has any.

    Raises:
        DataError: the data, or a row, is unusable.
        BaseLoadError: the base, or its tokenizer, is not to be had.
    """
    splits, tokenizer = _read(config)
    data = config.data
    most = sys.maxsize if data.on_long_row == ERROR else data.max_length
    found = []
    for name in SPLITS:
        if len(rows := getattr(splits, name)):
            split = fit_split(rows, tokenizer, most, data.on_long_row)
            counts = {"truncated": split.truncated, "dropped": len(split.dropped), "max_length": data.max_length}
            found.append(statistics_of(name, split.rows, **counts))
    return splits.source, found


def _read(config: TrainConfig) -> tuple[Splits, Any]:
    check_values(config)
    model = config.model
    folder = locate_base(model.id, revision=model.revision, install=model.install)
    return read_splits(config.data, config.persona), load_tokenizer(model.id, folder)
