"""The loss of a causal LM on labelled rows: one sum and one count a row, so that means and pairs stay exact."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.functional import cross_entropy

from adapterkit.base.heap import release_freed
from adapterkit.data.template import IGNORED


@dataclass(frozen=True)
class RowLoss:
    """Summed negative log-likelihood of one row's label tokens, in nats, and how many there are."""

    nats: float
    tokens: int

    @property
    def mean(self) -> float:
        """Nats a token."""
        return self.nats / self.tokens


def label_losses(model: Any, inputs: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """Loss of every label token, with logits computed only at positions that predict one.

    Args:
        model: a causal LM, bare or with a stack.
        inputs: `input_ids`, `attention_mask` and `labels`, int64 (batch, tokens), labels -100 where ignored.

    Returns:
        Losses in nats, float32 (batch, kept), zero where ignored; and the kept labels, int64 (batch, kept).
    """
    labels = inputs["labels"]
    kept = (labels[:, 1:] != IGNORED).any(dim=0).nonzero().squeeze(1)
    arguments: dict[str, Any] = {"logits_to_keep": kept} if _takes_positions(model) else {}
    logits = model(
        input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"], use_cache=False, **arguments
    ).logits
    logits = logits if arguments else logits[:, kept]
    targets = labels[:, kept + 1]
    flat = cross_entropy(logits.flatten(0, 1).float(), targets.flatten(), ignore_index=IGNORED, reduction="none")
    return flat.view(targets.shape), targets


def row_losses(
    model: Any,
    rows: Sequence[Mapping[str, Any]],
    collate: Callable[[list[Mapping[str, Any]]], Mapping[str, torch.Tensor]],
    *,
    batch_size: int,
) -> list[RowLoss]:
    """Evaluate rows without gradients and without dropout, batched by length; the model's mode is put back.

    Args:
        model: a causal LM, bare or with a stack.
        rows: each with `input_ids` and `labels`.
        collate: makes one padded batch of several rows.
        batch_size: rows a batch.

    Returns:
        One loss a row, in the order of the rows.
    """
    order = sorted(range(len(rows)), key=lambda index: len(rows[index]["input_ids"]))
    batches = [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
    found: dict[int, RowLoss] = {}
    was_training = model.training
    model.eval()
    # Logits are too large for what the steps before have freed, and would come on top of it.
    release_freed()
    try:
        with torch.inference_mode():
            for indices in batches:
                batch = {key: value.to(model.device) for key, value in collate([rows[i] for i in indices]).items()}
                losses, targets = label_losses(model, batch)
                tokens = (targets != IGNORED).sum(dim=1).tolist()
                for index, nats, count in zip(indices, losses.double().sum(dim=1).tolist(), tokens, strict=True):
                    found[index] = RowLoss(nats, count)
    finally:
        model.train(was_training)
        release_freed()
    return [found[index] for index in range(len(rows))]


def mean_loss(losses: Sequence[RowLoss]) -> float:
    """Nats a label token over all rows; NaN when there are none."""
    tokens = sum(loss.tokens for loss in losses)
    return sum(loss.nats for loss in losses) / tokens if tokens else math.nan


def _takes_positions(model: Any) -> bool:
    bare = model.get_base_model() if hasattr(model, "get_base_model") else model
    return "logits_to_keep" in inspect.signature(bare.forward).parameters
