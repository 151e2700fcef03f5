"""Strict JSON Lines: one object a line, read line by line, and every fault named with its line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import msgspec

from adapterkit.data.sources import open_source
from adapterkit.errors import DataError

# No line of text for training comes near; the limit keeps a file without line ends from filling the memory.
LINE_LIMIT = 16 << 20
_BOM = b"\xef\xbb\xbf"
_QUICK = msgspec.json.Decoder()


def read_objects(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Every object of a file with its 1-based line; blank lines and a byte-order mark are skipped.

    Args:
        path: a file that `open_source` takes.

    Raises:
        DataError: the file is missing, no file, empty or unreadable; or a line is longer than 16 MiB, not UTF-8, not
            JSON, not an object, repeats a key, or holds NaN, an infinity or half of a surrogate pair.
    """
    source, empty = open_source(path, limit=LINE_LIMIT), True
    for line in source.lines(limit=LINE_LIMIT):
        content = trimmed(line.number, line.content or b"")
        if content:
            empty = False
            yield line.number, parse_object(path, line.number, content)
    if empty:
        raise empty_file(path)


def trimmed(number: int, line: bytes) -> bytes:
    """A line without white space around it, and the first one without a byte-order mark."""
    return (line.removeprefix(_BOM) if number == 1 else line).strip()


def empty_file(path: str | Path) -> DataError:
    """The error of a file without rows."""
    return DataError("The file is empty. Write one JSON object a line; docs/reading.md shows them.", path=path)


def parse_object(path: str | Path, number: int, line: bytes) -> dict[str, Any]:
    """The object that a line holds.

    Args:
        path: of the file, for errors.
        number: of the line, for errors.
        line: its bytes, without white space around them.

    Raises:
        DataError: as `read_objects`, of one line.
    """
    try:
        value = _QUICK.decode(line)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        # Whatever is wrong, the strict parser below says it better; it also takes what only the quick one refuses.
        return _parse(path, number, line)
    if type(value) is dict and b"\\u003" not in line and _colons(value) == line.count(b":"):
        return value
    return _parse(path, number, line)


def _colons(value: Any) -> int:
    """How many colons a value is written with: one for each key, and those in texts.

    The quick parser takes the last of two equal keys without a word. Their line has more colons than what it gives; the
    escaped colon, which would make up for one, is left to the strict parser.
    """
    if type(value) is str:
        return value.count(":")
    if type(value) is dict:
        count = len(value)
        for key, inner in value.items():
            count += key.count(":") + (inner.count(":") if type(inner) is str else _colons(inner))
        return count
    return sum(map(_colons, value)) if type(value) is list else 0


def _parse(path: str | Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(line.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        what = f"Not UTF-8: byte 0x{line[error.start]:02x} at position {error.start + 1}. Save the file as UTF-8."
        raise DataError(what, path=path, line=number) from error
    except json.JSONDecodeError as error:
        what = f"Not JSON: {error.msg.removesuffix(' at')} at column {error.colno}."
        if line.lstrip().startswith(b"["):
            what = "The line begins a list, which goes on below. Write one JSON object a line, and no list around them."
        raise DataError(what, path=path, line=number) from error
    except RecursionError as error:
        raise DataError("Not a row: it is nested too deeply.", path=path, line=number) from error
    except ValueError as error:
        raise DataError(f"Not a row: {error}.", path=path, line=number) from error
    if not isinstance(value, dict):
        what = f"The line holds {kind_of(value)}, not an object. Write one JSON object a line."
        raise DataError(what, path=path, line=number)
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table: dict[str, Any] = {}
    for key, value in pairs:
        if key in table:
            raise ValueError(f"the key '{key}' stands twice in one object")
        _check_text(key)
        _check_texts(value)
        table[key] = value
    return table


def _check_texts(value: Any) -> None:
    if isinstance(value, str):
        _check_text(value)
    elif isinstance(value, list):
        for inner in value:
            _check_texts(inner)


def _check_text(text: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError(f"{text[error.start]!r} is half of a surrogate pair and no character") from None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def kind_of(value: object) -> str:
    """What a JSON value is, for an error."""
    kinds = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", type(None): "null"}
    return kinds.get(type(value), "a number")
