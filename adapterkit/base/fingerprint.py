"""The fingerprint of a base in memory: every byte that its forward pass reads, compared before with after.

A parameter hash misses the quantization state, and `state_dict` misses non-persistent buffers; both are walked here,
and tensors that share storage are recorded as alias groups, so that an untied head shows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from peft import PeftModel
from peft.tuners.tuners_utils import BaseTunerLayer

from adapterkit.base.tensor_hash import in_parallel, record_of
from adapterkit.digest import json_digest
from adapterkit.errors import FrozenChangedError


@dataclass(frozen=True)
class Fingerprint:
    """One record for each tensor of a base, the alias groups, and one digest of it all.

    Attributes:
        tensors: name -> `{"dtype", "shape", "sha256"}`, or the plain settings of a quantization state.
        aliases: sorted groups of names that share one storage.
    """

    tensors: Mapping[str, Mapping[str, Any]]
    aliases: tuple[tuple[str, ...], ...]

    @property
    def digest(self) -> str:
        """Hex sha256 over records and alias groups."""
        return json_digest(self.to_json())

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; what `baseline_checksums.json` holds."""
        return {"tensors": dict(self.tensors), "aliases": [list(group) for group in self.aliases]}

    def require_equal(self, after: Fingerprint) -> None:
        """Demand that nothing moved.

        Raises:
            FrozenChangedError: tensors changed, went missing, appeared, or share storage otherwise than before.
        """
        mine, theirs = self.tensors, after.tensors
        missing, unexpected = sorted(set(mine) - set(theirs)), sorted(set(theirs) - set(mine))
        changed = sorted(name for name in set(mine) & set(theirs) if mine[name] != theirs[name])
        retied = sorted({name for group in set(self.aliases) ^ set(after.aliases) for name in group})
        if changed or missing or unexpected or retied:
            raise FrozenChangedError(
                self._explain(after, changed, missing, unexpected, retied), changed or retied, missing, unexpected
            )

    def _explain(
        self, after: Fingerprint, changed: list[str], missing: list[str], unexpected: list[str], retied: list[str]
    ) -> str:
        found = []
        for verb, names in (
            ("differ", changed),
            ("are missing", missing),
            ("are new", unexpected),
            ("are retied", retied),
        ):
            if names:
                found.append(f"{len(names)} of {len(self.tensors)} tensors {verb}: {', '.join(names[:5])}")
        if changed and "sha256" in self.tensors[changed[0]] and "sha256" in after.tensors[changed[0]]:
            before, now = (table[changed[0]]["sha256"][:8] for table in (self.tensors, after.tensors))
            found.append(f"first {changed[0]} ({before} -> {now})")
        return (
            "Base weights changed during training: " + "; ".join(found) + ". Nothing was published. An adapter was "
            "probably merged in place, or a library repacked the weights; load the base again in a new process."
        )


def fingerprint(model: torch.nn.Module) -> Fingerprint:
    """Fingerprint a base, bare or with a stack attached: adapters are left out, names are the bare base's.

    Args:
        model: a PreTrainedModel, or the PeftModel around one.
    """
    named = list(_tensors(model.get_base_model() if isinstance(model, PeftModel) else model, ""))
    records: dict[str, Mapping[str, Any]] = {name: value for name, value in named if isinstance(value, dict)}
    views: dict[Hashable, list[str]] = defaultdict(list)
    storages: dict[int, list[str]] = defaultdict(list)
    tensors = {name: value for name, value in named if isinstance(value, torch.Tensor)}
    for name, tensor in tensors.items():
        views[_view_key(name, tensor)].append(name)
        if tensor.numel():
            storages[tensor.untyped_storage().data_ptr()].append(name)
    once = list(views.values())
    for names, record in zip(once, in_parallel(lambda names: record_of(tensors[names[0]]), once), strict=True):
        records |= dict.fromkeys(names, record)
    groups = sorted(tuple(sorted(names)) for names in storages.values() if len(names) > 1)
    return Fingerprint(dict(sorted(records.items())), tuple(groups))


def _view_key(name: str, tensor: torch.Tensor) -> Hashable:
    """Equal for names that show the very same bytes the same way, so that those are hashed once."""
    return (tensor.data_ptr(), tensor.shape, tensor.stride(), tensor.dtype) if tensor.numel() else name


def _tensors(module: torch.nn.Module, prefix: str) -> Iterator[tuple[str, torch.Tensor | dict[str, Any]]]:
    """Walk weights, quantization state and buffers under the bare base's names."""
    if isinstance(module, BaseTunerLayer):
        yield from _tensors(module.get_base_layer(), prefix)
        return
    for name, tensor in (*module._parameters.items(), *module._buffers.items()):
        if tensor is not None:
            yield prefix + name, tensor
            yield from _quantization_state(module, tensor, prefix + name)
    for name, child in module._modules.items():
        if child is not None:
            yield from _tensors(child, f"{prefix}{name}.")


def _quantization_state(
    module: torch.nn.Module, weight: torch.Tensor, name: str
) -> Iterator[tuple[str, torch.Tensor | dict[str, Any]]]:
    """What bitsandbytes keeps beside a weight: the 4-bit QuantState, nested once, or the 8-bit row scales."""
    state, where = getattr(weight, "quant_state", None), name
    while state is not None:
        for part in ("absmax", "code", "offset"):
            if isinstance(value := getattr(state, part, None), torch.Tensor):
                yield f"{where}.{part}", value
        yield (
            f"{where}.settings",
            {
                "blocksize": state.blocksize,
                "quant_type": str(getattr(state, "quant_type", None)),
                "dtype": str(state.dtype),
                "shape": list(state.shape) if state.shape is not None else None,
                "packed_for_cpu": bool(getattr(state, "packing_format_for_cpu", False)),
            },
        )
        state, where = getattr(state, "state2", None), f"{where}.state2"
    # The first 8-bit forward moves the scales from the weight to the module's state; both places mean the same.
    scales = getattr(weight, "SCB", None)
    if scales is None and name.endswith("weight"):
        scales = getattr(getattr(module, "state", None), "SCB", None)
    if isinstance(scales, torch.Tensor):
        yield f"{name}.SCB", scales
