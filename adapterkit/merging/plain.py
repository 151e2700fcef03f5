"""From factors to the two files of a plain LoRA whose scaling is 1 in every layer."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save as save_tensors

from adapterkit.artifacts.adapter_config import MAX_RANK
from adapterkit.errors import ExportError, UsageError
from adapterkit.manifest import ADAPTER_CONFIG_FILE, WEIGHTS_FILE
from adapterkit.merging.factors import Factors
from adapterkit.names import TENSOR_PREFIX
from adapterkit.stores import write_file


@dataclass(frozen=True)
class PlainLora:
    """A LoRA as PEFT reads it.

    Attributes:
        config: of adapter_config.json; `lora_alpha` equals `r`, and `alpha_pattern` equals `rank_pattern`.
        tensors: of adapter_model.safetensors.
    """

    config: Mapping[str, Any]
    tensors: Mapping[str, torch.Tensor]

    @property
    def config_bytes(self) -> bytes:
        """adapter_config.json."""
        return json.dumps(self.config, indent=2, sort_keys=True).encode("utf-8")

    def write(self, folder: Path) -> None:
        """Write both files.

        Raises:
            RegistryError: one is there, or the disk refuses.
        """
        write_file(folder / ADAPTER_CONFIG_FILE, self.config_bytes)
        write_file(folder / WEIGHTS_FILE, save_tensors(dict(self.tensors), metadata={"format": "pt"}))


def plain_lora(
    modules: Mapping[str, Factors],
    base_id: str,
    *,
    dtype: torch.dtype = torch.float32,
    padded: int | None = None,
    layers: Collection[str] = (),
) -> PlainLora:
    """Write changes as a LoRA.

    Where ranks differ, `rank_pattern` says so, and `alpha_pattern` the same: a rank_pattern alone would leave PEFT with
    another scaling than 1.

    Args:
        modules: by the layer's name in the base; at least one, each of rank 1 at least.
        base_id: of the base, for the file.
        dtype: of the stored weights.
        padded: give every layer this one rank, the missing columns being zero; null: each its own.
        layers: the names of all modules of the base, so that `target_modules` can name a kind (`q_proj`) where it means
            no other layers than the changed ones; empty: nobody knows, and every layer is named in full.

    Raises:
        UsageError: a layer's rank is above `padded`, or above 1,024, the most that an artifact holds.
        ExportError: a number is beyond the dtype.
    """
    most = max(factors.rank for factors in modules.values())
    if padded is not None and most > padded:
        raise UsageError(f"A layer has rank {most}, and {padded} was asked for: say at least {most}, or recompress.")
    if (padded or most) > MAX_RANK:
        raise UsageError(
            f"A layer comes to rank {padded or most}, and an artifact holds {MAX_RANK} at most: recompress it."
        )
    given = {name: _padded(factors, padded) if padded else factors for name, factors in modules.items()}
    rank, pattern = _ranks({name: factors.rank for name, factors in given.items()})
    tensors = {}
    for name, factors in given.items():
        tensors[f"{TENSOR_PREFIX}{name}.lora_A.weight"] = stored(factors.a, dtype, name).contiguous()
        tensors[f"{TENSOR_PREFIX}{name}.lora_B.weight"] = stored(factors.b, dtype, name).contiguous()
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base_id,
        "inference_mode": True,
        "r": rank,
        "lora_alpha": rank,
        "lora_dropout": 0.0,
        "target_modules": _targets(modules, layers),
        "rank_pattern": pattern,
        "alpha_pattern": dict(pattern),
    }
    return PlainLora(config, tensors)


def stored(tensor: torch.Tensor, dtype: torch.dtype, layer: str) -> torch.Tensor:
    """A tensor as it is stored.

    Raises:
        ExportError: a number is beyond the dtype.
    """
    found = tensor.to(dtype)
    if not bool(found.isfinite().all()):
        raise ExportError(
            f"A weight of `{layer}` is beyond {dtype}: write it with --dtype float32 (a merge: dtype=float32), or look "
            "at the weights by which it was multiplied."
        )
    return found


def _padded(factors: Factors, rank: int) -> Factors:
    more = rank - factors.rank
    pad = torch.nn.functional.pad
    return Factors(pad(factors.a, (0, 0, 0, more)), pad(factors.b, (0, more)))


def _targets(modules: Mapping[str, Any], layers: Collection[str]) -> list[str]:
    """A kind for all layers of it where PEFT would take it for these alone; else full names."""
    kinds: dict[str, set[str]] = defaultdict(set)
    for name in layers:
        kinds[name.rpartition(".")[2]].add(name)
    found = set()
    for name in modules:
        kind = name.rpartition(".")[2]
        found.add(kind if name in kinds[kind] and kinds[kind] <= modules.keys() else name)
    return sorted(found)


def _ranks(ranks: Mapping[str, int]) -> tuple[int, dict[str, int]]:
    """The most common rank, and the others by kind of layer where all of a kind agree, else by full name."""
    common = min(Counter(ranks.values()).items(), key=lambda item: (-item[1], item[0]))[0]
    kinds: dict[str, set[int]] = defaultdict(set)
    for name, rank in ranks.items():
        kinds[name.rpartition(".")[2]].add(rank)
    pattern = {}
    for name, rank in sorted(ranks.items()):
        kind = name.rpartition(".")[2]
        if len(kinds[kind]) == 1:
            pattern[kind] = rank
        else:
            pattern[name] = rank
    return common, {key: rank for key, rank in pattern.items() if rank != common}
