"""How the command prints: tables that survive a pipe, JSON for scripts, and no control characters from files."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

_GAP = "   "
_BOLD, _PLAIN = "\x1b[1m", "\x1b[0m"


def print_json(value: Any) -> None:
    """Print a value as indented JSON; the name of a file need not be Unicode, and is escaped as far as it is not."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    print(text.encode("utf-8", "backslashreplace").decode("utf-8"))


def print_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table; no cell is cut or wrapped, however long, and columns that are empty throughout are left out."""
    cells = [[printable(cell) for cell in row] for row in rows]
    shown = [column for column in range(len(headings)) if any(row[column] for row in cells)]
    widths = [max(map(_width, [headings[column], *(row[column] for row in cells)])) for column in shown]
    lines = [_line([row[column] for column in shown], widths) for row in ([*headings], *cells)]
    lines[0] = _emphasized(lines[0])
    lines.insert(1, "─" * (sum(widths) + len(_GAP) * (len(widths) - 1)))
    print("\n".join(lines))


def print_pairs(pairs: Iterable[tuple[str, str]]) -> None:
    """Print names and values in two columns."""
    known = [(printable(name), printable(value)) for name, value in pairs]
    width = max((_width(name) for name, _ in known), default=0)
    for name, value in known:
        print(f"{_emphasized(_padded(name, width))}  {value}")


def brief(text: str, limit: int = 100) -> str:
    """The first sentence of a message on one line, of so many letters at most; three dots stand for the rest."""
    first = first_line(text)
    sentence, dot, _ = first.partition(". ")
    told = sentence + dot.rstrip()
    if told != first or len(text.strip().splitlines()) > 1 or len(told) > limit:
        return f"{told[: limit - 4]} ..."
    return told


def first_line(text: str) -> str:
    """The first line of a message, with a space for whatever space is in it."""
    return " ".join(text.strip().partition("\n")[0].split())


def printable(text: str) -> str:
    """The text without control characters: a manifest is a file from somewhere, and may try to steer a terminal."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return _GAP.join(map(_padded, cells, widths)).rstrip()


def _padded(text: str, width: int) -> str:
    return text + " " * (width - _width(text))


def _width(text: str) -> int:
    """Columns on a terminal; Chinese letters take two each."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def _emphasized(text: str) -> str:
    return f"{_BOLD}{text}{_PLAIN}" if sys.stdout.isatty() else text
