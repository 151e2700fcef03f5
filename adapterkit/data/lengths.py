"""What becomes of a row that is too long: never is the end of an answer cut, and never anything without saying so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from adapterkit.config.choices import DROP, ERROR, TRUNCATE_PROMPT
from adapterkit.data.conversation import Conversation
from adapterkit.data.shortening import shorten
from adapterkit.data.template import EncodedRow, encode

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class FittedRow:
    """A row that is no longer than it may be.

    Attributes:
        conversation: what is said in it, from where it was shortened.
        row: its tokens.
        truncated: whether it was shortened.
    """

    conversation: Conversation
    row: EncodedRow
    truncated: bool = False


def fit_row(
    conversation: Conversation,
    row: EncodedRow,
    tokenizer: PreTrainedTokenizerBase,
    max_length: int,
    on_long_row: str = ERROR,
    longest: int = 0,
) -> FittedRow | None:
    """Make a row fit, or leave it out.

    Args:
        conversation: what is said.
        row: its tokens, as `encode` gives them.
        tokenizer: that gave them.
        max_length: the most tokens that it may have.
        on_long_row: `error`, `drop`, or `truncate_prompt`: leave out turns, and then words, from the beginning.
        longest: tokens of the longest row of its split, which a limit has to allow to allow them all.

    Returns:
        The row; null where it is left out.

    Raises:
        DataError: it has no token to learn; or it is too long, and that is an error, or its end alone is too long.
    """
    if row.labels_count == 0:
        raise conversation.origin.error(
            "The row has no token of an assistant's answer: there is nothing to learn from it."
        )
    if row.length <= max_length:
        return FittedRow(conversation, row)
    if on_long_row == DROP:
        return None
    why = f"The row has {row.length} tokens, more than the limit of {max_length}"
    allow = f"Allow it with data.max_length={row.length}"
    if longest > row.length:
        allow += f" (and every row of its split with {longest})"
    if on_long_row != TRUNCATE_PROMPT:
        raise conversation.origin.error(
            f"{why}. {allow}, shorten the row, or say what becomes of rows that are too long: data.on_long_row="
            f"{TRUNCATE_PROMPT} or {DROP}."
        )
    shorter = shorten(conversation, tokenizer, max_length)
    if shorter is None:
        raise conversation.origin.error(
            f"{why}, and its last answer does not fit even without the prompt. An answer is never cut. {allow}, "
            f"shorten the answer, or leave such rows out with data.on_long_row={DROP}."
        )
    return FittedRow(shorter, encode(shorter, tokenizer), truncated=True)
