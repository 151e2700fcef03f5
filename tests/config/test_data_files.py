"""Readers of files in the composed config: each is chosen by its name, and wrong values are refused before any row."""

from __future__ import annotations

import pytest

from adapterkit.config.asked import Asked
from adapterkit.config.checks import check_values
from adapterkit.config.compose import compose_asked, composing
from adapterkit.data.readers import SHAPES
from adapterkit.errors import UnknownNameError, UsageError
from adapterkit.training.run_key import data_settings_digest


def composed(*overrides):
    with composing():
        return compose_asked(Asked("unified", overrides)).config


@pytest.mark.parametrize("name", SHAPES)
def test_a_reader_of_files_is_chosen_by_its_name(name):
    config = composed(f"data={name}", "data.train=datasets:mine/rows:train", "data.splits=s.json")
    check_values(config)
    assert (config.data.reader, config.data.unified) == (name, f"unified_{name}")
    assert (config.data.train, config.data.splits) == ("datasets:mine/rows:train", "s.json")
    assert (config.data.on_bad_row, config.data.near_duplicates) == ("error", "warn")


@pytest.mark.parametrize(
    "override",
    [
        "data.max_bad_ratio=1",
        "data.max_bad_ratio=-0.1",
        "data.replay_share=1",
    ],
)
def test_a_wrong_value_names_its_key(override):
    with pytest.raises(UsageError, match=f"{override.partition('=')[0]}=.* cannot be used: it takes"):
        check_values(composed("data=chat", "data.train=x.jsonl", override))


@pytest.mark.parametrize(
    ("override", "meant"), [("on_bad_row=quarantin", "quarantine"), ("near_duplicates=dropp", "drop")]
)
def test_a_choice_that_is_none_is_answered_with_the_one_that_was_meant(override, meant):
    with pytest.raises(UnknownNameError, match=f"Unknown data.{override.partition('=')[0]} .* Did you mean {meant}"):
        check_values(composed("data=chat", "data.train=x.jsonl", f"data.{override}"))


def test_settings_that_came_later_change_no_digest_at_their_defaults():
    config = composed("data=chat", "data.train=x.jsonl")
    before = data_settings_digest(config)
    assert before == "76371bc96a2c261498c6acce1f31ebfb8bdbe994e70ced42a13f0af113afc003"
    config.data.splits = "s.json"
    assert data_settings_digest(config) != before
