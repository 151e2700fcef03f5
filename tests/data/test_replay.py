"""Reservoirs: every row has the same chance, the same rows come to the same, and damage is found."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from data.conftest import talk

from adapterkit.config.schema import DataConfig
from adapterkit.data import Conversation, Origin, read_splits
from adapterkit.data.replay import Reservoir
from adapterkit.errors import DataError, UsageError


def rows(first: int, after: int) -> list[Conversation]:
    return [talk(f"user: ask {number}", f"assistant: say {number}") for number in range(first, after)]


def test_rows_added_in_two_goes_come_to_the_same() -> None:
    once = Reservoir(5, seed=3).add(rows(0, 40))
    twice = Reservoir(5, seed=3).add(rows(0, 13)).add(rows(13, 40))
    assert once == twice
    assert once.digest == twice.digest != Reservoir(5, seed=4).add(rows(0, 40)).digest
    assert (len(once.rows), once.seen) == (5, 40)
    assert Reservoir(50).add(rows(0, 40)).rows == tuple(rows(0, 40))


def test_every_row_is_as_likely_as_any_other() -> None:
    given = rows(0, 20)
    held = Counter(row for seed in range(2000) for row in Reservoir(5, seed=seed).add(given).rows)
    # 500 each are expected, with a standard deviation of 19.
    assert all(400 < held[row] < 600 for row in given)


def test_rows_are_drawn_once_each_and_the_same_ones_again() -> None:
    reservoir = Reservoir(30, seed=1).add(rows(0, 30))
    drawn = reservoir.draw(7)
    assert len(set(drawn)) == 7
    assert drawn == reservoir.draw(7)
    assert set(drawn) < set(reservoir.draw(8))
    assert reservoir.draw(99) == reservoir.rows


def test_it_is_what_it_was_after_saving_and_loading(tmp_path: Path) -> None:
    odd = Conversation(talk("user: \u2028 é", "assistant: \r\n").turns, Origin("x", None, "anna", ("anna",)), 0.5, "no")
    saved = Reservoir(3, seed=2).add([*rows(0, 9), odd])
    for reservoir in (saved, replace(saved, rows=(odd, *saved.rows[1:])), Reservoir(3)):
        reservoir.save(tmp_path / "replay.jsonl")
        assert Reservoir.load(tmp_path / "replay.jsonl") == reservoir
    saved.save(tmp_path / "replay.jsonl")
    later = Reservoir.load(tmp_path / "replay.jsonl").add(rows(9, 20))
    assert later == saved.add(rows(9, 20))


def test_every_damaged_byte_is_found(tmp_path: Path) -> None:
    path = tmp_path / "replay.jsonl"
    Reservoir(2, seed=2).add(rows(0, 9)).save(path)
    whole = path.read_bytes()
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(DataError):
            Reservoir.load(path)
    for cut in (0, 10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:cut])
        with pytest.raises(DataError):
            Reservoir.load(path)


def test_a_reservoir_of_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match="capacity of 1 or more"):
        Reservoir(0)


def test_a_share_of_the_rows_to_train_on_are_past_ones_and_none_is_held_out(tmp_path: Path) -> None:
    past = Reservoir(100).add(rows(0, 40))
    past.save(tmp_path / "past.jsonl")
    for name, first, after in (("train", 50, 59), ("test", 0, 38)):
        said = [{"messages": row.messages} for row in rows(first, after)]
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(each) + "\n" for each in said))
    config = DataConfig(
        reader="chat", train=str(tmp_path / "train.jsonl"), near_duplicates="ignore",
        replay=str(tmp_path / "past.jsonl"), replay_share=0.25,
    )  # fmt: skip
    splits = read_splits(config, None)
    assert len(splits.train) == 12
    assert [row.turns for row in splits.train[:9]] == [row.turns for row in rows(50, 59)]
    assert {row.turns for row in splits.train[9:]} <= {row.turns for row in past.rows}
    assert f"file:{tmp_path / 'past.jsonl'}" in splits.origins
    for system in (None, "Be kind."):
        held_out = read_splits(replace(config, test=str(tmp_path / "test.jsonl"), system=system), None)
        assert [row.turns[-2:] for row in held_out.train[9:]] == [row.turns[-2:] for row in rows(38, 40)]
