"""Rows of the held-out splits must not stand in the training split under another address."""

from __future__ import annotations

import re
from collections.abc import Iterable

from adapterkit.data.conversation import Conversation

_WORD = re.compile(r"\w+")


def spoken_words(row: Conversation) -> tuple[str, ...]:
    """What each turn says without case, punctuation and spacing: equal for two rows that say the same."""
    return tuple(" ".join(_WORD.findall(turn.content.casefold())) for turn in row.turns)


def without(rows: Iterable[Conversation], *held_out: Iterable[Conversation]) -> tuple[Conversation, ...]:
    """The rows that say nothing that a held-out row says word for word."""
    known = {spoken_words(row) for split in held_out for row in split}
    return tuple(row for row in rows if spoken_words(row) not in known)
