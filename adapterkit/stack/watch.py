"""Whether a stack in training still is, object by object, what it was when the training began."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from peft.tuners.lora import LoraLayer

from adapterkit.errors import FrozenChangedError, StackError, TrainableSetError
from adapterkit.stack.adapter_stack import AdapterStack
from adapterkit.stack.layers import lora_layers

_REBUILD = "Build the stack again with AdapterStack, and switch only through it."


class Watch:
    """One look at a stack with a trainee; later looks compare with it, cheaply enough for every optimizer step.

    Identity is compared, not content: modules and parameters must be the same objects, the trainee alone must require
    grad and hold one, and every LoRA layer must run the stack's members in order, unmerged, at their scale.
    """

    def __init__(self, stack: AdapterStack) -> None:
        """Look for the first time."""
        self._stack = stack
        self._names = [member.peft_name for member in stack.members]
        modules = [module for _, module in stack.model.named_modules()]
        self._tables = [table for module in modules for table in (module._modules, module._parameters) if table]
        # Kept, so that no later object can have the id of one that was thrown away.
        self._objects = self._held()
        self._ids = [id(each) for each in self._objects]
        self._named = dict(stack.model.named_parameters())
        self._own_ids = {id(parameter) for parameter in stack.trainee_parameters()}
        self._own = {name: each for name, each in self._named.items() if id(each) in self._own_ids}
        self._frozen = self._frozen_of(self._objects)
        self._layers = [(name, layer, dict(layer.scaling)) for name, layer in lora_layers(stack.model)]

    def require_in_place(self) -> None:
        """Demand that the stack is put together as at the first look.

        Raises:
            TrainableSetError: other parameters than the trainee's require grad or hold one.
            FrozenChangedError: a module or parameter was exchanged, added or removed, or an adapter merged or rescaled.
            StackError: other adapters are active than the stack's members in order.
        """
        now = self._held()
        frozen = self._frozen
        if [id(each) for each in now] != self._ids:
            self._stack.require_trainable_set()
            if len(now) != len(self._objects) or not all(map(_same, self._objects, now)):
                self._explain_exchanged()
            frozen = self._frozen_of(now)
        if any(each.requires_grad for each in frozen) or not all(each.requires_grad for each in self._own.values()):
            self._stack.require_trainable_set()
        if any(each.grad is not None for each in frozen):
            graded = {name for name, each in self._stack.model.named_parameters() if each.grad is not None}
            raise TrainableSetError([], sorted(graded - self._own.keys()))
        for name, layer, scaling in self._layers:
            _require_layer(name, layer, scaling, self._names)

    def require_optimizer(self, optimizer: torch.optim.Optimizer) -> None:
        """Demand that an optimizer steps the trainee's parameters, each once, and keeps entries for nothing else.

        Raises:
            TrainableSetError: it does not.
        """
        own = self._own_ids
        held = [each for group in optimizer.param_groups for each in group["params"]]
        given = {id(each) for each in held}
        if given != own or len(held) != len(own) or not {id(each) for each in optimizer.state} <= own:
            missing = sorted(name for name, each in self._own.items() if id(each) not in given)
            raise TrainableSetError(missing, self._strangers([*held, *optimizer.state]))

    def _held(self) -> list[object]:
        return [each for table in self._tables for each in table.values()]

    def _frozen_of(self, objects: Iterable[object]) -> list[torch.nn.Parameter]:
        return [each for each in objects if isinstance(each, torch.nn.Parameter) and id(each) not in self._own_ids]

    def _strangers(self, held: Iterable[torch.Tensor]) -> list[str]:
        names = {id(each): name for name, each in self._named.items()}
        return sorted({names.get(id(each), "(not in the model)") for each in held} - self._own.keys())

    def _explain_exchanged(self) -> None:
        now = dict(self._stack.model.named_parameters())
        changed = sorted(name for name in self._named.keys() & now.keys() if not _same(self._named[name], now[name]))
        missing, unexpected = sorted(self._named.keys() - now.keys()), sorted(now.keys() - self._named.keys())
        first = f", first `{[*changed, *missing, *unexpected][0]}`" if changed or missing or unexpected else ""
        raise FrozenChangedError(
            f"Modules or parameters were exchanged in training: of {len(self._named)} parameters {len(changed)} are "
            f"other objects, {len(missing)} are gone, {len(unexpected)} are new{first}. Nothing was written. Something "
            f"put its own module or Parameter into the model, or deleted an adapter. {_REBUILD}",
            changed,
            missing,
            unexpected,
        )


def _same(before: object, now: object) -> bool:
    """Whether it is the same object, or a frozen parameter wrapped anew around the same memory.

    PEFT's DoRA does that to quantized weights on a CPU in every forward pass.
    """
    if before is now:
        return True
    if not isinstance(before, torch.nn.Parameter) or type(before) is not type(now):
        return False
    return not now.requires_grad and all(
        look(before) == look(now) for look in (torch.Tensor.data_ptr, torch.Tensor.stride, lambda each: each.shape)
    )


def _require_layer(name: str, layer: LoraLayer, scaling: dict[str, float], active: list[str]) -> None:
    if layer.merged or layer.scaling != scaling:
        merged = f"holds {', '.join(layer.merged_adapters)} merged into its weight"
        what = merged if layer.merged else f"scales by {layer.scaling}, not {scaling}"
        raise FrozenChangedError(
            f"The layer `{name}` {what}. Nothing was written. Merging rounds the frozen weight, and taking it back "
            "does not restore it: load the base again, and build the stack with AdapterStack.",
            [name],
            [],
            [],
        )
    if layer.disable_adapters or layer.active_adapters != active:
        runs = "none (disabled)" if layer.disable_adapters else ", ".join(layer.active_adapters)
        raise StackError(
            f"The layer `{name}` runs the adapters {runs}, and the stack is {', '.join(active)}. Something switched "
            f"adapters behind the stack. {_REBUILD}"
        )
