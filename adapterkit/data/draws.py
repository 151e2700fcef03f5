"""Draws that are the same on every machine: sha256 of a key decides, and nobody's random state."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

from adapterkit.digest import sha256_bytes

_Item = TypeVar("_Item")


def number(*key: object) -> int:
    """A whole number from 0 to 2**64 - 1 for a key."""
    return int(sha256_bytes("\0".join(map(str, key)).encode("utf-8", "surrogatepass"))[:16], 16)


def pick(items: Sequence[_Item], *key: object) -> _Item:
    """One of the items."""
    return items[number(*key) % len(items)]


def shuffled(items: Iterable[_Item], *key: object) -> list[_Item]:
    """The items in an order that the key decides; items that read alike stay as they stood."""
    return sorted(items, key=lambda item: number(*key, item))


def split_of(group: str) -> str:
    """The split of a group of rows: one sixth of all groups is test, one sixth validation."""
    return {0: "test", 1: "validation"}.get(number("split", group) % 6, "train")
