"""Whether what is asked for can be trained on this device at all: known before data is read or a base loaded."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from adapterkit.artifacts.read import Artifact
from adapterkit.config.schema import TrainConfig
from adapterkit.lineage import BaseIdentity
from adapterkit.stack.fit import require_dora_trains
from adapterkit.training.optimizers import require_optimizer_runs
from adapterkit.workflows.parents import require_base


def require_runs(config: TrainConfig, identity: BaseIdentity, device: torch.device) -> None:
    """Demand that this kind of adapter, and this optimizer, run on this device.

    Raises:
        StackError: the adapter is a DoRA, and the base cannot train it here.
        UsageError: the optimizer needs another device.
    """
    require_dora_trains(config.adapter.use_dora, identity.quantization, device)
    require_optimizer_runs(config.trainer.optimizer, device)


def require_trains_on(parents: Sequence[Artifact], identity: BaseIdentity, device: torch.device) -> None:
    """Demand that something can be trained on top of these parents.

    Raises:
        BaseMismatchError: one was trained on another base.
        StackError: one is a DoRA, and the base cannot train on top of it here.
    """
    require_base(parents, identity)
    on_dora = any("dora" in parent.manifest.adapter.variant for parent in parents)
    require_dora_trains(on_dora, identity.quantization, device)
