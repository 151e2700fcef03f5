"""The tokens by which a chat template orders a conversation, and rows whose words would forge them."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from adapterkit.data.conversation import Conversation

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def end_of_turn(tail: str, tokenizer: PreTrainedTokenizerBase) -> int:
    """How much of what stands behind an answer ends its turn: everything up to the first control token, with it.

    Without a control token it is all of the text but the white space behind it, and of white space alone all of it.

    Args:
        tail: what the template writes behind the answer's last letter.
        tokenizer: that tells control tokens from other text.
    """
    ended = re.compile(rf"\s*(?:{pattern_of(tokenizer).pattern})").match(tail)
    return ended.end() if ended else len(tail.rstrip()) or len(tail)


def refuse_forged(conversation: Conversation, text: str, tokenizer: PreTrainedTokenizerBase) -> None:
    """Demand that no turn says a token that orders the conversation: the model could not tell it from the template's.

    Another control token, such as one that marks a file's name, is a word like any other.

    Args:
        conversation: what is said.
        text: what the template makes of it.
        tokenizer: that would read the control token.

    Raises:
        DataError: a turn holds a token that the template writes too, or that begins or ends texts.
    """
    pattern = pattern_of(tokenizer)
    for number, turn in enumerate(conversation.turns, start=1):
        for token in dict.fromkeys(pattern.findall(turn.content)):
            said = sum(each.content.count(token) for each in conversation.turns)
            if text.count(token) > said or token in (tokenizer.bos_token, tokenizer.eos_token):
                raise conversation.origin.error(
                    f"Turn {number} ({turn.role}) says {token!r}, which the tokenizer reads as the control token that "
                    "begins or ends a turn: it would forge the conversation, and an answer would go on behind its own "
                    "end. Take it out of the row, or write it otherwise."
                )


def pattern_of(tokenizer: PreTrainedTokenizerBase) -> re.Pattern[str]:
    """What finds the control tokens of a tokenizer in a text."""
    # What may change about a tokenizer is part of the key.
    return _pattern(tokenizer, len(tokenizer), tokenizer.bos_token, tokenizer.eos_token)


@lru_cache(maxsize=4)
def _pattern(
    tokenizer: PreTrainedTokenizerBase, size: int, bos_token: str | None, eos_token: str | None
) -> re.Pattern[str]:
    """Any control token; it is read as one wherever it stands in a text. Where there is none, what never matches."""
    marked = {token.content for token in tokenizer.added_tokens_decoder.values() if token.special}
    found = marked | {token for token in (bos_token, eos_token) if token}
    # The longest goes first: of `<s>` and `<s>1` the tokenizer takes the longer one.
    return re.compile("|".join(map(re.escape, sorted(found, key=lambda token: (-len(token), token)))) or r"(?!)")
