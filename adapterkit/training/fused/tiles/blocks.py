"""How tokens are cut into blocks and columns into pieces, so that what a core works on stays in its second cache."""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass

import torch

from adapterkit.training.fused.rows import Rows

# Tokens of a block at most, and columns of a piece: what a block of the widest layer needs at a time is 1.9 megabytes,
# and the fewer blocks there are, the less often every weight is read.
TOKENS, _COLUMNS = 320, 96
_UNIT = 16


@dataclass(frozen=True)
class Cut:
    """Tokens, a multiple of 16, cut into blocks; neighbouring blocks are a chunk, which one thread works on.

    Attributes:
        tokens: how many are computed.
        chunks: as many as there are threads, or fewer.
        each: blocks of a chunk.
        edges: int64, `each`, then where each block begins, and where the last one ends.
        size: tokens of the largest block.
    """

    tokens: int
    chunks: int
    each: int
    edges: torch.Tensor
    size: int


@dataclass
class Blocks:
    """How the tokens of a batch, one after the other, are cut into blocks and stand in rows.

    Attributes:
        cut: the blocks.
        rows: of all tokens.
    """

    cut: Cut
    rows: Rows

    @functools.cached_property
    def longest(self) -> int:
        """Tokens of the longest row."""
        return int(self.rows.lengths.max())

    @property
    def queries(self) -> int:
        """How many of them attention takes at a time."""
        return 32 if self.longest <= 512 else 64

    @property
    def room(self) -> int:
        """Keys for which attention makes room."""
        return -(-self.longest // 64) * 64


def cut(tokens: int, most: int = TOKENS) -> Cut:
    """Cut so many tokens into blocks of like size, at most so many each."""
    units = -(-tokens // _UNIT)
    chunks = min(torch.get_num_threads(), units)
    each = -(-units * _UNIT // (chunks * most))
    edges = [_UNIT * (units * block // (chunks * each)) for block in range(chunks * each + 1)]
    size = max(after - before for before, after in itertools.pairwise(edges))
    return Cut(units * _UNIT, chunks, each, torch.tensor([each, *edges]), size)


def columns(size: int) -> int:
    """How many of so many columns are a piece; 0 where no such number divides them."""
    return next((number for number in range(_COLUMNS, 0, -16) if size % number == 0), 0)
