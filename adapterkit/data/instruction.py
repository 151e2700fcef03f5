"""Rows of `{"instruction": ..., "input": optional, "output": ..., "persona": optional}`."""

from __future__ import annotations

from typing import Any

from adapterkit.data.columns import text_in, text_or_none
from adapterkit.data.conversation import Conversation, Origin, Turn


def instruction_row(row: dict[str, Any], origin: Origin) -> Conversation:
    """The instruction, and the input below it where there is one, as the user's turn; the output as the answer.

    Raises:
        DataError: instruction or output is missing, no text, or blank; or the input is no text.
    """
    instruction, given = text_in(row, "instruction", origin), text_or_none(row, "input", origin)
    asked = instruction if given is None else f"{instruction}\n\n{given}"
    return Conversation((Turn("user", asked), Turn("assistant", text_in(row, "output", origin))), origin)
