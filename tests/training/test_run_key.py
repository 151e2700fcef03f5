"""The run key: the same for settings that mean the same, however they are written."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapterkit.config.schema import AdapterConfig, BudgetConfig, DataConfig, TrainConfig, TrainerConfig
from adapterkit.lineage import BaseIdentity
from adapterkit.training.run_key import data_settings_digest, run_key, settings, settings_digest

# The digest of `config()` under training schema 5, from before presets proposed anything.
KNOWN = "34b39adf3a1efc457441869795398254ed680379c073bdb517f265d2dfe79c39"


def config(**changes: Any) -> TrainConfig:
    parts: dict[str, Any] = {
        "adapter": AdapterConfig(r=4, lora_alpha=8.0),
        "trainer": TrainerConfig(epochs=1.0, learning_rate=1e-3),
        "data": DataConfig(reader="chat"),
    }
    whole = TrainConfig(name="unified", **parts)
    for key, value in changes.items():
        # What an adapter preset proposes bears the trainer's names, and the data's seed the whole's: these are meant.
        places = (whole, *(parts[name] for name in ("trainer", "data", "adapter")))
        part = next(place for place in places if hasattr(place, key))
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
        ("on_long_row", "error", "drop"),
        ("on_long_row", "drop", "truncate_prompt"),
        ("keep_best", True, False),
        ("dtype", "float32", "bfloat16"),
    ],
)
def test_settings_that_differ_have_two(key: str, one: Any, other: Any) -> None:
    assert settings_digest(config(**{key: one})) != settings_digest(config(**{key: other}))


@pytest.mark.parametrize(
    ("key", "proposed"),
    [
        ("epochs", 15.0), ("learning_rate", 1.0), ("max_steps", 1000), ("max_artifact_mb", 10.0),
        ("intended_use", "All."), ("tags", ["x"]),
    ],
)  # fmt: skip
def test_what_a_preset_proposes_does_not_count_but_what_the_trainer_makes_of_it(key: str, proposed: Any) -> None:
    asked = config()
    setattr(asked.adapter, key, proposed)
    assert settings_digest(asked) == settings_digest(config())


def test_what_is_said_of_an_adapter_does_not_count() -> None:
    told = config(description="x", intended_use="y", tags=["z"], custom={"ticket": 1})
    assert settings_digest(told) == settings_digest(config())


def test_a_key_that_came_later_changes_no_digest_of_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapterkit.training.run_key.TRAINING_SCHEMA", 5)
    assert settings_digest(config()) == KNOWN
    assert settings_digest(config(step_limit=1000)) != KNOWN


@pytest.mark.parametrize("limit", [None, 1.0, 99.0])
def test_a_budget_does_not_count(limit: float | None) -> None:
    assert settings_digest(config(max_artifact_mb=limit, budget=BudgetConfig(limit))) == settings_digest(config())


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


def test_a_key_is_of_these_parts_and_never_changes_unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every adapter that is published bears one: another digest for the same training would train all of them again."""
    monkeypatch.setattr("adapterkit.training.run_key.TRAINING_SCHEMA", 5)
    identity = BaseIdentity("tiny", "main", "a" * 64, {"kind": "nf4", "double_quant": True}, "b" * 64)
    parts = {
        "base": "a" * 64,
        "tokenizer": "b" * 64,
        "quantization": {"kind": "nf4", "double_quant": True},
        "parents": ["c" * 64],
        "data": "d" * 64,
        "settings": KNOWN,
    }
    written = json.dumps(parts, sort_keys=True, separators=(",", ":")).encode()
    assert run_key(config(), identity, ["c" * 64], "d" * 64) == hashlib.sha256(written).hexdigest()


@given(st.integers(-(2**53), 2**53))
def test_every_whole_number_is_one_number(value: int) -> None:
    assert settings_digest(config(lora_alpha=value)) == settings_digest(config(lora_alpha=float(value)))


def test_what_decides_no_row_is_no_part_of_the_digest_of_rows() -> None:
    for change in ({"max_length": 77}, {"on_long_row": "drop"}, {"voice": "another"}, {"install": "pip install x"}):
        assert data_settings_digest(config(**change)) == data_settings_digest(config()), change


def test_row_limits_too() -> None:
    assert data_settings_digest(config(max_train_rows=8)) == data_settings_digest(config(max_train_rows=8.0))
    assert data_settings_digest(config(max_train_rows=None)) != data_settings_digest(config(max_train_rows=1))
