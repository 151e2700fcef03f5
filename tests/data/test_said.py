"""Rows that are decoded in one step say what the slow way makes of them, or are left to it."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from adapterkit.data.row_index import row_in
from adapterkit.data.said import SHAPES, Said, quick, said_of
from adapterkit.errors import DataError

ROWS: dict[str, dict[str, Any]] = {
    "chat": {"messages": [{"role": "user", "content": "q: one?"}, {"role": "assistant", "content": "a"}]},
    "completion": {"prompt": "q:", "completion": "é\n"},
    "instruction": {"instruction": "do: it", "input": "x:y", "output": "a"},
    "examples": {"input": "q", "output": "a:b", "weight": 2},
    "preference": {"prompt": "q", "chosen": "a", "rejected": "b: c"},
}
ODD: tuple[Any, ...] = (
    "",
    " ",
    "\u00a0",
    ":",
    "a:b",
    "x\u003ay",
    None,
    1,
    0.5,
    -1,
    True,
    1e31,
    10**30,
    [],
    {},
    {"a": 1},
    ["user"],
)
ROLES = ("system", "user", "assistant", "tool", "")


def changed(row: dict[str, Any], draw: random.Random) -> dict[str, Any]:
    """A row with one thing other than it was."""
    row = json.loads(json.dumps(row))
    messages = row.get("messages")
    inside = [each for each in messages if isinstance(each, dict) and each] if isinstance(messages, list) else []
    place = draw.choice([row, *inside])
    what = draw.randrange(5)
    if what == 0:
        place[draw.choice(list(place))] = draw.choice(ODD)
    elif what == 1:
        place[draw.choice(["persona", "id", "weight", "input", "role", "a:b", "output"])] = draw.choice(
            ("anna", "a:b", *ODD)
        )
    elif what == 2 and len(place) > 1:
        del place[draw.choice(list(place))]
    elif what == 3 and "messages" in row:
        row["messages"] = [
            {"role": draw.choice(ROLES), "content": draw.choice(("x", "y:z"))} for _ in range(draw.randrange(4))
        ]
    else:
        place["persona"] = draw.choice(("anna", "ben: the second", ""))
    return row


def written(row: dict[str, Any], draw: random.Random) -> bytes:
    """One of the ways to write it, some of which no writer of JSON would take."""
    text = json.dumps(row, ensure_ascii=draw.random() < 0.5)
    key = draw.choice(list(row) or ["x"])
    return draw.choice(
        (
            text,
            f" {text}\r",
            text.replace(":", "\\u003a", 1) if '": ' not in text[:3] else text,
            text.replace('":', '"\t:'),
            text[:-1] + f', "{key}": "twice"}}',
            text.replace(key, "\\u00" + format(ord(key[0]), "02x") + key[1:], 1) if key else text,
            text[: draw.randrange(len(text))],
            text.replace("q", "\\ud800"),
        )
    ).encode()


@pytest.mark.parametrize("name", ROWS)
def test_what_is_decoded_in_one_step_is_what_the_shape_makes_of_it(name: str) -> None:
    draw, decode, shape = random.Random(name), quick(SHAPES[name]), SHAPES[name]
    decoded = refused = 0
    for _ in range(8_000):
        row = ROWS[name]
        for _ in range(draw.randrange(3)):
            row = changed(row, draw)
        line = written(row, draw)
        found = decode(line)
        slow: Said | None
        try:
            slow = said_of(row_in(line, shape, "x.jsonl", 1))
        except DataError:
            slow = None
            refused += 1
        if found is not None:
            decoded += 1
            assert found == slow, line
            assert found.canonical == row_in(line, shape, "x.jsonl", 1).canonical
    assert decoded > 1000
    assert refused > 1000


@pytest.mark.parametrize("name", ROWS)
def test_usual_rows_are_decoded_in_one_step(name: str) -> None:
    """Otherwise the test above would prove nothing of them."""
    for more in ({}, {"persona": "anna: the first"}):
        assert quick(SHAPES[name])(json.dumps({**ROWS[name], **more}).encode()) is not None
