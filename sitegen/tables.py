"""A table in Markdown."""

from __future__ import annotations

from collections.abc import Sequence


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table and an empty line; a `|` in a cell is a letter like any other.

    Args:
        head: of each column.
        rows: as many cells each.
    """
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_cell(each) for each in line) + " |" for line in lines) + "\n"


def _cell(text: str) -> str:
    # In code, which is every second piece, markdown takes a `|` as it is.
    pieces = " ".join(text.split()).split("`")
    return "`".join(piece if place % 2 else piece.replace("|", "\\|") for place, piece in enumerate(pieces))
