"""A conversation that is too long, made to fit from its beginning: the last answer and the system turn stay whole."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from adapterkit.data.conversation import Conversation, Turn
from adapterkit.data.spans import apply_template

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_JOINER = "\u200d"
# More letters than a token has: what stands farther from a prompt's end than so many a token cannot fit.
_LETTERS_A_TOKEN = 64


def shorten(conversation: Conversation, tokenizer: PreTrainedTokenizerBase, max_length: int) -> Conversation | None:
    """Leave out whole turns from the beginning; where that is not enough, the beginning of the last prompt too.

    What is left begins with the system turn, if there is one, and a user's turn. A prompt loses whole words, and of its
    last word letters, so that a language without spaces can be cut as well; something of it always stays.

    Args:
        conversation: of more than `max_length` tokens.
        tokenizer: with a chat template, which writes what is left anew.
        max_length: tokens that it may have.

    Returns:
        The shorter conversation; null where its end alone does not fit.

    Raises:
        DataError: the template refuses what is left.
    """

    def fits(turns: tuple[Turn, ...]) -> bool:
        text = apply_template(turns, tokenizer, conversation.origin)
        return len(tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]) <= max_length

    turns = conversation.turns
    head = turns[: int(bool(turns) and turns[0].role == "system")]
    starts = _starts(turns)
    found = _first(starts, lambda start: (*head, *turns[start:]), fits)
    if found is None and starts:
        prompt, rest = turns[starts[-1]], turns[starts[-1] + 1 :]
        content = prompt.content[-max_length * _LETTERS_A_TOKEN :]
        found = _first(
            list(_places(content)), lambda place: (*head, replace(prompt, content=content[place:]), *rest), fits
        )
    return None if found is None else replace(conversation, turns=found)


def _starts(turns: Sequence[Turn]) -> list[int]:
    """The user's turns that an answer follows."""
    answers = [place for place, turn in enumerate(turns) if turn.role == "assistant"]
    return [place for place, turn in enumerate(turns) if turn.role == "user" and answers and place < answers[-1]]


def _first(
    places: Sequence[int], turns_from: Callable[[int], tuple[Turn, ...]], fits: Callable[[tuple[Turn, ...]], bool]
) -> tuple[Turn, ...] | None:
    """The turns from the first place from which they fit; by halves, as each try costs a rendering."""
    found = bisect_left(places, True, key=lambda place: fits(turns_from(place)))
    return turns_from(places[found]) if found < len(places) else None


def _places(content: str) -> Iterator[int]:
    """Where a prompt may begin instead: at each further word, and then at each further letter of the last one."""
    words = [found.start() for found in re.finditer(r"\S+", content)]
    yield from words[1:]
    if words:
        yield from (place for place in range(words[-1] + 1, len(content.rstrip())) if _begins(content, place))


def _begins(content: str, place: int) -> bool:
    """Whether a letter begins here that does not hang on to the one before."""
    letter = content[place]
    return not unicodedata.category(letter).startswith("M") and _JOINER not in (letter, content[place - 1])
