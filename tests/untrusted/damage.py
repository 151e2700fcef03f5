"""Damage that a disk, a copy or an attacker does to a file, put there in place and taken back."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SEED = 20


def flips(file: str, size: int, count: int) -> list[tuple[int, int]]:
    """Positions of distinct bits, byte and bit, spread over a file; the same ones every time."""
    draw = random.Random(f"{SEED}/{file}")
    return [divmod(bit, 8) for bit in draw.sample(range(8 * size), min(count, 8 * size))]


def cuts(size: int, step: int = 64) -> range:
    """Every length below a file's own at which it is cut."""
    return range(0, size, step)


@contextmanager
def flipped(path: Path, byte: int, bit: int) -> Iterator[None]:
    """One bit of a file the other way round."""
    with path.open("r+b") as file:
        file.seek(byte)
        (before,) = file.read(1)
        file.seek(byte)
        file.write(bytes([before ^ (1 << bit)]))
    try:
        yield
    finally:
        with path.open("r+b") as file:
            file.seek(byte)
            file.write(bytes([before]))


@contextmanager
def cut(path: Path, size: int) -> Iterator[None]:
    """A file that ends too early."""
    whole = path.read_bytes()
    path.write_bytes(whole[:size])
    try:
        yield
    finally:
        path.write_bytes(whole)
