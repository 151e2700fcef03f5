"""Shapes that come again: oneDNN compiles a product for every new one, some 10 ms each and 30 in a step.

So the number of tokens, and the width of rows, are rounded up by computing some of the padding. It comes after every
token of its row, so that no token looks at it, and it bears no label, so that its gradients are zero.
"""

from __future__ import annotations

import math

import torch

TOKENS, WIDTH = 128, 32


def places(mask: torch.Tensor, tokens: int) -> tuple[int, int, torch.Tensor]:
    """Which tokens of a batch are computed.

    Args:
        mask: bool (rows, tokens), padded on the right.
        tokens: how many are computed, as many as there are or more.

    Returns:
        Rows, their rounded width, and the places of the tokens in `rows * width`, int64, rising; some are of the
        padding, where the number of tokens is rounded up.
    """
    count, width = mask.shape
    width = rounded_width(count, width, tokens)
    flat = torch.nn.functional.pad(mask, (0, width - mask.shape[1])).flatten()
    real, padding = flat.nonzero().squeeze(1), (~flat).nonzero().squeeze(1)
    return count, width, torch.cat([real, padding[: tokens - len(real)]]).sort().values


def rounded_tokens(tokens: int) -> int:
    """How many are computed for so many."""
    return math.ceil(tokens / TOKENS) * TOKENS


def rounded_width(rows: int, width: int, tokens: int) -> int:
    """How wide rows are made, so that so many tokens have a place."""
    return math.ceil(max(width, tokens / rows) / WIDTH) * WIDTH


def widened(values: torch.Tensor, width: int, filling: int) -> torch.Tensor:
    """(rows, less) -> (rows, width)."""
    return torch.nn.functional.pad(values, (0, width - values.shape[1]), value=filling)
