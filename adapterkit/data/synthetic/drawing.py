"""Numbers that look drawn and are the same everywhere: splitmix64, and a permutation of a range that costs no table."""

from __future__ import annotations

from functools import lru_cache
from math import isqrt

_MASK = (1 << 64) - 1
_ODD = 0x9E3779B97F4A7C15


def mixed(*parts: int) -> int:
    """One number of 64 bits from several, by splitmix64 (Steele, Lea and Flood, 2014)."""
    state = 0
    for part in parts:
        state = (state ^ part) + _ODD & _MASK
        state = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 & _MASK
        state = (state ^ state >> 27) * 0x94D049BB133111EB & _MASK
        state ^= state >> 31
    return state


def scattered(count: int, size: int, key: int) -> list[int]:
    """The first values of a permutation of `range(size)`: all differ, so no draw has to be remembered.

    Three rounds of a Feistel network over pairs (h, l) with h below a and l below b, where a b = size: each round adds
    to one half what the other gives, modulo that half's own size, so that it can be undone.

    Args:
        count: how many values, at most `size`.
        size: of the range.
        key: another key, another permutation.
    """
    width = _width(size)
    height = size // width
    # Odd and large, so that a square of the sum has bits of all of them in its middle.
    first, second, third = (mixed(key, turn) >> 3 | 1 for turn in range(3))
    values = []
    for number in range(count):
        high, low = divmod(number, width)
        low = (low + ((high + first) ** 2 >> 40)) % width
        high = (high + ((low + second) ** 2 >> 40)) % height
        low = (low + ((high + third) ** 2 >> 40)) % width
        values.append(high * width + low)
    return values


@lru_cache(maxsize=4096)
def _width(size: int) -> int:
    """The largest divisor that is no larger than the root."""
    return next(divisor for divisor in range(isqrt(size), 0, -1) if size % divisor == 0)
