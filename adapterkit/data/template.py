"""One conversation as token ids, with labels on exactly what the assistant says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from adapterkit.data.conversation import Conversation
from adapterkit.data.spans import Span, answer_error, render
from adapterkit.errors import DataError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

IGNORED = -100


@dataclass(frozen=True)
class EncodedRow:
    """One row for the model.

    Attributes:
        input_ids: the token ids, `(tokens,)`.
        labels: the same ids where the loss counts, and -100 elsewhere, `(tokens,)`; not shifted.
        weight: how much each of its label tokens counts in the loss.
    """

    input_ids: tuple[int, ...]
    labels: tuple[int, ...]
    weight: float = 1.0

    @property
    def length(self) -> int:
        """How many tokens the row has."""
        return len(self.input_ids)

    @property
    def labels_count(self) -> int:
        """How many tokens the loss counts."""
        return sum(label != IGNORED for label in self.labels)


def encode(conversation: Conversation, tokenizer: PreTrainedTokenizerBase) -> EncodedRow:
    """Tokenize a conversation once, as a whole, and label the tokens of the assistant's answers.

    The ids are those of `tokenizer.apply_chat_template(messages, tokenize=True)`. A token that reaches over an answer's
    border is labelled when its outer part is white space only (a word with the space before it), and refused otherwise.

    Raises:
        DataError: the template cannot take the conversation or hides where the answers are, a token mixes an answer
            with what stands around it, or the tokenizer knows no offsets.
    """
    if not tokenizer.is_fast:
        raise DataError("This tokenizer gives no offsets, so answers cannot be labelled. Load it with use_fast=True.")
    rendered = render(conversation, tokenizer)
    # The template writes the special tokens itself.
    encoded = tokenizer(rendered.text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
    ids: list[int] = encoded["input_ids"]
    offsets: list[tuple[int, int]] = encoded["offset_mapping"]
    labels = [IGNORED] * len(ids)
    for span in rendered.spans:
        for position in _inside(offsets, span):
            outer = _outer(rendered.text, offsets[position], span)
            if outer.strip():
                start, end = offsets[position]
                raise answer_error(conversation.origin, rendered.text[start:end])
            labels[position] = ids[position]
    return EncodedRow(tuple(ids), tuple(labels), conversation.weight)


def _inside(offsets: Sequence[tuple[int, int]], span: Span) -> list[int]:
    """The positions of the tokens that share a character with a span.

    Byte-level tokenizers may trim white space off offsets, which leaves a token of white space empty, at its own end:
    it is inside when that end is, and the span's start is not its end.
    """
    first, last = span
    return [
        position
        for position, (start, end) in enumerate(offsets)
        if (start < last and end > first if start < end else first < end <= last)
    ]


def _outer(text: str, offset: tuple[int, int], span: Span) -> str:
    start, end = offset
    return text[start : max(start, span[0])] + text[min(end, span[1]) : end]
