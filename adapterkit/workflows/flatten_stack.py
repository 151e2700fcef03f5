"""Flatten from Python what the command would flatten."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from adapterkit.base.quiet import quiet_libraries
from adapterkit.names import AdapterRef
from adapterkit.registry import Registry

if TYPE_CHECKING:
    from adapterkit.registry import Published


def flatten_stack(
    ref: str | AdapterRef,
    *,
    registry: str | os.PathLike[str] | None = None,
    name: str | None = None,
    blend: str | None = None,
    weights: Sequence[float] | None = None,
    rank: int | None = None,
    padded: bool = False,
    dtype: str = "float32",
) -> Published:
    """Publish an adapter with all its parents as one plain LoRA, which any PEFT loads alone; no base is loaded.

    Args:
        ref: the adapter on top of the stack.
        registry: the folder of published adapters; `$ADAPTERKIT_REGISTRY` or `adapters` when not given.
        name: of the result; None: the adapter's with `_flat`.
        blend: `additive` or `interpolative`; None: additive, as everything is trained.
        weights: one for each member of the lineage, root-first; None: 1 for each.
        rank: cut every layer down to this rank at most; None: exact.
        padded: one rank for all layers, the missing columns being zero.
        dtype: of the stored weights: float32, bfloat16, float16 or float64.

    Returns:
        The published adapter; `new` is False when it was there already.

    Raises:
        UsageError: the weights, the rank, the dtype or the name will not do, or nothing is left of the stack.
        AdapterKitError: as `workflows.flatten.flatten`; nothing is published then.
    """
    quiet_libraries()
    # Brings PEFT, which is told to be quiet.
    from adapterkit.workflows.flatten import FlattenRequest, flatten

    request = FlattenRequest(str(ref), name, blend=blend, weights=weights, rank=rank, padded=padded, dtype=dtype)
    return flatten(Registry(registry), request)
