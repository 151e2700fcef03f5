"""Task arithmetic (Ilharco et al. 2023, arXiv:2212.04089): changes are added to learn, and subtracted to forget."""

from __future__ import annotations

from collections.abc import Sequence

import torch


def task_arithmetic(weights: Sequence[float], products: torch.Tensor) -> list[float]:
    """w1 D1 + w2 D2 + ..., where a weight below zero takes away what a source learned.

    The paper has one factor for all tasks, lambda, which is the option `scale`, and weights of 1 and -1.

    Args:
        weights: any.
        products: inner products of the changes; not looked at.

    Returns:
        What each change is multiplied by.
    """
    return list(weights)
