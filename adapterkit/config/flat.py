"""A config as a list of settings, for people and for whatever takes no tables."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any


def flat(plain: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """The leaves of nested tables by dotted key; a text as it is, anything else as JSON.

    Args:
        plain: tables, lists, texts, numbers.
        prefix: what the keys stand under, with its dot.
    """
    for key, value in plain.items():
        if isinstance(value, Mapping) and value:
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value if isinstance(value, str) else json.dumps(value)
