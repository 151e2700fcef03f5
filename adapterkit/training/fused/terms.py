"""What several kernels take: a sum that nobody has computed yet, and how the tokens of a batch stand in rows."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import NamedTuple

import torch


class Terms(NamedTuple):
    """A matrix (tokens, columns) as a sum not yet computed.

    Attributes:
        parts: one or two, side by side.
        low: the low-rank term, of all columns; null for none.
    """

    parts: list[torch.Tensor]
    low: torch.Tensor | None = None


@dataclass
class Rows:
    """How the tokens of a batch, one after the other, stand in its padded form: padded on the right.

    Attributes:
        count: rows.
        width: tokens of the longest.
        where: int64 (tokens,), the place of each token in `count * width`.
        cos: (tokens, head), as the model's rotary embedding gives it.
        sin: the same.
        heads: heads of queries.
        keys: heads of keys and values; each serves `heads / keys` neighbouring heads.
    """

    count: int
    width: int
    where: torch.Tensor
    cos: torch.Tensor
    sin: torch.Tensor
    heads: int
    keys: int

    @property
    def head(self) -> int:
        """Numbers of a head."""
        return self.cos.shape[1]

    @property
    def whole(self) -> bool:
        """Whether nothing is padded."""
        return len(self.where) == self.count * self.width

    @functools.cached_property
    def tokens(self) -> torch.Tensor:
        """int64 (count * width,), the token at each place; -1 where padded."""
        found = torch.full((self.count * self.width,), -1)
        found[self.where] = torch.arange(len(self.where))
        return found
