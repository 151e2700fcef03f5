"""Near duplicates: every pair that is near is found, none that is not, and what is chosen is done."""

from __future__ import annotations

import json
import logging
import random
from pathlib import Path
from typing import Any

import pytest
from data.conftest import talk

from adapterkit.config.schema import DataConfig
from adapterkit.data import Conversation, Splits, read_splits
from adapterkit.data.near import near_pairs, similarity
from adapterkit.errors import DataError

WORDS = [f"w{number}" for number in range(400)]


def text(draw: random.Random, count: int = 40) -> list[str]:
    return draw.choices(WORDS, k=count)


def row(words: list[str]) -> Conversation:
    return talk("user: ask", f"assistant: {' '.join(words)}")


def test_likeness_is_that_of_three_words_in_a_row() -> None:
    one, other = talk("user: a b", "assistant: c d"), talk("user: A, b!", "assistant: c e")
    assert similarity(one, other) == 1 / 3
    assert similarity(one, talk("system: whatever", "user: a b", "assistant: C d.")) == 1.0
    assert similarity(talk("assistant: ?"), talk("assistant: !")) == 0.0
    assert similarity(talk("assistant: yes"), talk("assistant: Yes")) == 1.0


def test_the_pairs_are_those_of_comparing_every_two() -> None:
    draw = random.Random(1)
    rows = []
    for _ in range(120):
        words = text(draw)
        rows.append(row(words))
        if draw.random() < 0.5:
            changed = words[:]
            for _ in range(draw.randint(0, 6)):
                changed[draw.randrange(len(changed))] = draw.choice(WORDS)
            rows.append(row(changed))
    order = list(range(len(rows)))
    near = {
        second: first
        for first in order
        for second in order[first + 1 :]
        if similarity(rows[first], rows[second]) >= 0.8
    }
    found = near_pairs(rows)
    assert {pair.second: pair.first for pair in found} == near
    assert all(pair.similarity == similarity(rows[pair.first], rows[pair.second]) for pair in found)
    assert 10 < len(found) < 60
    assert near_pairs(rows) == found


def test_few_rows_and_odd_ones_have_no_pairs() -> None:
    assert near_pairs([]) == near_pairs([row(["a"])]) == []
    assert near_pairs([talk("assistant: ?"), talk("assistant: !"), talk("assistant: a"), talk("assistant: a b")]) == []


def write(path: Path, said: list[list[str]]) -> str:
    path.write_text(
        "".join(json.dumps({"prompt": "ask", "completion": " ".join(words)}) + "\n" for words in said), "utf-8"
    )
    return str(path)


def read(tmp_path: Path, choice: str) -> Splits:
    draw = random.Random(2)
    said = [text(draw) for _ in range(6)]
    train = write(tmp_path / "train.jsonl", [*said[:4], [*said[1][:-1], "other"]])
    test = write(tmp_path / "test.jsonl", [said[4], [*said[2][:-1], "else"]])
    return read_splits(DataConfig(reader="completion", train=train, test=test, near_duplicates=choice), None)


@pytest.mark.parametrize("choice", ["warn", "ignore"])
def test_near_duplicates_are_told_and_kept(choice: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert len(read(tmp_path, choice).train) == 5
    told = f"{tmp_path}/train.jsonl, line 5 and {tmp_path}/train.jsonl, line 2 (0.9" in caplog.text
    leak = f"{tmp_path}/test.jsonl, line 2 and {tmp_path}/train.jsonl, line 3 (0.9" in caplog.text
    assert told is leak is (choice == "warn")


def test_near_duplicates_are_dropped(tmp_path: Path) -> None:
    splits = read(tmp_path, "drop")
    assert [each.origin.line for each in splits.train] == [1, 2, 4]
    assert len(splits.test) == 2


def test_near_duplicates_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"1 pair: training rows say nearly what a held-out row says"):
        read(tmp_path, "error")


def test_an_exact_leak_is_an_error_whatever_is_chosen(tmp_path: Path) -> None:
    said: list[Any] = [["a", "b", "c"], ["d", "e", "f"]]
    train, test = write(tmp_path / "train.jsonl", said), write(tmp_path / "test.jsonl", said[1:])
    with pytest.raises(DataError, match=r"test\.jsonl, line 1: .*train\.jsonl, line 2"):
        read_splits(DataConfig(reader="completion", train=train, test=test, near_duplicates="ignore"), None)
