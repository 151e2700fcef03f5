"""JSON as an artifact holds it: no NaN, no doubled keys, one readable byte form."""

from __future__ import annotations

import json
import math
from typing import Any

from adapterkit.errors import ArtifactError


def parse_json(data: bytes, name: str) -> Any:
    """Read JSON strictly.

    Args:
        data: the bytes of the file.
        name: the file's name, for the message.

    Raises:
        ArtifactError: the bytes are not UTF-8 JSON, name a key twice, hold a number that is not finite, or nest too
            deep.
    """
    try:
        return json.loads(
            data.decode("utf-8"), object_pairs_hook=_once, parse_constant=_refuse_constant, parse_float=_finite
        )
    except (ValueError, RecursionError) as error:
        what = f"{name}: is not strict JSON: {error}"
        raise ArtifactError(what, [what]) from error


def pretty_json(value: Any, name: str) -> bytes:
    """The byte form in which artifacts hold JSON for people: sorted keys, two spaces, a final newline.

    Raises:
        ArtifactError: the value is not JSON, or holds a number that is not finite.
    """
    try:
        text = json.dumps(value, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False)
        return (text + "\n").encode("utf-8")
    except (TypeError, ValueError, RecursionError) as error:
        what = f"{name}: cannot be written as JSON: {error}"
        raise ArtifactError(what, [what]) from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"the key '{twice}' stands twice")
    return found


def _refuse_constant(text: str) -> float:
    raise ValueError(f"{text} is not a finite number")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is not a finite number")
    return value
