"""Rows of the held-out splits must not stand in the training split under another address."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from adapterkit.data.conversation import Conversation
from adapterkit.data.row_views import as_keys, row_digests

_WORD = re.compile(r"\w+")


def spoken_words(row: Conversation) -> tuple[str, ...]:
    """What each turn says without case, punctuation and spacing: equal for two rows that say the same."""
    return tuple(" ".join(_WORD.findall(turn.content.casefold())) for turn in row.turns)


def without(rows: Iterable[Conversation], *held_out: Iterable[Conversation]) -> tuple[Conversation, ...]:
    """The rows that say nothing that a held-out row says word for word."""
    known = {spoken_words(row) for split in held_out for row in split}
    return tuple(row for row in rows if spoken_words(row) not in known)


def apart(rows: Mapping[str, Sequence[Conversation]]) -> dict[str, tuple[Conversation, ...]]:
    """The three splits, each without what one that is held out farther from training says word for word."""
    validation, test = rows["validation"], rows["test"]
    return {
        "train": without(rows["train"], validation, test),
        "validation": without(validation, test),
        "test": tuple(test),
    }


def check_leaks(train: Sequence[Conversation], *held_out: Sequence[Conversation]) -> None:
    """Demand that no held-out conversation is trained on, letter for letter.

    Raises:
        DataError: one is; both places are named.
    """
    import numpy as np

    trained = as_keys(row_digests(train))
    for part in held_out:
        keys = as_keys(row_digests(part))
        leaked = np.flatnonzero(np.isin(keys, trained))
        if len(leaked):
            row = part[int(leaked[0])]
            twin = train[int(np.flatnonzero(trained == keys[leaked[0]])[0])].origin
            raise row.origin.error(
                f"The same conversation is in the training file ({twin.path}, line {twin.line}): a score on it would "
                "prove nothing. Remove one of the two."
            )
