"""Changed copies of the rows to train on; what is held out is never touched."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace

from adapterkit.data.abc import AbcError, Tune, keys_near, parse_tune, transpose
from adapterkit.data.abc.keys import Key
from adapterkit.data.conversation import Conversation, Turn
from adapterkit.data.leaks import spoken_words
from adapterkit.digest import json_digest
from adapterkit.errors import UnknownNameError, UsageError
from adapterkit.names import nearest

_log = logging.getLogger(__name__)


def transposed(row: Conversation, seed: int) -> Conversation | None:
    """The row with its tune in another key, drawn by the seed and by what the row says; metre and lengths stay.

    Returns:
        The copy; None when the row is not one question and one tune in ABC notation, when the question names a key,
        or when the tune cannot be moved exactly to any key between three flats and four sharps.
    """
    *before, answer = row.turns
    tune = _tune(answer)
    key = Key.parse(tune.first("K")) if tune else None
    if tune is None or key is None or any(turn.role == "assistant" or "K:" in turn.content for turn in before):
        return None
    choices = keys_near(key)
    first = int(json_digest([seed, row.messages])[:12], 16) % len(choices)
    moved = (transpose(tune, fifths) for fifths in (*choices[first:], *choices[:first]))
    return next((_with_answer(row, each) for each in moved if each is not None), None)


AUGMENTATIONS: dict[str, Callable[[Conversation, int], Conversation | None]] = {"transpose": transposed}


def check_augmentations(names: Sequence[str]) -> None:
    """Demand names that are known, each once.

    Raises:
        UnknownNameError: there is no such augmentation.
        UsageError: one is named twice.
    """
    for name in names:
        if name not in AUGMENTATIONS:
            hint = f"data.augment takes {', '.join(AUGMENTATIONS)}, or [] for none."
            raise UnknownNameError("augmentation", name, nearest(name, AUGMENTATIONS), hint=hint)
    if len(set(names)) < len(names):
        raise UsageError(f"data.augment=[{','.join(names)}] names one twice: a row gets one copy of each.")


def augment(
    rows: Sequence[Conversation], names: Sequence[str], seed: int, held_out: Sequence[Conversation]
) -> tuple[Conversation, ...]:
    """The rows, and behind them one changed copy of each that can be changed, for every augmentation.

    Args:
        rows: the rows to train on.
        names: keys of `AUGMENTATIONS`.
        seed: decides which of its possible copies a row gets.
        held_out: no copy says what one of these says, or what a row says already.

    Raises:
        UnknownNameError: there is no such augmentation.
    """
    check_augmentations(names)
    known = {spoken_words(row) for row in held_out}
    said = {row.turns for row in rows}
    copies: list[Conversation] = []
    for name in names:
        made = [AUGMENTATIONS[name](row, seed) for row in rows]
        new = [row for row in made if row and row.turns not in said and spoken_words(row) not in known]
        _log.info("data.augment: %s: %d of %d rows have a changed copy", name, len(new), len(rows))
        copies += new
        said |= {row.turns for row in new}
    return (*rows, *copies)


def _tune(answer: Turn) -> Tune | None:
    try:
        tune = parse_tune(answer.content)
    except AbcError:
        return None
    return tune if tune.first("M") and tune.body.strip() else None


def _with_answer(row: Conversation, tune: Tune) -> Conversation:
    header = "".join(f"{letter}:{value}\n" for letter, value in tune.fields)
    return replace(row, turns=(*row.turns[:-1], Turn("assistant", header + tune.body)))
