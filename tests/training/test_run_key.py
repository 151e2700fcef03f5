"""The run key: the same for settings that mean the same, however they are written."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapterkit.config.schema import AdapterConfig, BudgetConfig, DataConfig, TrainConfig, TrainerConfig
from adapterkit.training.run_key import rows_digest, settings_digest


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
        ("dtype", "float32", "bfloat16"),
    ],
)
def test_settings_that_differ_have_two(key: str, one: Any, other: Any) -> None:
    assert settings_digest(config(**{key: one})) != settings_digest(config(**{key: other}))


def test_keys_that_came_later_leave_the_digest_of_a_training_without_them() -> None:
    assert settings_digest(config()) == "34b39adf3a1efc457441869795398254ed680379c073bdb517f265d2dfe79c39"


@pytest.mark.parametrize("limit", [None, 1.0, 99.0])
def test_a_budget_does_not_count(limit: float | None) -> None:
    assert settings_digest(config(max_artifact_mb=limit, budget=BudgetConfig(limit))) == settings_digest(config())


def test_what_is_only_watched_does_not_count() -> None:
    assert settings_digest(config(logging_steps=1, keep_checkpoints=1)) == settings_digest(config())


@given(st.integers(-(2**53), 2**53))
def test_every_whole_number_is_one_number(value: int) -> None:
    assert settings_digest(config(lora_alpha=value)) == settings_digest(config(lora_alpha=float(value)))


def test_row_limits_too() -> None:
    assert rows_digest(config(max_train_rows=8)) == rows_digest(config(max_train_rows=8.0))
    assert rows_digest(config(max_train_rows=None)) != rows_digest(config(max_train_rows=1))
