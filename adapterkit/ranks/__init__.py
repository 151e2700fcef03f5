"""Several processes that train one adapter together, as `torchrun` and `accelerate launch` start them."""

from adapterkit.ranks.door import agreed, on_every_rank
from adapterkit.ranks.group import Ranks, RanksPartedError, RankStoppedError
from adapterkit.ranks.joined import here, join, leave
from adapterkit.ranks.launch import Launch, launched

__all__ = [
    "Launch",
    "RankStoppedError",
    "Ranks",
    "RanksPartedError",
    "agreed",
    "here",
    "join",
    "launched",
    "leave",
    "on_every_rank",
]
