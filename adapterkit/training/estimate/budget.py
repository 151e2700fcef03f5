"""Refuse an adapter that would be larger than it may be, and say what would fit."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

from adapterkit.base.outline import Outline
from adapterkit.config.schema import AdapterConfig
from adapterkit.errors import BudgetError
from adapterkit.training.estimate.rank import kept_alpha
from adapterkit.training.estimate.size import MB, adapter_size, targeted_layers

_RANKS = (512, 256, 128, 96, 64, 48, 32, 24, 16, 12, 8, 6, 4, 3, 2, 1)
_CLASSIC = ("q_proj", "v_proj")


def require_budget(
    adapter: AdapterConfig, limit_mb: float | None, outline: Outline, *, parents: int = 0, entries: int = 0
) -> None:
    """Demand that the whole published folder stays within its budget.

    Args:
        adapter: its shape.
        limit_mb: the most, in MB of 10^6 bytes; null: no limit.
        outline: of the base.
        parents: members of the lineage below.
        entries: how often the training logs; 0 while that is not known.

    Raises:
        BudgetError: it would not; the message names the rank (with the alpha that keeps alpha / r), the layers and the
            dtype that fit, as overrides.
        UsageError: as `targeted_layers`.
    """
    known = {"parents": parents, "entries": entries}
    size = adapter_size(adapter, outline, **known).artifact
    if limit_mb is None or size <= limit_mb * MB:
        return
    found: dict[str, tuple[str, float]] = {}
    for change in _changes(adapter, outline):
        smaller = adapter_size(dataclasses.replace(adapter, **change), outline, **known).artifact
        if smaller <= limit_mb * MB:
            # The first of each kind: the largest rank, the most layers.
            found.setdefault(" ".join(change), (_overrides(change), smaller / MB))
    raise BudgetError(size / MB, limit_mb, f"r={adapter.r}, {adapter.dtype}", list(found.values()))


def largest_rank(
    adapter: AdapterConfig, limit_mb: float | None, outline: Outline, wanted: int, *, parents: int = 0, entries: int = 0
) -> int:
    """The largest rank up to a wanted one with which an adapter that is within its budget stays there.

    Args:
        adapter: its shape, of a lower rank.
        limit_mb: as in `require_budget`, and so on.
        outline: of the base.
        wanted: the most.
        parents: members of the lineage below.
        entries: how often the training logs.
    """
    for rank in (rank for rank in _RANKS if adapter.r < rank <= wanted):
        larger = adapter_size(dataclasses.replace(adapter, r=rank), outline, parents=parents, entries=entries)
        if limit_mb is None or larger.artifact <= limit_mb * MB:
            return rank
    return adapter.r


def _changes(adapter: AdapterConfig, outline: Outline) -> Iterator[dict[str, Any]]:
    """What to try: lower ranks, the largest first; fewer layers; half the bytes a number; ranks with half the bytes."""
    lower = [rank for rank in _RANKS if rank < adapter.r]
    ranks = [{"r": rank, "lora_alpha": kept_alpha(adapter.r, adapter.lora_alpha, rank)} for rank in lower]
    yield from ranks
    attention = [name for name in outline.blocks if "attn" in name or "attention" in name]
    kinds = list(dict.fromkeys(name.rpartition(".")[2] for name in attention))
    for names in (kinds, [kind for kind in kinds if kind in _CLASSIC]):
        if names and _fewer(names, adapter, outline):
            yield {"target_modules": names}
    if adapter.dtype == "float32":
        yield {"dtype": "bfloat16"}
        yield from ({**rank, "dtype": "bfloat16"} for rank in ranks)


def _fewer(names: Sequence[str], adapter: AdapterConfig, outline: Outline) -> bool:
    """Whether these layers are some of those that are adapted now."""
    now, then = (targeted_layers(targets, outline).keys() for targets in (adapter.target_modules, names))
    return then < now


def _overrides(change: dict[str, Any]) -> str:
    return " ".join(f"adapter.{key}={_plain(value)}" for key, value in change.items())


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return f"[{','.join(value)}]"
    return f"{value:g}" if isinstance(value, float) else str(value)
