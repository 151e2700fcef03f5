"""The run key: the same for settings that mean the same, however they are written."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapterkit.config.schema import AdapterConfig, DataConfig, TrainConfig, TrainerConfig
from adapterkit.lineage import BaseIdentity
from adapterkit.training.run_key import rows_digest, run_key, settings, settings_digest


def config(**changes: Any) -> TrainConfig:
    parts: dict[str, Any] = {
        "adapter": AdapterConfig(r=4, lora_alpha=8.0),
        "trainer": TrainerConfig(epochs=1.0, learning_rate=1e-3),
        "data": DataConfig(reader="chat"),
    }
    whole = TrainConfig(name="unified", **parts)
    for key, value in changes.items():
        part = next((p for p in parts.values() if hasattr(p, key)), whole)
        setattr(part, key, value)
    return whole


@pytest.mark.parametrize(
    ("key", "one", "other"),
    [
        ("lora_alpha", 16, 16.0),
        ("lora_dropout", 0, 0.0),
        ("lora_dropout", 0.0, -0.0),
        ("epochs", 3, 3.0),
        ("learning_rate", 1, 1.0),
        ("r", 8, 8.0),
        ("max_steps", -1, -1.0),
        ("seed", 5, 5.0),
        ("max_length", 512, 512.0),
        ("target_modules", "q_proj", ["q_proj"]),
        ("target_modules", ["q_proj", "v_proj"], ("v_proj", "q_proj", "q_proj")),
    ],
)
def test_settings_that_mean_the_same_have_one_digest(key: str, one: Any, other: Any) -> None:
    assert settings_digest(config(**{key: one})) == settings_digest(config(**{key: other}))


@pytest.mark.parametrize(
    ("key", "one", "other"),
    [
        ("lora_alpha", 16, 16.5),
        ("use_dora", True, False),
        ("use_dora", True, 1),
        ("r", 1, True),
        ("lora_alpha", 1, True),
        ("target_modules", "all-linear", ["all-linear"]),
        ("target_modules", ["q_proj"], ["v_proj"]),
        ("seed", 0, 1),
        ("max_length", 256, 512),
        ("keep_best", True, False),
    ],
)
def test_settings_that_differ_have_two(key: str, one: Any, other: Any) -> None:
    assert settings_digest(config(**{key: one})) != settings_digest(config(**{key: other}))


def test_what_is_only_watched_does_not_count() -> None:
    assert settings_digest(config(logging_steps=1, keep_checkpoints=1)) == settings_digest(config())


def test_what_came_later_is_said_only_where_it_is_used() -> None:
    said = settings(config())
    assert not {"optimizer", "loraplus_lr_ratio", "init_lora_weights"} & {*said["trainer"], *said["adapter"]}
    assert "incremental" not in said
    changed = {"optimizer": "sgd", "loraplus_lr_ratio": 2.0, "init_lora_weights": "eva", "incremental": True}
    digests = {settings_digest(config(**{key: value})) for key, value in changed.items()}
    assert len({*digests, settings_digest(config())}) == 5


def test_what_a_run_starts_from_is_part_of_its_key() -> None:
    identity = BaseIdentity("tiny", None, "a" * 64, {"kind": "none"})
    plain, started = (run_key(config(), identity, [], "d" * 64, start) for start in (None, "e" * 64))
    assert plain == run_key(config(), identity, [], "d" * 64)
    assert plain != started


@given(st.integers(-(2**53), 2**53))
def test_every_whole_number_is_one_number(value: int) -> None:
    assert settings_digest(config(lora_alpha=value)) == settings_digest(config(lora_alpha=float(value)))


def test_row_limits_too() -> None:
    assert rows_digest(config(max_train_rows=8)) == rows_digest(config(max_train_rows=8.0))
    assert rows_digest(config(max_train_rows=None)) != rows_digest(config(max_train_rows=1))
