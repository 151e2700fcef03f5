"""The lines of a file, with where each begins; a line without end costs no memory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NamedTuple

from adapterkit.errors import DataError

BLOCK = 1 << 20


class Line(NamedTuple):
    """One line of a file.

    Attributes:
        number: 1-based.
        start: the offset of its first byte.
        size: how many bytes it has without its end.
        content: these bytes; null when they are more than the limit.
    """

    number: int
    start: int
    size: int
    content: bytes | None


def scan(descriptor: int, path: str, *, limit: int, skip: bool) -> Iterator[Line]:
    """Go through a file once, a block at a time.

    Args:
        descriptor: of the open file; its position does not matter and stays.
        path: of the file, for the error.
        limit: the most bytes that a line may have.
        skip: give a longer line without its content; otherwise it is an error as soon as the limit is passed.

    Raises:
        DataError: a line is longer than the limit, and not to be skipped; the file cannot be read.
    """
    number, start, held, dropped = 0, 0, b"", 0
    for block in _blocks(descriptor, path):
        *ended, rest = block.split(b"\n")
        for piece in ended:
            number += 1
            size = dropped + len(held) + len(piece)
            if size > limit and not skip:
                raise _too_long(path, number, limit)
            yield Line(number, start, size, (held + piece if held else piece) if size <= limit else None)
            start, held, dropped = start + size + 1, b"", 0
        held += rest
        if dropped + len(held) > limit:
            if not skip:
                raise _too_long(path, number + 1, limit)
            dropped, held = dropped + len(held), b""
    if held or dropped:
        yield Line(number + 1, start, dropped + len(held), held if not dropped else None)


def _blocks(descriptor: int, path: str) -> Iterator[bytes]:
    position = 0
    try:
        while block := os.pread(descriptor, BLOCK, position):
            yield block
            position += len(block)
    except OSError as error:
        raise DataError(f"The file cannot be read: {error}", path=path) from error


def _too_long(path: str, number: int, limit: int) -> DataError:
    return DataError(
        f"The line is longer than {limit >> 20} MiB. One object a line; is this a single JSON document?",
        path=path, line=number,
    )  # fmt: skip
