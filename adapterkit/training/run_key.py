"""The run key: one digest of everything that determines a training's result."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from adapterkit.config.schema import TrainConfig
from adapterkit.digest import json_digest
from adapterkit.lineage import BaseIdentity

# Raise it when the same config would train to other weights than before.
TRAINING_SCHEMA = 3

_WATCHING_ONLY = ("logging_steps", "keep_checkpoints")


def run_key(config: TrainConfig, identity: BaseIdentity, parents: Sequence[str], data_digest: str) -> str:
    """Hex sha256: the same key means the same result is wanted.

    Args:
        config: the training; name, places and descriptions do not count.
        identity: the base.
        parents: weights digests of the frozen members, root-first.
        data_digest: digest of the rows as the model sees them: ids and labels.
    """
    trainer = {k: v for k, v in dataclasses.asdict(config.trainer).items() if k not in _WATCHING_ONLY}
    return json_digest(
        {
            "schema": TRAINING_SCHEMA,
            "base": identity.source_digest,
            "quantization": dict(identity.quantization),
            "parents": list(parents),
            "data": data_digest,
            "adapter": dataclasses.asdict(config.adapter),
            "trainer": trainer,
            "seed": config.seed,
        }
    )
