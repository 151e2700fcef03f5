"""How the command prints: tables that survive a pipe, JSON for scripts, and no control characters from files."""

from __future__ import annotations

import json
import logging
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from adapterkit.cli.terminal import columns, takes_colour

_GAP = "   "
_BOLD, _PLAIN = "\x1b[1m", "\x1b[0m"


def log_to_stderr() -> None:
    """Show what a training logs, and leave stdout to the result."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)


def print_json(value: Any) -> None:
    """Print a value as indented JSON; the name of a file need not be Unicode, and is escaped as far as it is not."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    print(text.encode("utf-8", "backslashreplace").decode("utf-8"))


def print_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table without the columns that are empty throughout; no cell is ever cut.

    On a terminal that is narrower, each row becomes a few lines of its own.
    """
    cells = [[printable(cell) for cell in row] for row in rows]
    shown = [column for column in range(len(headings)) if any(row[column] for row in cells)]
    widths = [max(map(_width, [headings[column], *(row[column] for row in cells)])) for column in shown]
    width = sum(widths) + len(_GAP) * (len(widths) - 1)
    if (limit := columns()) is not None and width > limit:
        told = ([(headings[column], row[column]) for column in shown] for row in cells)
        print("\n".join(line for row in told for line in _narrow(row, limit)))
        return
    lines = [_line([row[column] for column in shown], widths) for row in ([*headings], *cells)]
    lines[0] = _emphasized(lines[0])
    lines.insert(1, "─" * width)
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


def _narrow(row: Sequence[tuple[str, str]], limit: int) -> Iterator[str]:
    """The first cell on a line, and below it the others behind their headings, as many on a line as fit."""
    (_, first), *others = row
    yield _emphasized(first)
    line = ""
    for entry in [f"{heading} {cell}".strip() for heading, cell in others if cell]:
        if line and _width(line) + len(_GAP) + _width(entry) <= limit:
            line += _GAP + entry
            continue
        if line:
            yield line
        *whole, line = textwrap.wrap(
            entry, limit, initial_indent="  ", subsequent_indent="    ", break_long_words=False, break_on_hyphens=False
        )
        yield from whole
    if line:
        yield line


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
    return f"{_BOLD}{text}{_PLAIN}" if text and takes_colour() else text
