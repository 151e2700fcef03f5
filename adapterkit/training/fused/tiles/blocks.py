"""How tokens are cut into blocks and columns into pieces, so that what a core works on stays in its second cache."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import torch

from adapterkit.training.fused.rows import Rows

# Tokens of a block at most, and columns of a piece: 192 tokens' gradients of the widest layer are a megabyte.
_TOKENS, _COLUMNS = 192, 96


@dataclass
class Blocks:
    """How the tokens of a batch, one after the other, are cut into blocks and stand in rows.

    Attributes:
        size: tokens of a block.
        count: blocks.
        rows: of all tokens.
    """

    size: int
    count: int
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


def cut(tokens: int) -> tuple[int, int]:
    """Tokens of a block, a multiple of 16, and how many blocks: as many for every thread."""
    threads = torch.get_num_threads()
    count = threads * -(-tokens // (threads * _TOKENS))
    return -(-tokens // (count * 16)) * 16, count


def columns(size: int) -> int:
    """How many of so many columns are a piece; 0 where no such number divides them."""
    return next((number for number in range(_COLUMNS, 0, -16) if size % number == 0), 0)
