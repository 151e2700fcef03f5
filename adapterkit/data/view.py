"""A row as the model sees it: every token with its stretch of the text, and what of the text is learnt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from adapterkit.data.conversation import Conversation
from adapterkit.data.spans import render
from adapterkit.data.template import IGNORED, encode

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class SeenToken:
    """One token.

    Attributes:
        id: its number in the vocabulary.
        name: what the vocabulary calls it.
        text: the letters that it stands for; of a letter in several tokens, the first one has it.
        label: its id where it is learnt; else null.
        control: whether it is a control token.
    """

    id: int
    name: str
    text: str
    label: int | None
    control: bool


@dataclass(frozen=True)
class Stretch:
    """Letters that are learnt, or not, and that control tokens wrote, or others."""

    text: str
    learnt: bool
    control: bool


def view(conversation: Conversation, tokenizer: PreTrainedTokenizerBase) -> tuple[SeenToken, ...]:
    """The tokens of a conversation; their texts, one after the other, are the text that the template writes.

    Args:
        conversation: what is said, as short as the model sees it.
        tokenizer: that encodes it.

    Raises:
        DataError: as `encode`.
    """
    row = encode(conversation, tokenizer)
    text = render(conversation, tokenizer).text
    encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
    controls = {number for number, token in tokenizer.added_tokens_decoder.items() if token.special}
    names = [str(tokenizer.convert_ids_to_tokens(token)) for token in row.input_ids]
    # An offset may leave out white space of its token; what no later one covers stands in the last one.
    ends = [end for _, end in encoded["offset_mapping"]]
    ends[-1:] = [len(text)]
    return tuple(
        SeenToken(token, name, text[start:end], None if label == IGNORED else label, token in controls)
        for token, label, name, start, end in zip(row.input_ids, row.labels, names, [0, *ends[:-1]], ends, strict=True)
    )


def stretches_of(tokens: Sequence[SeenToken]) -> tuple[Stretch, ...]:
    """Neighbours that are alike, as one."""
    grouped = groupby(tokens, key=lambda token: (token.label is not None, token.control))
    return tuple(Stretch("".join(token.text for token in group), *kind) for kind, group in grouped)
