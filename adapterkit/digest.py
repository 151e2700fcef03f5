"""Digests: the one place that says how bytes, JSON and tensors become a sha256."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

_CHUNK = 1 << 22


def sha256_bytes(data: bytes | memoryview) -> str:
    """Hex sha256 of bytes."""
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: Path) -> str:
    """Hex sha256 of a file, read in chunks of 4 MiB."""
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def canonical_json(value: Any) -> bytes:
    """The one byte form of a JSON value: sorted keys, no spaces, UTF-8, no NaN.

    Raises:
        ValueError: the value holds NaN or an infinity.
        TypeError: the value is not JSON.
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8")


def json_digest(value: Any) -> str:
    """Hex sha256 of the canonical form of a JSON value."""
    return sha256_bytes(canonical_json(value))


def tensor_record(dtype: str, shape: Iterable[int], content: str) -> dict[str, Any]:
    """What identifies one tensor: dtype, shape, and the sha256 of its bytes, row-major, little-endian."""
    return {"dtype": dtype, "shape": list(shape), "sha256": content}


def table_digest(records: Mapping[str, Any]) -> str:
    """One digest of a table of named records, whatever order they were found in."""
    return json_digest(dict(records))
