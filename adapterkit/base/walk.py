"""Walk a base, bare or under adapters: every tensor that its forward pass reads, and what its modules are.

A parameter hash misses the quantization state, and `state_dict` misses non-persistent buffers; both are walked here.
PEFT's wrappers are looked through, so that names and classes are the bare base's.
"""

from __future__ import annotations

import functools
from collections.abc import Hashable, Iterator
from typing import Any, NamedTuple, cast

import torch
from peft import PeftModel
from peft.tuners.tuners_utils import BaseTunerLayer
from peft.utils.other import AuxiliaryTrainingWrapper

_FOUR_BIT = ("blocksize", "quant_type", "dtype", "shape", "packing_format_for_cpu")


class Found(NamedTuple):
    """One thing that a base consists of; there are thousands, so it is a tuple.

    Attributes:
        name: under the bare base's names; of a module its path, empty for the model itself.
        value: a tensor, or what a module or a quantization state says of itself.
        state: whether it is part of a quantization state.
    """

    name: str
    value: torch.Tensor | str
    state: bool = False


def walk(model: torch.nn.Module) -> Iterator[Found]:
    """Everything of a base but the adapters on it, parents before children.

    Args:
        model: a PreTrainedModel, or the PeftModel around one.
    """
    # A stack and no recursion: thousands of things would each pass through a generator a level.
    waiting = [("", model.get_base_model() if isinstance(model, PeftModel) else model)]
    while waiting:
        path, module = waiting.pop()
        module = _looked_through(module)
        yield Found(path, f"{_class_name(type(module).__mro__)}({module.extra_repr()})")
        prefix = f"{path}." if path else ""
        for name, tensor in (*module._parameters.items(), *module._buffers.items()):
            if tensor is not None:
                yield Found(prefix + name, tensor.detach())
                if hasattr(tensor, "quant_state"):
                    yield from _four_bit(tensor.quant_state, prefix + name)
                elif hasattr(tensor, "full_tensor") and name == "weight":
                    # A part of a weight, which is cut among ranks; its state hangs on the layer alone.
                    yield from _four_bit(getattr(module, "quant_state", None), prefix + name)
                elif hasattr(tensor, "SCB"):
                    yield from _eight_bit(module, tensor, prefix + name)
        children = [(prefix + name, child) for name, child in module._modules.items() if child is not None]
        waiting.extend(reversed(children))


def _looked_through(module: Any) -> torch.nn.Module:
    while wrapper := _wrapper(type(module).__mro__):
        module = module.get_base_layer() if wrapper is BaseTunerLayer else module.original_module
    return cast(torch.nn.Module, module)


@functools.cache
def _class_name(ancestry: tuple[type, ...]) -> str:
    # torch puts two classes of its own before that of a block which is cut among ranks.
    return ancestry[2 if ancestry[1].__name__ == "FSDPModule" else 0].__name__


@functools.cache
def _wrapper(ancestry: tuple[type, ...]) -> type | None:
    # An instance check of an abstract class, for each of thousands of modules, would cost more than the walk.
    return next((known for known in (BaseTunerLayer, AuxiliaryTrainingWrapper) if known in ancestry), None)


def _four_bit(state: object, name: str) -> Iterator[Found]:
    """What bitsandbytes keeps beside packed weights: a QuantState, nested once under double quantization."""
    while state is not None:
        held = vars(state)
        for part in ("absmax", "code", "offset"):
            if isinstance(value := held.get(part), torch.Tensor):
                yield Found(f"{name}.{part}", value, True)
        yield Found(f"{name}.settings", _settings(*(held.get(part) for part in _FOUR_BIT)))
        state, name = held.get("state2"), f"{name}.state2"


@functools.cache
def _settings(*values: Hashable) -> str:
    return ", ".join(f"{name}={value}" for name, value in zip(_FOUR_BIT, values, strict=True))


def _eight_bit(module: Any, weight: torch.Tensor, name: str) -> Iterator[Found]:
    """Row scales, and the weight that the forward pass reads in place of the parameter's own.

    The first forward moves both from the weight to the module's state; either place means the same, and where both are
    set, they must agree: the next forward takes the weight's.
    """
    state = module.state
    for part in ("CB", "SCB"):
        held = [value for value in (getattr(weight, part), getattr(state, part)) if value is not None]
        for index, value in enumerate(held):
            if value.data_ptr() != held[index - 1].data_ptr() or index == 0:
                yield Found(f"{name}{'.state' * index}.{part}", value, True)
    told = {part: getattr(state, part) for part in ("threshold", "has_fp16_weights")}
    yield Found(f"{name}.settings", ", ".join(f"{key}={value}" for key, value in told.items()))
