"""The group that this process belongs to. A process belongs to one launch, as it has one working directory."""

from __future__ import annotations

import logging
import os
import sys
from datetime import timedelta

from adapterkit.ranks.group import Ranks
from adapterkit.ranks.launch import Launch, take_over

# Rank 0 may evaluate or publish for long while the others wait. Who is gone shows at once, by a connection that broke.
_PATIENCE = timedelta(days=1)

_joined: list[Ranks] = []
_ALONE = Ranks()


def here() -> Ranks:
    """The ranks that this process trains with; of one, where nobody launched several."""
    return _joined[0] if _joined else _ALONE


def join(launch: Launch) -> Ranks:
    """Meet the other processes of the launch, and keep this one quiet unless it leads.

    Call it before anything imports torch or asks for a GPU.
    """
    take_over(launch)
    import torch
    import torch.distributed as dist

    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    dist.init_process_group(backend, rank=launch.number, world_size=launch.count, timeout=_PATIENCE)
    # It advises to let it wrap the model; see `take_over`.
    logging.getLogger("transformers.training_args").addFilter(_unadvised)
    _joined[:] = [Ranks(launch.number, launch.count, sharded=launch.sharded)]
    if not here().leads:
        os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
        told = logging.StreamHandler(sys.stderr)
        told.setFormatter(logging.Formatter(f"{here()}: %(message)s"))
        logging.basicConfig(level=logging.WARNING, handlers=[told], force=True)
    return here()


def _unadvised(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith("torch.distributed process group is initialized")


def leave() -> None:
    """Close the connections, which a process should before it ends."""
    import torch.distributed as dist

    if _joined:
        _joined.clear()
        dist.destroy_process_group()
