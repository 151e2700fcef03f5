"""What every rank must hold alike, bit for bit: the base, the frozen adapters and the one that is trained."""

from __future__ import annotations

from adapterkit.base.fingerprint import Fingerprint
from adapterkit.base.tensor_hash import records_of
from adapterkit.digest import json_digest, table_digest
from adapterkit.ranks import Ranks
from adapterkit.stack.adapter_stack import AdapterStack
from adapterkit.stack.layers import adapter_parameters


def trainee_digest(stack: AdapterStack) -> str:
    """Hex sha256 over the trainee's tensors."""
    return _digest(stack, stack.trainee.peft_name)


def require_alike(ranks: Ranks, stack: AdapterStack, base: Fingerprint) -> None:
    """Demand that all ranks hold the same; each compares its own with what it was, and here with the others'.

    Args:
        ranks: who must agree; one rank agrees with itself, and nothing is hashed.
        stack: with a trainee.
        base: the fingerprint of this rank's base.

    Raises:
        RanksPartedError: a rank holds something else.
    """
    if ranks.alone:
        return
    ranks.require_same("the base in memory", base.digest)
    frozen = [_digest(stack, member.peft_name) for member in stack.members if not member.trainable]
    ranks.require_same("the frozen adapters", json_digest(frozen))
    ranks.require_same("the weights of the new adapter", trainee_digest(stack))


def _digest(stack: AdapterStack, peft_name: str) -> str:
    return table_digest(records_of(dict(adapter_parameters(stack.model, peft_name))))
