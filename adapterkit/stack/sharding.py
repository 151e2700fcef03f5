"""Cut a base among ranks, so that each holds a part of every block: torch's fully_shard (FSDP2), for what is frozen.

Adapters stay whole on every rank, plain parameters: optimizer, checkpoints and the guard see what they always see, and
gradients are added up as without it. A block is put together while it computes, and freed after it.
"""

from __future__ import annotations

from typing import Any

from adapterkit.errors import UsageError
from adapterkit.ranks import Ranks
from adapterkit.stack.adapter_stack import AdapterStack
from adapterkit.stack.layers import adapter_parameters


def shard_base(ranks: Ranks, stack: AdapterStack) -> None:
    """Cut the blocks of a stack's base among the ranks; nothing, where the launch did not ask for it.

    Embeddings, head and norms outside the blocks stay whole. Losses are the very bits that they are without it.

    Raises:
        UsageError: the base is held in 8 bit, or transformers does not say what its blocks are.
    """
    if not ranks.sharded:
        return
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    model: Any = stack.model.get_base_model()
    if stack.base.identity.quantization["kind"] == "int8":
        raise UsageError(
            "An 8-bit base cannot be cut among ranks: its scales hang on the whole weights. Take quantization=nf4, "
            "which is half as large, or start the ranks without FSDP or ZeRO-3."
        )
    kinds = set(model._no_split_modules or ())
    blocks = [module for module in model.modules() if type(module).__name__ in kinds]
    if not blocks:
        raise UsageError(
            f"transformers does not say what the blocks of {type(model).__name__} are, so it cannot be cut among the "
            "ranks. Start them without FSDP or ZeRO-3; each then holds a whole base."
        )
    mesh = init_device_mesh(stack.base.device.type, (ranks.count,))
    whole = {each for member in stack.members for _, each in adapter_parameters(stack.model, member.peft_name)}
    for block in blocks:
        fully_shard(block, mesh=mesh, ignored_params=whole, reshard_after_forward=True)
