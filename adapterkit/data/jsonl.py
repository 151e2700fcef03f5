"""Strict JSON Lines: one object a line, read line by line, and every fault named with its line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from adapterkit.errors import DataError
from adapterkit.names import nearest

# No line of text for training comes near; the limit keeps a file without line ends from filling the memory.
LINE_LIMIT = 16 << 20
_BOM = b"\xef\xbb\xbf"


def read_objects(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Every object of a file with its 1-based line; blank lines and a byte-order mark are skipped.

    Raises:
        DataError: the file is missing, no file, empty or unreadable; or a line is longer than 16 MiB, not UTF-8, not
            JSON, not an object, repeats a key, or holds NaN, an infinity or half of a surrogate pair.
    """
    _check_file(path)
    empty = True
    try:
        with path.open("rb") as file:
            for number, line in _lines(path, file):
                empty = False
                yield number, _parse(path, number, line)
    except OSError as error:
        raise DataError(f"The file cannot be read: {error}", path=path) from error
    if empty:
        raise DataError('The file is empty. Write one {"messages": [...]} object a line.', path=path)


def _check_file(path: Path) -> None:
    if path.is_dir():
        raise DataError("This is a directory. Give the JSONL file itself.", path=path)
    if path.exists() and not path.is_file():
        raise DataError("This is no regular file. Write the rows to a file first.", path=path)
    if not path.exists():
        close = nearest(path.name, (sibling.name for sibling in path.parent.iterdir())) if path.parent.is_dir() else []
        hint = f" Did you mean {', '.join(close)}?" if close else f" The folder is {path.parent.resolve()}."
        raise DataError(f"There is no such file.{hint}", path=path)


def _lines(path: Path, file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    number = 0
    while line := file.readline(LINE_LIMIT + 1):
        number += 1
        if len(line) > LINE_LIMIT:
            what = f"The line is longer than {LINE_LIMIT >> 20} MiB. One object a line; is this a single JSON document?"
            raise DataError(what, path=path, line=number)
        line = (line.removeprefix(_BOM) if number == 1 else line).strip()
        if line:
            yield number, line


def _parse(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(line.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        what = f"Not UTF-8: byte 0x{line[error.start]:02x} at position {error.start + 1}. Save the file as UTF-8."
        raise DataError(what, path=path, line=number) from error
    except json.JSONDecodeError as error:
        raise DataError(f"Not JSON: {error.msg} at column {error.colno}.", path=path, line=number) from error
    except RecursionError as error:
        raise DataError("Not a row: it is nested too deeply.", path=path, line=number) from error
    except ValueError as error:
        raise DataError(f"Not a row: {error}.", path=path, line=number) from error
    if not isinstance(value, dict):
        what = f'The line holds {_kind(value)}, not an object. Write {{"messages": [...]}}.'
        raise DataError(what, path=path, line=number)
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table: dict[str, Any] = {}
    for key, value in pairs:
        if key in table:
            raise ValueError(f"the key '{key}' stands twice in one object")
        if isinstance(value, str):
            _check_text(value)
        table[key] = value
    return table


def _check_text(text: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError(f"{text[error.start]!r} is half of a surrogate pair and no character") from None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _kind(value: object) -> str:
    return {list: "a list", str: "a string", bool: "a boolean", type(None): "null"}.get(type(value), "a number")
