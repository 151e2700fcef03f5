"""The logits of whole texts, and how far two models' logits of the same texts are from each other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True)
class Gap:
    """How far one model's logits are from another's.

    Attributes:
        largest: of the differences; infinite where one is no number.
        mean: of their absolute values.
        agreement: the share of positions at which both would take the same token next.
    """

    largest: float
    mean: float
    agreement: float


def text_logits(model: Any, tokenizer: Any, texts: Sequence[Sequence[int]]) -> torch.Tensor:
    """(positions of all texts, vocabulary), in the dtype that the model gives; all texts in one batch."""
    width = max(map(len, texts))
    ids = torch.tensor([[*text, *[tokenizer.pad_token_id] * (width - len(text))] for text in texts])
    mask = torch.tensor([[1] * len(text) + [0] * (width - len(text)) for text in texts])
    found = model(input_ids=ids.to(model.device), attention_mask=mask.to(model.device), use_cache=False).logits
    chosen: torch.Tensor = found[mask.bool().to(found.device)]
    return chosen


def gap(before: torch.Tensor, after: torch.Tensor) -> Gap:
    """Compare logits of the same texts, (positions, vocabulary) each."""
    largest, total = 0.0, 0.0
    # Row by row: a difference in float64 would be many times as large as the logits.
    for one, other in zip(before, after, strict=True):
        difference = (other.double() - one.double()).abs()
        largest, total = max(largest, _number(difference.max().item())), total + difference.sum().item()
    agreement = (before.argmax(dim=1) == after.argmax(dim=1)).double().mean().item()
    return Gap(largest, _number(total / before.numel()), agreement)


def _number(value: float) -> float:
    return value if math.isfinite(value) else math.inf
