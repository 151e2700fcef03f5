"""What becomes of rows that say nearly the same: within the training split, and across the border to a held-out one."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from adapterkit.config.choices import DROP, ERROR, IGNORE
from adapterkit.data.conversation import Conversation
from adapterkit.data.leaks import check_leaks
from adapterkit.data.near import THRESHOLD, Pair, near_pairs
from adapterkit.data.row_views import RowChain, chosen
from adapterkit.errors import DataError
from adapterkit.texts import counted, listed

_log = logging.getLogger(__name__)

_SHOWN = 3


def settle_duplicates(splits: Mapping[str, Sequence[Conversation]], choice: str) -> dict[str, Sequence[Conversation]]:
    """Look for near duplicates and do what was chosen.

    Args:
        splits: by name; `train` is one of them.
        choice: `warn`, `error`, `drop` (the training rows that are near a held-out row or an earlier training row), or
            `ignore`, which looks for none.

    Raises:
        DataError: a held-out conversation is trained on letter for letter, or nearly so with `error`.
    """
    held = [rows for name, rows in splits.items() if name != "train"]
    check_leaks(splits["train"], *held)
    if choice == IGNORE:
        return dict(splits)
    rows = RowChain((splits["train"], *held))
    pairs = near_pairs(rows)
    count = len(splits["train"])
    leaks = [pair for pair in pairs if pair.first < count <= pair.second]
    twins = [pair for pair in pairs if pair.second < count]
    for found, what in (
        (leaks, "training rows say nearly what a held-out row says, so a score on that would prove little"),
        (twins, "training rows say nearly what an earlier one says"),
    ):
        if found:
            _tell(found, rows, f"{what} (similarity {THRESHOLD} or more)", choice)
    if choice != DROP or not (leaks or twins):
        return dict(splits)
    gone = {pair.first for pair in leaks} | {pair.second for pair in twins}
    return {**splits, "train": _left(splits["train"], gone)}


def _left(rows: Sequence[Conversation], gone: set[int]) -> Sequence[Conversation]:
    import numpy as np

    kept = np.ones(len(rows), bool)
    kept[list(gone)] = False
    return chosen(rows, np.flatnonzero(kept))


def _tell(pairs: Sequence[Pair], rows: Sequence[Conversation], what: str, choice: str) -> None:
    first = pairs[:_SHOWN]
    where = [f"{_place(rows[each.second])} and {_place(rows[each.first])} ({each.similarity:.2f})" for each in first]
    more = [f"... and {len(pairs) - _SHOWN:,} more"] if len(pairs) > _SHOWN else []
    told = f"{counted(len(pairs), 'pair')}: {what}.{listed([*where, *more])}"
    if choice == ERROR:
        raise DataError(f"{told}\nRemove them, or let them be removed: data.near_duplicates=drop")
    _log.warning("%s%s", told, "\nThese training rows are left out." if choice == DROP else "")


def _place(row: Conversation) -> str:
    return f"{row.origin.path}, line {row.origin.line}"
