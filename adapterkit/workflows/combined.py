"""What stories share that make one plain LoRA of published adapters: its factors in, its two files out."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load as load_tensors

from adapterkit.artifacts import Artifact, verified_settings, verified_weights
from adapterkit.base.nearby import nearby_folder
from adapterkit.base.outline import outline_of
from adapterkit.errors import BaseLoadError, StackError, UnknownNameError, UsageError
from adapterkit.lineage import BaseIdentity
from adapterkit.merging.factors import AdapterFactors, Factors
from adapterkit.merging.flatten import norm, rounding
from adapterkit.merging.plain import PlainLora, plain_lora
from adapterkit.names import nearest

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16, "float64": torch.float64}
_SHORT = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16", "fp64": "float64"}


@dataclass(frozen=True)
class Combined:
    """What adapters came to together.

    Attributes:
        modules: the changes by the layer's name, in float64.
        errors: by the layer's name, what the limit on the rank left out, as a share of the exact change.
        dtype: in which they are stored.
    """

    modules: Mapping[str, Factors]
    errors: Mapping[str, float]
    dtype: torch.dtype

    @cached_property
    def rounded(self) -> Mapping[str, float]:
        """By the layer's name, what the stored dtype costs."""
        return {name: rounding(factors, self.dtype) for name, factors in self.modules.items()}

    @property
    def rank(self) -> int:
        """The largest of a layer."""
        return max(factors.rank for factors in self.modules.values())

    @property
    def left_out(self) -> float:
        """What the limit on the rank left out of all layers together, as a share of the exact change's norm.

        What is left out is orthogonal to what is kept, so a layer's exact norm follows from the two.
        """
        kept = {name: norm(factors) ** 2 for name, factors in self.modules.items()}
        exact = {name: square / max(1 - self.errors[name] ** 2, 1e-12) for name, square in kept.items()}
        left = sum(square * self.errors[name] ** 2 for name, square in exact.items())
        return float((left / sum(exact.values())) ** 0.5)

    @property
    def layers(self) -> dict[str, Any]:
        """The evidence, layer by layer."""
        return {
            module: {
                "rank": factors.rank,
                "left_out_by_the_rank": self.errors[module],
                "lost_in_storage": self.rounded[module],
            }
            for module, factors in self.modules.items()
        }

    @property
    def summary(self) -> dict[str, float]:
        """The worst layer of each kind of loss, as a share of its change."""
        return {
            "largest_loss_by_the_rank": max(self.errors.values()),
            "largest_loss_in_storage": max(self.rounded.values()),
        }


def stored_dtype(name: str, known: Sequence[str] = tuple(DTYPES)) -> str:
    """The full name of a dtype that weights may be stored in, from that or a short one.

    Args:
        name: `float32`, `fp32`, ...
        known: full names, of which it has to be one.

    Raises:
        UnknownNameError: there is none of that name.
    """
    dtype = _SHORT.get(name, name)
    if dtype not in known:
        raise UnknownNameError("dtype", name, nearest(dtype, known), hint=f"Known: {', '.join(known)}.")
    return dtype


def check_rank(rank: int | None) -> None:
    """Refuse a limit on the rank that is none.

    Raises:
        UsageError: it is below 1.
    """
    if rank is not None and rank < 1:
        raise UsageError(f"--rank {rank}: a rank is 1 or more.")


def factors_of(adapter: Artifact, doing: str, *, magnitudes: bool = False) -> AdapterFactors:
    """The changes of a published adapter, from the bytes that were verified.

    Args:
        adapter: without its parents.
        doing: what becomes of it, for the message: `flattened`.
        magnitudes: take a DoRA's too.

    Raises:
        StackError: it is a DoRA, and magnitudes are of no use.
        ArtifactError: it is damaged.
    """
    try:
        tensors = load_tensors(verified_weights(adapter))
        return AdapterFactors(verified_settings(adapter), tensors, magnitudes=magnitudes)
    except StackError as error:
        raise StackError(f"{adapter.ref} cannot be {doing}. {error}") from error


def write_plain(found: Combined, identity: BaseIdentity, folder: Path, *, padded: bool = False) -> str:
    """Write the two files of a plain LoRA.

    Args:
        found: what it holds.
        identity: its base.
        folder: where to.
        padded: one rank for all layers, the missing columns being zero.

    Returns:
        What plain PEFT loads the base from, as far as that is known here.

    Raises:
        UsageError: a layer's rank is above what an artifact holds.
    """
    plain_of(found, identity, identity.id, padded=found.rank if padded else None).write(folder)
    return str(nearby_folder(identity.id, identity.revision) or identity.id)


def plain_of(found: Combined, identity: BaseIdentity, base_name: str, *, padded: int | None = None) -> PlainLora:
    """What adapters came to, as PEFT reads it.

    Args:
        found: what it holds.
        identity: its base.
        base_name: what the file calls that.
        padded: one rank for all layers, the missing columns being zero; null: each its own.

    Raises:
        UsageError: as `plain_lora`.
    """
    layers = layer_names(identity, nearby_folder(identity.id, identity.revision))
    return plain_lora(found.modules, base_name, dtype=found.dtype, padded=padded, layers=layers)


def environment_of() -> dict[str, Any]:
    """What the bits of a combination may depend on besides its sources and options."""
    return {"python": platform.python_version(), "torch": version("torch")}


def layer_names(identity: BaseIdentity, folder: Path | None) -> Sequence[str]:
    """The names of the base's modules, where it lies here; without them the config only becomes longer."""
    if folder is None:
        return ()
    try:
        return outline_of(identity.id, folder).modules
    except BaseLoadError:
        return ()
