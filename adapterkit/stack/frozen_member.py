"""The records of a stack's frozen members, and that its trainee alone is trainable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from adapterkit.base.tensor_hash import records_of
from adapterkit.errors import FrozenChangedError, TrainableSetError
from adapterkit.stack.layers import adapter_parameters


def require_trainable_set(model: torch.nn.Module, trainee: str) -> None:
    """Demand that exactly one adapter's parameters require grad.

    Raises:
        TrainableSetError: a parameter of the trainee is frozen, or one outside it is trainable.
    """
    own = dict(adapter_parameters(model, trainee))
    ids = {id(parameter) for parameter in own.values()}
    missing = sorted(name for name, parameter in own.items() if not parameter.requires_grad)
    unexpected = sorted(
        name for name, parameter in model.named_parameters() if parameter.requires_grad and id(parameter) not in ids
    )
    if missing or unexpected or not own:
        raise TrainableSetError(missing or ([] if own else [trainee]), unexpected)


@dataclass(frozen=True)
class FrozenMember:
    """The record of one frozen adapter as it was attached."""

    ref: str
    peft_name: str
    records: Mapping[str, str]

    @classmethod
    def of(cls, ref: str, peft_name: str, state: Mapping[str, torch.Tensor]) -> FrozenMember:
        """Record a member's tensors."""
        return cls(ref, peft_name, records_of(state))

    def require_equal(self, state: Mapping[str, torch.Tensor]) -> None:
        """Demand that the member's tensors are bit for bit the recorded ones.

        Raises:
            FrozenChangedError: they are not.
        """
        now = records_of(state)
        changed = sorted(name for name in self.records.keys() & now.keys() if self.records[name] != now[name])
        missing, unexpected = sorted(self.records.keys() - now.keys()), sorted(now.keys() - self.records.keys())
        if changed or missing or unexpected:
            raise FrozenChangedError(
                f"The frozen adapter {self.ref} changed during training: {len(changed)} of {len(self.records)} tensors "
                f"differ, {len(missing)} are missing, {len(unexpected)} are new, first "
                f"`{(changed or missing or unexpected)[0]}`. Nothing was published. Something trained or merged it; "
                "build the stack again with AdapterStack.",
                changed,
                missing,
                unexpected,
            )
