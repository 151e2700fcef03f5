"""The run key: one digest of everything that determines a training's result."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from adapterkit.config.schema import TrainConfig
from adapterkit.digest import json_digest
from adapterkit.lineage import BaseIdentity

# Raise it when the same config would train to other weights than before.
TRAINING_SCHEMA = 4

_NOT_OF_ROWS = ("max_length", "unified", "voice", "short", "install")
WATCHING_ONLY = ("logging_steps", "keep_checkpoints")


def settings_digest(config: TrainConfig) -> str:
    """Hex sha256 of what the run key covers of a config: the shape, the training, the seed, and how rows are cut."""
    trainer = {k: v for k, v in dataclasses.asdict(config.trainer).items() if k not in WATCHING_ONLY}
    return json_digest(
        {
            "schema": TRAINING_SCHEMA,
            "adapter": dataclasses.asdict(config.adapter),
            "trainer": trainer,
            "seed": config.seed,
            "max_length": config.data.max_length,
        }
    )


def rows_digest(config: TrainConfig) -> str:
    """Hex sha256 of what a config says about which rows are read, whoever's: while it and the files stay, they do."""
    data = {key: value for key, value in dataclasses.asdict(config.data).items() if key not in _NOT_OF_ROWS}
    return json_digest(data)


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
