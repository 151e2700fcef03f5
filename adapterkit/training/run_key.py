"""The run key: one digest of everything that determines a training's result."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from adapterkit.config.schedules import schedule_settings
from adapterkit.config.schema import ALL_LINEAR, DataConfig, TrainConfig
from adapterkit.digest import json_digest
from adapterkit.lineage import BaseIdentity

# Raise it when the same config would train to other weights than before.
TRAINING_SCHEMA = 8

_NOT_OF_ROWS = ("max_length", "on_long_row", "unified", "voice", "short", "install")
# Settings of data that came later; one at its default is not said, so that it changes no digest of before.
_ROWS_CAME_LATER = (
    "splits", "on_bad_row", "max_bad_ratio", "quarantine", "near_duplicates", "replay", "replay_share",
    "style", "augment", "seed", "task", "rows",
)  # fmt: skip
_WATCHING_ONLY = ("logging_steps", "keep_checkpoints")
# Settings that came later, and what they are in a training without them.
_CAME_LATER = {"init_lora_weights": "default", "dtype": "float32", "optimizer": "adamw", "on_long_row": "error"}
# What an adapter preset proposes or says; what the trainer makes of it counts there.
_NOT_OF_SHAPE = ("epochs", "learning_rate", "max_steps", "max_artifact_mb", "intended_use", "tags")


def settings(config: TrainConfig) -> dict[str, Any]:
    """What the run key covers of a config - the shape, the training, the seed, how rows are cut - in one form each.

    `lora_alpha` 16 and 16.0 are one setting, and so are the same `target_modules` in another order. What is null, or
    came later and stands at its default, is not said, so that it changes no digest of a training without it.
    """
    adapter = {k: v for k, v in _said(dataclasses.asdict(config.adapter)).items() if k not in _NOT_OF_SHAPE}
    if config.adapter.target_modules != ALL_LINEAR:
        adapter["target_modules"] = sorted(set(config.adapter.targets))
    training = dataclasses.asdict(config.trainer) | {"lr_scheduler_kwargs": schedule_settings(config.trainer) or None}
    trainer = {k: v for k, v in _said(training).items() if k not in _WATCHING_ONLY}
    plain: dict[str, Any] = {
        "adapter": adapter,
        "trainer": trainer,
        "seed": config.seed,
        "data": _said({key: getattr(config.data, key) for key in ("max_length", "on_long_row")}),
    }
    if config.incremental:
        plain["incremental"] = True
    return {key: _one_form(value) for key, value in plain.items()}


def _said(settings: dict[str, Any]) -> dict[str, Any]:
    return {
        key: value
        for key, value in settings.items()
        if value is not None and not (key in _CAME_LATER and value == _CAME_LATER[key])
    }


def settings_digest(config: TrainConfig) -> str:
    """Hex sha256 of the settings, and of how this code trains by them."""
    return json_digest({"schema": TRAINING_SCHEMA, **settings(config)})


def data_settings_digest(config: TrainConfig) -> str:
    """Hex sha256 of what a config says about which rows are read, whoever's: while it and the files stay, they do."""
    standard = dataclasses.asdict(DataConfig(reader=""))
    data = {
        key: value
        for key, value in dataclasses.asdict(config.data).items()
        if key not in _NOT_OF_ROWS and not (key in _ROWS_CAME_LATER and value == standard[key])
    }
    return json_digest(_one_form(data))


def _one_form(value: Any) -> Any:
    """Whole numbers as int, whether they were written 16 or 16.0; true is no number and stays."""
    if isinstance(value, dict):
        return {key: _one_form(entry) for key, entry in value.items()}
    return int(value) if isinstance(value, float) and value.is_integer() else value


def run_key(
    config: TrainConfig,
    identity: BaseIdentity,
    parents: Sequence[str],
    data_digest: str,
    started_from: str | None = None,
) -> str:
    """Hex sha256: the same key means the same result is wanted.

    Args:
        config: the training; name, places and descriptions do not count.
        identity: the base.
        parents: weights digests of the frozen members, root-first.
        data_digest: digest of the rows as the model sees them: ids and labels.
        started_from: weights digest of the version that the run starts from; null for a fresh start.
    """
    covered = {
        "base": identity.source_digest,
        "tokenizer": identity.tokenizer_digest,
        "quantization": dict(identity.quantization),
        "parents": list(parents),
        "data": data_digest,
        "settings": settings_digest(config),
    }
    return json_digest(covered if started_from is None else {**covered, "started_from": started_from})
