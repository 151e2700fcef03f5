"""Rows that count more or less than others in the loss of a step.

The loss is sum(weight * nats) / sum(weight), both sums over the label tokens of all batches of an optimizer step: a row
of weight 2 counts as if the step held it twice, and all weights times ten are the same training. Where every row's
weight is 1 there are no weights at all.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch

from adapterkit.data.template import IGNORED


def weighed(losses: torch.Tensor, inputs: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """Each label token's loss times the weight of its row; the losses themselves where rows have no weights.

    Args:
        losses: (rows, kept) with zeros where ignored, or (labels,) of all rows one after the other.
        inputs: `labels`, int64 (rows, tokens), and perhaps `weights`, float32 (rows,).
    """
    if "weights" not in inputs:
        return losses
    weights = inputs["weights"]
    return losses * (weights.unsqueeze(1) if losses.dim() == 2 else weights.repeat_interleave(_counts(inputs)))


def label_weight(inputs: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """The sum over label tokens of their rows' weights: what the summed loss is divided by."""
    counts = _counts(inputs)
    return (counts * inputs["weights"]).sum() if "weights" in inputs else counts.sum()


def _counts(inputs: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """Label tokens of each row; nothing predicts the first token."""
    return (inputs["labels"][:, 1:] != IGNORED).sum(dim=1)
