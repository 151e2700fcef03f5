"""A whole split as token ids, and as the table that the Trainer reads."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from adapterkit.config.choices import ERROR
from adapterkit.data.conversation import Conversation, Origin
from adapterkit.data.encode_fast import encode_batches
from adapterkit.data.lengths import fit_row
from adapterkit.data.row_table import RowTable
from adapterkit.data.template import EncodedRow
from adapterkit.data.token_cache import kept_rows
from adapterkit.data.token_rows import labels_counts_of, lengths_of

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class EncodedSplit:
    """The rows of a split, none longer than it may be.

    Attributes:
        rows: as the model sees them.
        truncated: how many of them were shortened.
        dropped: where the rows came from that were left out, because they were too long.
    """

    rows: Sequence[EncodedRow]
    truncated: int = 0
    dropped: Sequence[Origin] = ()


def encode_split(
    conversations: Sequence[Conversation],
    tokenizer: PreTrainedTokenizerBase,
    max_length: int,
    on_long_row: str = ERROR,
) -> Sequence[EncodedRow]:
    """Encode every conversation, and say so where rows were shortened or left out.

    Args:
        conversations: the rows of one split.
        tokenizer: a fast tokenizer with a chat template.
        max_length: the most tokens that a row may have.
        on_long_row: what becomes of a longer one: `error`, `drop` or `truncate_prompt`.

    Returns:
        The rows; many of them stay on the disk and are read when they are looked at.

    Raises:
        DataError: a row cannot be encoded, is too long, or has no token to learn.
    """
    split = fit_split(conversations, tokenizer, max_length, on_long_row)
    count = len(conversations)
    if split.truncated:
        _log.info(
            "data.on_long_row=truncate_prompt: %d of %d rows begin later, to have at most %d tokens",
            split.truncated, count, max_length,
        )  # fmt: skip
    if split.dropped:
        origin = split.dropped[0]
        place = origin.path if origin.line is None else f"{origin.path}, line {origin.line}"
        _log.info(
            "data.on_long_row=drop: %d of %d rows are left out, of more than %d tokens; first %s",
            len(split.dropped), count, max_length, place,
        )  # fmt: skip
    return split.rows


def fit_split(
    conversations: Sequence[Conversation],
    tokenizer: PreTrainedTokenizerBase,
    max_length: int,
    on_long_row: str = ERROR,
) -> EncodedSplit:
    """Encode every conversation, and count what was shortened and left out; as `encode_split`."""
    rows = kept_rows(conversations, tokenizer, lambda: encode_batches(conversations, tokenizer))
    if not len(rows):
        return EncodedSplit(rows)
    odd: list[int] = ((lengths_of(rows) > max_length) | (labels_counts_of(rows) == 0)).nonzero()[0].tolist()
    if not odd:
        return EncodedSplit(rows)
    longest = int(lengths_of(rows).max())
    fitted = {
        place: fit_row(conversations[place], rows[place], tokenizer, max_length, on_long_row, longest) for place in odd
    }
    shortened = {place: found.row for place, found in fitted.items() if found is not None}
    dropped = [place for place in odd if place not in shortened]
    kept = sorted({*range(len(rows))} - {*dropped})
    left = [shortened[place] if place in shortened else rows[place] for place in kept]
    return EncodedSplit(left, len(shortened), [conversations[place].origin for place in dropped])


def as_dataset(rows: Sequence[EncodedRow]) -> RowTable:
    """A table: `input_ids` and `labels`, each `(tokens,)` a row, `length`, its tokens, and `row`, its number from 0.

    Where any row counts more or less than another, there is `weight` besides.
    """
    return RowTable(rows)
