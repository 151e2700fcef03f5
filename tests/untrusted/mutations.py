"""Mutations of real files: of their bytes, and of the JSON in them, by a generator that a seed fixes."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

# What breaks readers: other kinds, edges of numbers, long and strange texts, deep and wide structures.
ODD_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2**31, 2**63, 2**64, 10**400, -(10**400), 0.5, -0.0, 1e308, 5e-324),
    *("", " ", "\x00", "\ud800", "\U0001f642", "a" * 10_000, "../../x", "1.0.0", "unified@1.0.0", "${a}", "NaN"),
    *([], [[]], [None], {}, {"": {}}, {"a": [{}]}, [0] * 2000),
)
ODD_TEXT: tuple[str, ...] = (
    "NaN",
    "-Infinity",
    "1e999",
    "9" * 5000,
    "[" * 2000,
    '"\\ud800"',
    '{"a":1,"a":2}',
    "01",
    "'x'",
)
_PLACE = "@odd text@"


def damaged_bytes(data: bytes, draw: random.Random) -> bytes:
    """One to four edits: a bit, a byte, a piece put in, taken out, doubled or swapped, or the rest cut off."""
    found = bytearray(data)
    for _ in range(draw.randint(1, 4)):
        at, length = draw.randrange(len(found) + 1), draw.choice((1, 1, 2, 8, 64))
        piece = found[at : at + length]
        edit = draw.randrange(6)
        if edit == 0 and at < len(found):
            found[at] ^= 1 << draw.randrange(8)
        elif edit == 1:
            found[at:at] = draw.randbytes(length)
        elif edit == 2:
            del found[at : at + length]
        elif edit == 3:
            found[at:at] = piece * draw.randint(1, 50)
        elif edit == 4:
            found[at : at + length] = bytes(draw.choice(b'{}[]":,\\0e-\n \x00\xff&*!<%$') for _ in range(length))
        else:
            del found[at:]
    return bytes(found)


def damaged_json(data: bytes, draw: random.Random) -> bytes:
    """One to three edits of the structure: a value replaced, a key taken out, added, renamed or doubled."""
    tree: Any = copy.deepcopy(json.loads(data))
    for _ in range(draw.randint(1, 3)):
        tree = _edit(tree, draw)
    text = json.dumps(tree)
    if _PLACE in text:
        text = text.replace(f'"{_PLACE}"', draw.choice(ODD_TEXT), 1)
    return text.encode("utf-8")


def _edit(tree: Any, draw: random.Random) -> Any:
    holders = _holders(tree)
    if not holders:
        return draw.choice(ODD_VALUES)
    holder = draw.choice(holders)
    key = draw.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
    edit = draw.randrange(5)
    if edit == 0:
        holder[key] = copy.deepcopy(draw.choice(ODD_VALUES))
    elif edit == 1:
        holder[key] = _PLACE
    elif edit == 2:
        del holder[key]
    elif edit == 3 and isinstance(holder, dict):
        holder[draw.choice((key + " ", key.upper(), "surprise", "", "_target_"))] = holder[key]
    else:
        # A piece of the file where another belongs.
        holder[key] = copy.deepcopy(draw.choice([*holders, key]))
    return tree


def _holders(tree: Any) -> list[Any]:
    """Every table and list that is not empty."""
    inner = list(tree.values()) if isinstance(tree, dict) else tree if isinstance(tree, list) else []
    return ([tree] if inner else []) + [each for part in inner for each in _holders(part)]
