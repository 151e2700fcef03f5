"""Whether what is asked for can be trained at all, known before a base is loaded; `estimate` asks it too."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from adapterkit.artifacts.read import Artifact
from adapterkit.base.quantization import settings_of
from adapterkit.config.schema import TrainConfig
from adapterkit.lineage import BaseIdentity
from adapterkit.registry.registry import Registry
from adapterkit.stack.fit import require_dora_trains
from adapterkit.training.optimizers import require_optimizer_runs
from adapterkit.workflows.parents import TRAINED, require_base, require_room, require_same_kind
from adapterkit.workflows.recorded import config_yaml
from adapterkit.workflows.starting import require_start


def require_possible(config: TrainConfig, name: str, registry: Registry, device: torch.device) -> None:
    """Demand what can be known from the config, the registry and the device alone.

    Args:
        config: the training; its values are checked.
        name: the adapter's, with its suffix.
        registry: where an earlier version is.
        device: where it trains.

    Raises:
        UsageError: the config cannot be published, the optimizer needs another device, or the start is another
            adapter's.
        StackError: the adapter is a DoRA, and the base cannot train it here.
        RefNotFoundError, ArtifactError: as `require_start`.
    """
    config_yaml(config)  # raises where the config cannot be published
    require_dora_trains(config.adapter.use_dora, settings_of(config.quantization), device)
    require_optimizer_runs(config.trainer.optimizer, device)
    if not config.incremental:
        require_same_kind(registry, name, TRAINED, f"name={name}_trained")
    require_start(config, registry, name)


def require_trains_on(parents: Sequence[Artifact], name: str, identity: BaseIdentity, device: torch.device) -> None:
    """Demand that an adapter of this name can be trained on top of these parents.

    Raises:
        BaseMismatchError: one was trained on another base.
        StackError: one is a DoRA, and the base cannot train on top of it here.
        UsageError: as `require_room`.
    """
    require_base(parents, identity)
    on_dora = any("dora" in parent.manifest.adapter.variant for parent in parents)
    require_dora_trains(on_dora, identity.quantization, device)
    require_room(parents, name)
