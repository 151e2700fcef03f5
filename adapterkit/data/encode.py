"""A whole split as token ids, and as the table that the Trainer reads."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from adapterkit.config.choices import ERROR
from adapterkit.data.conversation import Conversation
from adapterkit.data.lengths import FittedRow, fit_row
from adapterkit.data.template import EncodedRow, encode
from adapterkit.data.token_cache import kept_rows

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class EncodedSplit:
    """The rows of a split that no length stands against.

    Attributes:
        fitted: each with what is said in it.
        dropped: what was left out, because it was too long.
    """

    fitted: Sequence[FittedRow]
    dropped: Sequence[Conversation]

    @property
    def rows(self) -> list[EncodedRow]:
        """The token rows alone."""
        return [each.row for each in self.fitted]

    @property
    def truncated(self) -> int:
        """How many rows were shortened."""
        return sum(each.truncated for each in self.fitted)


def encode_split(
    conversations: Sequence[Conversation],
    tokenizer: PreTrainedTokenizerBase,
    max_length: int,
    on_long_row: str = ERROR,
) -> list[EncodedRow]:
    """Encode every conversation, and say so where rows were shortened or left out.

    Args:
        conversations: the rows of one split.
        tokenizer: a fast tokenizer with a chat template.
        max_length: the most tokens that a row may have.
        on_long_row: what becomes of a longer one: `error`, `drop` or `truncate_prompt`.

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
        origin = split.dropped[0].origin
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
    """Encode every conversation, and keep what is said in each and what was left out; as `encode_split`."""
    rows = kept_rows(conversations, tokenizer, lambda: [encode(each, tokenizer) for each in conversations])
    fitted: list[FittedRow] = []
    dropped: list[Conversation] = []
    for conversation, row in zip(conversations, rows, strict=True):
        found = fit_row(conversation, row, tokenizer, max_length, on_long_row)
        if found is None:
            dropped.append(conversation)
        else:
            fitted.append(found)
    return EncodedSplit(fitted, dropped)


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
