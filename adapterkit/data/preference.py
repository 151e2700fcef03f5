"""Rows of `{"prompt": ..., "chosen": ..., "rejected": ..., "persona": optional}`."""

from __future__ import annotations

from typing import Any

from adapterkit.data.columns import text_in
from adapterkit.data.conversation import Conversation, Origin, Turn


def preference_row(row: dict[str, Any], origin: Origin) -> Conversation:
    """The prompt as the user's turn, the chosen text as the answer; the rejected one is kept beside it.

    Raises:
        DataError: one of the three is missing, no text, or blank; or both answers are the same.
    """
    prompt, chosen = text_in(row, "prompt", origin), text_in(row, "chosen", origin)
    rejected = text_in(row, "rejected", origin)
    if chosen.strip() == rejected.strip():
        raise origin.error("'chosen' and 'rejected' are the same answer, so nothing is preferred.")
    return Conversation((Turn("user", prompt), Turn("assistant", chosen)), origin, rejected=rejected)
