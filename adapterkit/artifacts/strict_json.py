"""JSON as an artifact holds it: no NaN, no doubled keys, not deep, one readable byte form."""

from __future__ import annotations

import json
import math
from typing import Any

from adapterkit.errors import ArtifactError
from adapterkit.texts import excerpt

MAX_JSON_DEPTH = 32


def parse_json(data: bytes, name: str) -> Any:
    """Read JSON strictly.

    Args:
        data: the bytes of the file.
        name: the file's name, for the message.

    Raises:
        ArtifactError: the bytes are not UTF-8 JSON, name a key twice, hold a number that is not finite or half of a
            surrogate pair, or nest deeper than 32.
    """
    try:
        text = data.decode("utf-8")
        value = json.loads(text, object_pairs_hook=_once, parse_constant=_refuse_constant, parse_float=_finite)
        # Only an escape can bring half of a surrogate pair, which no file and no terminal could take again.
        _look_through(value, texts="\\u" in text)
        return value
    except (ValueError, RecursionError) as error:
        raise ArtifactError.of(name, f"is not strict JSON: {error}") from error


def pretty_json(value: Any, name: str) -> bytes:
    """The byte form in which artifacts hold JSON for people: sorted keys, two spaces, a final newline.

    Raises:
        ArtifactError: the value is not JSON, or holds a number that is not finite.
    """
    try:
        text = json.dumps(value, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False)
        return (text + "\n").encode("utf-8")
    except (TypeError, ValueError, RecursionError) as error:
        raise ArtifactError.of(name, f"cannot be written as JSON: {error}") from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"the key {excerpt(twice)} stands twice")
    return found


def _look_through(value: Any, *, texts: bool) -> None:
    """Refuse what is nested too deep, and texts that are no Unicode; a loop, since depth is what breaks recursion."""
    layer, depth = [value], 0
    while layer:
        if (depth := depth + 1) > MAX_JSON_DEPTH + 1:
            raise ValueError(f"nests deeper than {MAX_JSON_DEPTH}")
        tables = [item for item in layer if isinstance(item, dict)]
        if texts:
            for text in (*layer, *(key for table in tables for key in table)):
                if isinstance(text, str):
                    text.encode("utf-8")
        inner = [item for table in tables for item in table.values()]
        layer = inner + [item for each in layer if isinstance(each, list) for item in each]


def _refuse_constant(text: str) -> float:
    raise ValueError(f"{text} is not a finite number")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is not a finite number")
    return value
