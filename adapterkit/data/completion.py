"""Rows of `{"prompt": ..., "completion": ..., "persona": optional}`."""

from __future__ import annotations

from typing import Any

from adapterkit.data.columns import text_in
from adapterkit.data.conversation import Conversation, Origin, Turn


def completion_row(row: dict[str, Any], origin: Origin) -> Conversation:
    """The prompt as the user's turn, the completion as the answer.

    Raises:
        DataError: one of them is missing, no text, or blank.
    """
    prompt, completion = text_in(row, "prompt", origin), text_in(row, "completion", origin)
    return Conversation((Turn("user", prompt), Turn("assistant", completion)), origin)
