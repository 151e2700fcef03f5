"""All that a training decides before anything large is loaded: data, parents, run key, and whether it is wanted."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from adapterkit.artifacts.read import Artifact
from adapterkit.base.device import resolve_device
from adapterkit.base.load import identify, load_tokenizer
from adapterkit.config.asked import Asked
from adapterkit.config.schema import TrainConfig
from adapterkit.lineage import BaseIdentity
from adapterkit.ranks import here
from adapterkit.registry.registry import Registry
from adapterkit.training.estimate import RemainingTime
from adapterkit.training.run_key import run_key
from adapterkit.workflows.ability import require_possible, require_trains_on
from adapterkit.workflows.estimating import foretell, ground_of, work_within_budget
from adapterkit.workflows.parents import ComposeParent, Train, require_known, resolve_parents
from adapterkit.workflows.rows import TokenRows, read_rows
from adapterkit.workflows.starting import origin_of, starting_digest

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Plan:
    """One training, decided and not begun.

    Attributes:
        name: the adapter's, with its suffix.
        config: the whole of the training.
        asked: the command that it was composed from.
        registry: where it is published.
        device: where it trains.
        identity: the base.
        folder: where the base lies.
        rows: the data.
        parents: the frozen lineage, root-first.
        key: the run key.
        started_from: weights digest of the version that it starts from; null for a fresh start.
        origin: that version.
        remaining: says after some steps how long the rest takes.
    """

    name: str
    config: TrainConfig
    asked: Asked
    registry: Registry
    device: torch.device
    identity: BaseIdentity
    folder: Path
    rows: TokenRows
    parents: Sequence[Artifact]
    key: str
    started_from: str | None
    origin: Artifact | None
    remaining: RemainingTime


def prepare(
    name: str, config: TrainConfig, asked: Asked, compose_parent: ComposeParent | None, train_parent: Train
) -> Plan | Artifact:
    """Decide on a training; its parent is trained first, when that is missing and its recipe is known.

    Args:
        name: the adapter's, with its suffix.
        config: the whole of the training.
        asked: the command that it was composed from.
        compose_parent: from a recipe's name and the child's config to the parent's config and command, or None.
        train_parent: trains a missing parent.

    Returns:
        The plan, or the published adapter of the same run key.

    Raises:
        AdapterKitError: anything a user can cause.
    """
    registry = Registry(Path(config.registry))
    device = resolve_device(config.device)
    # What cannot be published must be said before hours are spent on it.
    require_possible(config, name, registry, device)
    registry.require_writable(name)
    require_known(config, asked, registry, compose_parent)
    identity, folder = here().in_turn("the base on the disk", partial(identify, config.model, config.quantization))
    ground = ground_of(config, folder, device)
    # Data before parents: a misspelt persona must not cost the training of its parent.
    rows = read_rows(config.data, config.persona, load_tokenizer(identity.id, folder))
    work = work_within_budget(config, ground, rows)
    parents = resolve_parents(config, asked, registry, compose_parent, train_parent)
    require_trains_on(parents, name, identity, device)
    key_of = partial(run_key, config, identity, [each.manifest.weights_digest for each in parents], rows.digest)
    started_from = here().from_first("the start", partial(starting_digest, config, registry, name, key_of))
    key = key_of(started_from)
    if (existing := published_before(registry, name, key, force=config.force)) is not None:
        return existing
    origin = origin_of(config, registry, name, identity, parents, started_from)
    _log.info("Training %s on %s", name, " <- ".join([identity.id, *(str(parent.manifest.ref) for parent in parents)]))
    remaining = foretell(config, ground, work, [parent.manifest.adapter.parameters for parent in parents])
    return Plan(
        name, config, asked, registry, device, identity, folder, rows, parents, key, started_from, origin, remaining
    )


def published_before(registry: Registry, name: str, key: str, *, force: bool) -> Artifact | None:
    """The adapter of that name and run key, if it is published and need not be trained; all ranks get the same.

    Raises:
        RanksPartedError: ranks would train by other keys.
    """
    here().require_same("base, data, parents or config", key)
    return None if force else here().from_first("the registry", partial(registry.find_run_key, name, key))
