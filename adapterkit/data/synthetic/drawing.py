"""Numbers that look drawn and are the same everywhere: splitmix64, and a permutation of a range that costs no table."""

from __future__ import annotations

from functools import lru_cache
from math import gcd, isqrt

_MASK = (1 << 64) - 1
_SMALL = (1 << 30) - 1


def mixed(*parts: int) -> int:
    """One number of 64 bits from several, by splitmix64 (Steele, Lea and Flood, 2014)."""
    state = 0
    for part in parts:
        state = (state ^ part) + 0x9E3779B97F4A7C15 & _MASK
        state = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 & _MASK
        state = (state ^ state >> 27) * 0x94D049BB133111EB & _MASK
        state ^= state >> 31
    return state


def scattered(count: int, size: int, key: int) -> list[int]:
    """The first values of a permutation of `range(size)`: all differ, so no draw has to be remembered.

    Equal steps of about a golden section around the range, and then two rounds of a Feistel network over pairs (h, l)
    with h below a and l below b, where a b = size: each adds to one half what the other gives, modulo that half's own
    size. All of it can be undone.

    Args:
        count: how many values, at most `size`.
        size: of the range, below 2**60.
        key: another key, another permutation.
    """
    width, step = _width(size), _step(size)
    height = size // width
    start, first, second = (mixed(key, turn) for turn in range(3))
    first, second, place = first & _SMALL, second & _SMALL, start % size
    values = []
    for _ in range(count):
        high, low = divmod(place, width)
        # Multiplied twice, with shifts between: once alone would be linear, and rows like their neighbours. Numbers of
        # 30 bits are one digit of Python's integers, and fast.
        drawn = (low ^ first) * 0x2C1B3C6D & _SMALL
        drawn = (drawn ^ drawn >> 13) * 0x297A2D39 & _SMALL
        high = (high + (drawn ^ drawn >> 15)) % height
        drawn = (high ^ second) * 0x2C1B3C6D & _SMALL
        drawn = (drawn ^ drawn >> 13) * 0x297A2D39 & _SMALL
        values.append(high * width + (low + (drawn ^ drawn >> 15)) % width)
        place += step
        if place >= size:
            place -= size
    return values


@lru_cache(maxsize=4096)
def _width(size: int) -> int:
    """The largest divisor that is no larger than the root."""
    return next(divisor for divisor in range(isqrt(size), 0, -1) if size % divisor == 0)


@lru_cache(maxsize=4096)
def _step(size: int) -> int:
    """The first number from a golden section of the size on that has no divisor in common with it."""
    return next(step for step in range(size * 618 // 1000, size + 1) if gcd(step, size) == 1)
