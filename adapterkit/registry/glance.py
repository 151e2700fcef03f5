"""Whether a manifest holds what tables and trees take from it, at a glance: kinds, and no more.

A table of thousands cannot wait for the strict reading of each. What passes here may be no manifest all the same, but
can be shown; and what cannot is the fault of one version, not of the table.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from typing import Any

from adapterkit.errors import excerpt

_MAX_BYTES = 16_000_000
_NULL = type(None)
_TEXT, _TABLE, _LIST, _NUMBER = (str,), (dict,), (list,), (int,)
_TEXT_OR_NULL, _TABLE_OR_NULL = (str, _NULL), (dict, _NULL)
_Kinds = Mapping[str, tuple[type, ...]]

_MANIFEST: _Kinds = {
    **dict.fromkeys(("name", "version", "created", "run_key", "weights_digest", "description"), _TEXT),
    **dict.fromkeys(("base", "data", "adapter", "metrics", "environment", "custom"), _TABLE),
    **dict.fromkeys(("lineage", "merged_from", "tags"), _LIST),
    "schema_version": _NUMBER,
}
# What a manifest of schema 1 does not say.
_SINCE_SCHEMA_2: _Kinds = {"recipe": _TABLE_OR_NULL, "started_from": _TEXT_OR_NULL}
_BASE: _Kinds = {"identity": _TABLE}
_IDENTITY: _Kinds = {"id": _TEXT, "revision": _TEXT_OR_NULL, "source_digest": _TEXT, "quantization": _TABLE}
_DATA: _Kinds = {"source": _TEXT, "digest": _TEXT, "rows": _NUMBER, "tokens": _NUMBER}
_SHAPE: _Kinds = {"variant": _TEXT, "rank": _NUMBER, "parameters": _NUMBER, "bytes": _NUMBER}
_RECIPE: _Kinds = {
    **dict.fromkeys(("recipe", "config_dir", "parent", "persona"), _TEXT_OR_NULL),
    **dict.fromkeys(("settings", "rows"), _TEXT),
    "overrides": _LIST,
    "sources": _TABLE,
    "schema": _NUMBER,
}
_MEMBER: _Kinds = {"ref": _TEXT, "weights_digest": _TEXT}
_CALLED = {str: "text", dict: "table", list: "list", int: "number", float: "number", _NULL: "null"}


def manifest_bytes(path: str) -> bytes:
    """The bytes of a manifest; no link is followed, and no pipe waited for.

    Raises:
        OSError: it is not there, or cannot be read.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        return os.read(handle, _MAX_BYTES)
    finally:
        os.close(handle)


def parse_at_a_glance(data: bytes) -> dict[str, Any]:
    """The manifest in a file, as plain values of the kinds that tables and trees rely on.

    Raises:
        ValueError: it is not JSON, or no text that a terminal takes; a value is missing, or of another kind.
        RecursionError: it is nested too deep.
    """
    text = data.decode("utf-8")
    if "\\u" in text:
        _refuse_halves(text)
    plain = _DECODER.decode(text)
    if type(plain) is not dict:
        raise ValueError(f"{excerpt(plain)} is no table")
    _check(plain)
    return plain


def _check(plain: dict[str, Any]) -> None:
    _kinds("", plain, _MANIFEST)
    if plain["schema_version"] != 1:
        _kinds("", plain, _SINCE_SCHEMA_2)
    _kinds("base.", plain["base"], _BASE)
    _kinds("base.identity.", plain["base"]["identity"], _IDENTITY)
    _kinds("data.", plain["data"], _DATA)
    _kinds("adapter.", plain["adapter"], _SHAPE)
    for key in ("lineage", "merged_from"):
        for member in plain[key]:
            _kind(key, member, _TABLE)
            _kinds(f"{key}.", member, _MEMBER)
    _each("tags", plain["tags"], _TEXT)
    _each("data.origins", plain["data"].get("origins", {}), _TEXT, _TABLE)
    for value in plain["metrics"].values():
        if type(value) is not int and not (type(value) is float and math.isfinite(value)):
            raise ValueError(f"'metrics' holds {excerpt(value)}, which is no finite number")
    if (recipe := plain.get("recipe")) is not None:
        _kind("recipe", recipe, _TABLE)
        _kinds("recipe.", recipe, _RECIPE)
        _each("recipe.overrides", recipe["overrides"], _TEXT)
        _each("recipe.sources", recipe["sources"], _TEXT)
    if not plain["lineage"]:
        raise ValueError("'lineage' is empty")


def _kinds(where: str, plain: Mapping[str, Any], kinds: _Kinds) -> None:
    for key, allowed in kinds.items():
        if key not in plain:
            raise ValueError(f"the key '{where}{key}' is missing")
        if type(plain[key]) not in allowed:
            _kind(f"{where}{key}", plain[key], allowed)


def _kind(key: str, value: Any, allowed: tuple[type, ...]) -> None:
    if type(value) not in allowed:
        wanted = " or ".join(_CALLED[kind] for kind in allowed)
        raise ValueError(f"'{key}' holds {excerpt(value)} in the place of a {wanted}")


def _each(key: str, values: Any, allowed: tuple[type, ...], outer: tuple[type, ...] = (dict, list)) -> None:
    """Every entry of a list, or every value of a table."""
    _kind(key, values, outer)
    for value in values.values() if type(values) is dict else values:
        if type(value) not in allowed:
            _kind(key, value, allowed)


def _refuse_halves(text: str) -> None:
    """Refuse half of a surrogate pair, which only an escape can bring, and which no terminal and no script takes."""
    json.dumps(_DECODER.decode(text), ensure_ascii=False).encode("utf-8")


def _refuse_constant(text: str) -> float:
    raise ValueError(f"{text} is not a finite number")


# Made once: it would cost as much as a small manifest's parsing.
_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)
