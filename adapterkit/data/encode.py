"""A whole split as token ids, and as the table that the Trainer reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from adapterkit.data.conversation import Conversation
from adapterkit.data.encode_fast import encode_batches
from adapterkit.data.row_table import RowTable
from adapterkit.data.template import EncodedRow
from adapterkit.data.token_cache import kept_rows
from adapterkit.data.token_rows import labels_counts_of, lengths_of

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def encode_split(
    conversations: Sequence[Conversation], tokenizer: PreTrainedTokenizerBase, max_length: int
) -> Sequence[EncodedRow]:
    """Encode every conversation; nothing is ever cut.

    Args:
        conversations: the rows of one split.
        tokenizer: a fast tokenizer with a chat template.
        max_length: the most tokens that a row may have.

    Returns:
        The rows; many of them stay on the disk and are read when they are looked at.

    Raises:
        DataError: a row cannot be encoded, is longer than `max_length`, or has no token to learn.
    """
    rows = kept_rows(conversations, tokenizer, lambda: encode_batches(conversations, tokenizer))
    if len(rows):
        wrong = ((lengths_of(rows) > max_length) | (labels_counts_of(rows) == 0)).nonzero()[0]
        if len(wrong):
            _check(conversations[int(wrong[0])], rows[int(wrong[0])], max_length)
    return rows


def as_dataset(rows: Sequence[EncodedRow]) -> RowTable:
    """A table: `input_ids` and `labels`, each `(tokens,)` a row, `length`, its tokens, and `row`, its number from 0.

    Where any row counts more or less than another, there is `weight` besides.
    """
    return RowTable(rows)


def _check(conversation: Conversation, row: EncodedRow, max_length: int) -> None:
    if row.length > max_length:
        raise conversation.origin.error(
            f"The row has {row.length} tokens, more than the limit of {max_length}. Allow it with "
            f"data.max_length={row.length}, or shorten the row."
        )
    if row.labels_count == 0:
        raise conversation.origin.error(
            "The row has no token of an assistant's answer: there is nothing to learn from it."
        )
