"""Single values of a manifest, each checked; what does not fit is a TypeError or a ValueError."""

from __future__ import annotations

import math
import re
from typing import Any

from adapterkit.texts import excerpt

_HEX = re.compile(r"[0-9a-f]{64}")


def text(value: Any) -> str:
    """A text, as it is."""
    if not isinstance(value, str):
        raise TypeError(f"{excerpt(value)} is not a text")
    return value


def text_or_null(value: Any) -> str | None:
    """A text or null."""
    return None if value is None else text(value)


def texts(value: Any) -> dict[str, str]:
    """A table of texts."""
    return {text(key): text(entry) for key, entry in table(value).items()}


def table(value: Any) -> dict[str, Any]:
    """A table of whatever JSON holds."""
    if not isinstance(value, dict):
        raise TypeError(f"{excerpt(value)} is not a table")
    return dict(value)


def entries(value: Any) -> list[Any]:
    """A list of whatever JSON holds."""
    if not isinstance(value, list):
        raise TypeError(f"{excerpt(value)} is not a list")
    return value


def text_list(value: Any) -> tuple[str, ...]:
    """A list of texts."""
    return tuple(text(entry) for entry in entries(value))


def digest(value: Any) -> str:
    """Hex sha256."""
    if not _HEX.fullmatch(text(value)):
        raise ValueError(f"{excerpt(value)} is not a sha256")
    return str(value)


def count(value: Any) -> int:
    """A whole number from 0 on."""
    if type(value) is not int or value < 0:
        raise ValueError(f"{excerpt(value)} is not a count")
    return value


def finite(value: Any) -> float:
    """A finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{excerpt(value)} is not a finite number")
    return float(value)
