"""The run key: one digest of everything that determines a training's result."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from adapterkit.config.schema import TrainConfig
from adapterkit.digest import json_digest
from adapterkit.lineage import BaseIdentity

# Raise it when the same config would train to other weights than before.
TRAINING_SCHEMA = 5

_NOT_OF_ROWS = ("max_length", "unified", "voice", "short", "install")
_WATCHING_ONLY = ("logging_steps", "keep_checkpoints")
_LIMITS = ("max_artifact_mb",)
# Keys that came later, and what stands for a training without them.
_LATER = {"dtype": "float32"}


def settings(config: TrainConfig) -> dict[str, Any]:
    """What the run key covers of a config - the shape, the training, the seed, how rows are cut - in one form each.

    `lora_alpha` 16 and 16.0 are one setting, and so are the same `target_modules` in another order. What is null is not
    said, so that a key which came later changes no digest of a training without it; nor is such a key's default.
    """
    shape = {k: v for k, v in dataclasses.asdict(config.adapter).items() if k not in _LIMITS and v is not None}
    adapter = {k: v for k, v in shape.items() if k not in _LATER or v != _LATER[k]}
    if (targets := adapter["target_modules"]) != "all-linear":
        adapter["target_modules"] = sorted({targets} if isinstance(targets, str) else set(targets))
    trainer = {k: v for k, v in dataclasses.asdict(config.trainer).items() if k not in _WATCHING_ONLY and v is not None}
    plain = {
        "adapter": adapter,
        "trainer": trainer,
        "seed": config.seed,
        "data": {"max_length": config.data.max_length},
    }
    return {key: _one_form(value) for key, value in plain.items()}


def settings_digest(config: TrainConfig) -> str:
    """Hex sha256 of the settings, and of how this code trains by them."""
    return json_digest({"schema": TRAINING_SCHEMA, **settings(config)})


def rows_digest(config: TrainConfig) -> str:
    """Hex sha256 of what a config says about which rows are read, whoever's: while it and the files stay, they do."""
    data = {key: value for key, value in dataclasses.asdict(config.data).items() if key not in _NOT_OF_ROWS}
    return json_digest(_one_form(data))


def _one_form(value: Any) -> Any:
    """Whole numbers as int, whether they were written 16 or 16.0; true is no number and stays."""
    if isinstance(value, dict):
        return {key: _one_form(entry) for key, entry in value.items()}
    return int(value) if isinstance(value, float) and value.is_integer() else value


def run_key(config: TrainConfig, identity: BaseIdentity, parents: Sequence[str], data_digest: str) -> str:
    """Hex sha256: the same key means the same result is wanted.

    Args:
        config: the training; name, places and descriptions do not count.
        identity: the base.
        parents: weights digests of the frozen members, root-first.
        data_digest: digest of the rows as the model sees them: ids and labels.
    """
    return json_digest(
        {
            "base": identity.source_digest,
            "tokenizer": identity.tokenizer_digest,
            "quantization": dict(identity.quantization),
            "parents": list(parents),
            "data": data_digest,
            "settings": settings_digest(config),
        }
    )
