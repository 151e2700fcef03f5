"""A whole split as token ids, and as the table that the Trainer reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from adapterkit.data.conversation import Conversation
from adapterkit.data.template import EncodedRow, encode
from adapterkit.data.token_cache import kept_rows

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase


def encode_split(
    conversations: Sequence[Conversation], tokenizer: PreTrainedTokenizerBase, max_length: int
) -> list[EncodedRow]:
    """Encode every conversation; nothing is ever cut.

    Args:
        conversations: the rows of one split.
        tokenizer: a fast tokenizer with a chat template.
        max_length: the most tokens that a row may have.

    Raises:
        DataError: a row cannot be encoded, is longer than `max_length`, or has no token to learn.
    """
    rows = kept_rows(conversations, tokenizer, lambda: [encode(each, tokenizer) for each in conversations])
    return [_checked(each, row, max_length) for each, row in zip(conversations, rows, strict=True)]


def as_dataset(rows: Sequence[EncodedRow]) -> Dataset:
    """A table: `input_ids` and `labels`, each `(tokens,)` a row, `length`, its tokens, and `row`, its number from 0."""
    from datasets import Dataset

    return Dataset.from_dict(
        {
            "input_ids": [list(row.input_ids) for row in rows],
            "labels": [list(row.labels) for row in rows],
            "length": [row.length for row in rows],
            "row": list(range(len(rows))),
        }
    )


def _checked(conversation: Conversation, row: EncodedRow, max_length: int) -> EncodedRow:
    if row.length > max_length:
        raise conversation.origin.error(
            f"The row has {row.length} tokens, more than the limit of {max_length}. Allow it with "
            f"data.max_length={row.length}, or shorten the row."
        )
    if row.labels_count == 0:
        raise conversation.origin.error(
            "The row has no token of an assistant's answer: there is nothing to learn from it."
        )
    return row
