"""Members of a live stack merged into the weights of its base; the original weights are kept, and come back themselves.

PEFT merges in place and unmerges by subtracting, which leaves a bf16 base with other weights than it had. Here a layer
is given a Parameter of its own, and its old one back: a tied weight is not changed through the layer it is tied to, and
whoever holds the base's tensors holds them unchanged.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from peft.tuners.lora import LoraLayer

from adapterkit.errors import StackError
from adapterkit.names import TENSOR_PREFIX
from adapterkit.stack.dense_sum import Change, dense_sum
from adapterkit.stack.layers import lora_layers


class MergedBase:
    """A base that holds the changes of its stack; `unmerge` puts back what was there.

    Attributes:
        losses: by the layer's name, what rounding to the base's dtype took: the Frobenius norm of what was lost over
            that of the change; 0 where nothing changes.
    """

    def __init__(self, model: torch.nn.Module, names: Sequence[str]) -> None:
        """Merge.

        Args:
            model: the PeftModel.
            names: PEFT's names of the members, root-first.

        Raises:
            StackError: the base is quantized, or something is merged already; nothing was changed.
        """
        found = list(lora_layers(model))
        for name, layer in found:
            _require_mergeable(name, layer)
        self._kept: list[tuple[LoraLayer, torch.nn.Parameter]] = []
        self.losses: dict[str, float] = {}
        try:
            for name, layer in found:
                self._merge(name.removeprefix(TENSOR_PREFIX), layer, names)
        except BaseException:
            self.unmerge()  # Memory ran out on the way, or somebody interrupted.
            raise

    def _merge(self, name: str, layer: LoraLayer, names: Sequence[str]) -> None:
        own = [each for each in names if each in layer.lora_A]
        base: Any = layer.get_base_layer()
        merged, self.losses[name] = _merged(layer, own)
        self._kept.append((layer, base.weight))
        base.weight = torch.nn.Parameter(merged, requires_grad=False)
        # So PEFT leaves its own products out, and the guard sees what was done.
        layer.merged_adapters = own

    def unmerge(self) -> None:
        """Give every layer its own Parameter back, and its adapters their place."""
        for layer, weight in self._kept:
            layer.get_base_layer().weight = weight
            layer.merged_adapters = []
        self._kept = []


def _require_mergeable(name: str, layer: LoraLayer) -> None:
    weight: Any = layer.get_base_layer().weight
    if layer.merged:
        raise StackError(f"The layer `{name}` holds adapters already that something else merged. Load the base again.")
    if not weight.is_floating_point() or hasattr(weight, "quant_state") or hasattr(weight, "full_tensor"):
        raise StackError(
            f"The weights of the base are quantized, or cut among ranks (`{name}` is a {type(weight).__name__}). A "
            "merge would have to quantize the sum again, which loses most of the adapters' change and cannot be "
            "undone. Load the stack on whole weights (quantization=bf16 or fp32), or make one adapter of it: "
            "adapterkit flatten REF"
        )


@torch.no_grad()
def _merged(layer: Any, names: Sequence[str]) -> tuple[torch.Tensor, float]:
    """The weight with its changes in its own dtype, rounded once from float64, and the share that rounding took."""
    weight: torch.Tensor = layer.get_base_layer().weight
    own = _upright(layer, weight.double())
    total = dense_sum(own, (_change(layer, name) for name in names))
    merged = total.to(weight.dtype)
    changed = torch.linalg.vector_norm(total - own).item()
    lost = torch.linalg.vector_norm(merged.double() - total).item()
    return _upright(layer, merged).contiguous(), lost / changed if changed else 0.0


def _change(layer: Any, name: str) -> Change:
    b, a = layer.lora_B[name].weight.double(), layer.lora_A[name].weight.double()
    dora = name in layer.lora_magnitude_vector
    magnitude = layer.lora_magnitude_vector[name].weight.double() if dora else None
    return Change(layer.scaling[name] * (b @ a), magnitude)


def _upright(layer: Any, weight: torch.Tensor) -> torch.Tensor:
    """(outputs, inputs); GPT-2's layers hold the transpose."""
    return weight.T if getattr(layer, "fan_in_fan_out", False) else weight
