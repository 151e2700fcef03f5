"""Columns of a row, demanded as what they must be."""

from __future__ import annotations

from typing import Any

from adapterkit.data.conversation import Origin
from adapterkit.data.jsonl import kind_of


def text_in(row: dict[str, Any], column: str, origin: Origin) -> str:
    """A text that is not blank.

    Raises:
        DataError: the column is missing, no text, or blank.
    """
    if column not in row:
        raise origin.error(f"There is no '{column}'. The row has {', '.join(sorted(row)) or 'nothing'}.")
    value = row[column]
    if not isinstance(value, str):
        raise origin.error(f"'{column}' is {kind_of(value)}, not a string.")
    if not value.strip():
        raise origin.error(f"'{column}' is empty.")
    return value


def text_or_none(row: dict[str, Any], column: str, origin: Origin) -> str | None:
    """A text that may be missing, null or blank.

    Raises:
        DataError: the column is there and no text.
    """
    value = row.get(column)
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    return text_in(row, column, origin)
