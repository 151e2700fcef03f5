"""Rows of `{"input": ..., "output": ..., "weight": optional, "persona": optional}`."""

from __future__ import annotations

import math
from typing import Any

from adapterkit.data.columns import text_in
from adapterkit.data.conversation import Conversation, Origin, Turn
from adapterkit.texts import excerpt


def example_row(row: dict[str, Any], origin: Origin) -> Conversation:
    """The input as the user's turn, the output as the answer, and how much its tokens count beside those of others.

    Raises:
        DataError: input or output is missing, no text, or blank; or the weight is not a finite number above 0.
    """
    turns = Turn("user", text_in(row, "input", origin)), Turn("assistant", text_in(row, "output", origin))
    return Conversation(turns, origin, weight=_weight(row.get("weight"), origin))


def _weight(value: Any, origin: Origin) -> float:
    if value is None:
        return 1.0
    # A boolean is an int to Python. float32, in which losses are weighed, ends at 3e38.
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1e30 or math.isnan(value):
        raise origin.error(
            f"'weight' is {excerpt(value)}, not a number above 0 and up to 1e30. Leave out a row that should not count."
        )
    return float(value)
