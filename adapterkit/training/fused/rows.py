"""How the tokens of a batch stand in rows."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import torch


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
    def lengths(self) -> torch.Tensor:
        """int64 (count,), tokens of each row."""
        return torch.bincount(self.where // self.width, minlength=self.count)

    @functools.cached_property
    def starts(self) -> torch.Tensor:
        """int64 (count,), the first token of each row."""
        return self.lengths.cumsum(0) - self.lengths
