"""What a training will come to, said before it starts, or by `adapterkit estimate`; no weight of a base is loaded."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from adapterkit.base.device import resolve_device
from adapterkit.base.load import identify, load_tokenizer
from adapterkit.base.locate import locate_base
from adapterkit.base.outline import Outline, outline_of, stored_bytes
from adapterkit.base.precision import as_computed
from adapterkit.base.quantization import torch_dtype
from adapterkit.config.asked import UNASKED, Asked
from adapterkit.config.checks import check_values
from adapterkit.config.choices import EVA
from adapterkit.config.schema import QuantizationConfig, TrainConfig
from adapterkit.errors import RefNotFoundError, UsageError
from adapterkit.names import AdapterRef, check_name
from adapterkit.ranks import here
from adapterkit.registry.registry import Registry
from adapterkit.training.estimate import (
    Estimate,
    RemainingTime,
    Work,
    adapter_size,
    around,
    guessed_pace,
    is_fused,
    is_tiled,
    largest_rank,
    measured_rate,
    memory_of,
    require_budget,
    resident_bytes,
    suggested_rank,
    targeted_layers,
    work_of,
)
from adapterkit.training.eva import require_directions
from adapterkit.training.tracking.chosen import trackers_of
from adapterkit.workflows.ability import require_possible, require_trains_on
from adapterkit.workflows.parents import ComposeParent, recipe_for
from adapterkit.workflows.rows import TokenRows, read_rows

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Ground:
    """What a training stands on, none of it loaded.

    Attributes:
        outline: of the base.
        stored: bytes of the base's files, by safetensors' name of their dtype.
        device: where it trains.
        quantization: how the base is held and computed there.
    """

    outline: Outline
    stored: dict[str, int]
    device: torch.device
    quantization: QuantizationConfig


def ground_of(config: TrainConfig, folder: Path, device: torch.device) -> Ground:
    """Look at the base's config and headers, and demand that the adapter fits it.

    Args:
        config: the training.
        folder: the base's local folder.
        device: where it trains.

    Raises:
        UsageError: `adapter.target_modules` names what is no linear layer of the base, or EVA finds no such rank.
        BaseLoadError: transformers does not know this kind of model, or a file of it is damaged.
    """
    outline = outline_of(config.model.id, folder)
    targeted = targeted_layers(config.adapter.target_modules, outline)
    if config.adapter.init_lora_weights == EVA:
        for inputs, _ in targeted.values():
            require_directions(config.adapter.r, inputs)
    stored = dict(stored_bytes(config.model.id, folder))
    return Ground(outline, stored, device, as_computed(config.quantization, device))


def work_within_budget(config: TrainConfig, ground: Ground, rows: TokenRows) -> Work:
    """Count what a training has to compute, and demand an artifact that is no larger than it may be, its log included.

    It is asked before a missing parent is trained, of which is known here only that it will be there.

    Args:
        config: the training.
        ground: what it stands on.
        rows: of its data.

    Raises:
        BudgetError: it would be larger; what would fit is said.
        UsageError: it would not come to an end, or be stopped by what is not measured.
    """
    if (patience := config.trainer.early_stopping_patience) is not None and not rows.validation:
        raise UsageError(
            f"trainer.early_stopping_patience={patience} stops by the validation loss, and there are no validation "
            "rows: give data.validation, or leave the patience out."
        )
    work = work_of(rows.train, rows.validation, rows.test, config.trainer, seed=config.seed)
    parents = 0 if config.parent is None else 1
    require_budget(config.adapter, config.budget.max_artifact_mb, ground.outline, parents=parents, entries=work.entries)
    return work


def foretell(config: TrainConfig, ground: Ground, work: Work, parents: Sequence[int]) -> RemainingTime:
    """Say what a training will come to, in its first lines.

    Args:
        config: the training.
        ground: what it stands on.
        work: what it has to compute.
        parents: parameters of the frozen members.

    Returns:
        What will say, after ten steps, how long the rest takes.

    Raises:
        BudgetError: with all its parents, the artifact would be larger than it may be.
    """
    found = _estimate(config, ground, work, parents)
    for line in (found.line, found.suggestion):
        if line is not None:
            _log.info("%s", line)
    compiled = _fused(config, ground) and is_tiled(ground.outline, ground.quantization)
    return RemainingTime(work, compiled=compiled)


def estimate(
    config: TrainConfig, *, asked: Asked = UNASKED, compose_parent: ComposeParent | None = None
) -> list[Estimate]:
    """Foresee a training, and before it those of parents that are missing and would be trained first.

    Args:
        config: the whole of the training.
        asked: the command that it was composed from.
        compose_parent: from a recipe's name and the child's config to the parent's config and command, or None.

    Returns:
        One estimate a training, in the order in which they would run.

    Raises:
        BudgetError: an artifact would be larger than it may be.
        AdapterKitError: the data, the base, a parent or a key is not to be had, or the training would refuse them.
    """
    return _foreseen(config, asked, compose_parent)[0]


def _foreseen(
    config: TrainConfig, asked: Asked, compose_parent: ComposeParent | None
) -> tuple[list[Estimate], list[int]]:
    """Estimates, and the parameters of every member of the lineage."""
    name = check_name(config.full_name, said_as="name=")
    check_values(config)
    trackers_of(config.tracking, name)
    registry, model, device = Registry(Path(config.registry)), config.model, resolve_device(config.device)
    require_possible(config, name, registry, device)
    folder = locate_base(model.id, revision=model.revision, install=model.install)
    ground = ground_of(config, folder, device)
    rows = read_rows(config.data, config.persona, load_tokenizer(model.id, folder))
    work = work_within_budget(config, ground, rows)
    before, parents = _lineage(config, asked, compose_parent, registry, device)
    found = _estimate(config, ground, work, parents)
    return [*before, found], [*parents, found.size.parameters]


def _lineage(
    config: TrainConfig, asked: Asked, compose_parent: ComposeParent | None, registry: Registry, device: torch.device
) -> tuple[list[Estimate], list[int]]:
    if config.parent is None:
        return [], []
    ref = AdapterRef.parse(config.parent)
    try:
        members = registry.lineage_artifacts(ref)
    except RefNotFoundError as missing:
        parent = recipe_for(ref, config, asked, compose_parent)
        if parent is None:
            raise RefNotFoundError(config.parent, registry.path) from missing
        return _foreseen(*parent, compose_parent)
    # Only a comparison needs the digest of the base, for which its files are read.
    identity, _ = identify(config.model, config.quantization)
    require_trains_on(members, config.full_name, identity, device)
    return [], [member.manifest.adapter.parameters for member in members]


def _estimate(config: TrainConfig, ground: Ground, work: Work, parents: Sequence[int]) -> Estimate:
    adapter, outline, limit = config.adapter, ground.outline, config.budget.max_artifact_mb
    beside = {"parents": len(parents), "entries": work.entries}
    require_budget(adapter, limit, outline, **beside)
    thumb = suggested_rank(work.rows)
    rate = measured_rate(ground.device, torch_dtype(ground.quantization.dtype), outline.dimensions.hidden)
    fused = _fused(config, ground)
    pace = guessed_pace(outline, work.label_share, rate, fused=fused)
    return Estimate(
        name=config.full_name,
        rank=adapter.r,
        alpha=adapter.lora_alpha,
        suggested_rank=largest_rank(adapter, limit, outline, thumb, **beside) if thumb > adapter.r else thumb,
        rows=work.rows,
        steps=work.steps,
        tokens=work.tokens,
        size=adapter_size(adapter, outline, **beside),
        memory=memory_of(
            outline,
            adapter,
            ground.quantization,
            config.trainer,
            work,
            parents=sum(parents),
            stored=ground.stored,
            on_cpu=ground.device.type == "cpu",
            fused=fused,
            libraries=resident_bytes(),
        ),
        seconds=around(sum(ground.stored.values()))
        + (pace.start(work) if adapter.init_lora_weights == EVA else 0.0)
        + pace.training(work)
        + pace.test(work),
        limit_mb=limit,
    )


def _fused(config: TrainConfig, ground: Ground) -> bool:
    return is_fused(
        ground.outline,
        config.adapter,
        ground.quantization,
        config.trainer,
        device=ground.device,
        sharded=here().sharded,
    )
