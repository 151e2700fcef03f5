"""One row on the terminal: what is learnt in colour, and in a pipe in brackets; control tokens stand as they are."""

from __future__ import annotations

import dataclasses
import json
import unicodedata
from typing import TYPE_CHECKING, Any

from adapterkit.cli.output import print_pairs, print_table
from adapterkit.cli.terminal import takes_colour

if TYPE_CHECKING:
    from rich.text import Text

    from adapterkit.workflows.inspecting import InspectedRow

OPEN, CLOSE = "⟦", "⟧"
_LEARNT, _CONTROL = "black on green", "cyan"


def plain_row(found: InspectedRow, *, tokens: bool) -> dict[str, Any]:
    """The row for scripts: exact text, with nothing replaced; every token only where it is asked for."""
    from adapterkit.data.view import stretches_of

    listed = {"tokens": [dataclasses.asdict(token) for token in found.tokens]} if tokens else {}
    origin = found.origin
    return {
        "split": found.split,
        "row": found.number,
        "rows": found.rows,
        "origin": {"path": origin.path, "line": origin.line, "label": origin.label},
        "state": found.state,
        "length": len(found.tokens),
        "label_tokens": found.label_tokens,
        "length_before": found.length,
        "text": "".join(token.text for token in found.tokens),
        "stretches": [dataclasses.asdict(each) for each in stretches_of(found.tokens)],
        **listed,
    }


def print_row(found: InspectedRow, *, tokens: bool) -> None:
    """Print where the row came from, how many of its tokens are learnt, and its text or its tokens."""
    from rich.console import Console

    coloured = takes_colour()
    console = Console(
        color_system="standard" if coloured else None, highlight=False, markup=False, emoji=False, soft_wrap=True
    )
    origin = found.origin
    place = origin.path if origin.line is None else f"{origin.path}, line {origin.line}"
    total = len(found.tokens)
    pairs = [
        ("row", f"{found.number:,} of {found.rows:,} ({found.split})"),
        ("from", f"{place} ({origin.label})" if origin.label else place),
        ("tokens", f"{total:,}, of which {found.label_tokens:,} are learnt ({found.label_tokens / max(total, 1):.0%})"),
        ("learnt", "black on green; control tokens are cyan" if coloured else f"what stands in {OPEN} {CLOSE}"),
    ]
    if found.state != "whole":
        told = {"truncated": "begins later than it did", "dropped": "is left out, for data.on_long_row=drop"}
        pairs.insert(3, ("too long", f"it had {found.length:,} tokens, and {told[found.state]}"))
    print_pairs(pairs)
    print()
    if tokens:
        _print_tokens(found)
    else:
        console.print(_text(found, coloured=coloured))


def _text(found: InspectedRow, *, coloured: bool) -> Text:
    from rich.text import Text

    from adapterkit.data.view import stretches_of

    text, inside = Text(), False
    for stretch in stretches_of(found.tokens):
        if stretch.learnt != inside and not coloured:
            text.append(OPEN if stretch.learnt else CLOSE)
        inside = stretch.learnt
        text.append(harmless(stretch.text), style=_LEARNT if inside else _CONTROL if stretch.control else "")
    if inside and not coloured:
        text.append(CLOSE)
    return text


def _print_tokens(found: InspectedRow) -> None:
    cells = [
        [str(place), str(token.id), token.name, _quoted(token.text), "" if token.label is None else str(token.label)]
        for place, token in enumerate(found.tokens)
    ]
    print_table(("place", "id", "token", "text", "label"), cells)


def _quoted(text: str) -> str:
    """A text whose white space shows."""
    return json.dumps(text, ensure_ascii=False) if text else ""


def harmless(text: str) -> str:
    """The text with its lines, tabs and spaces, and without what may steer a terminal."""
    return "".join(
        letter if letter in "\n\t" or letter.isprintable() or unicodedata.category(letter) == "Zs" else "\ufffd"
        for letter in text
    )
