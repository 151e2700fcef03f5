"""Paired comparison of two models on the same rows."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from scipy.special import stdtrit

from adapterkit.evaluation.loss import RowLoss, mean_loss


@dataclass(frozen=True)
class PairedChange:
    """How the loss changed from one model to another, row by row.

    Attributes:
        before: nats a label token, over all rows.
        after: the same of the second model.
        change: mean over rows of the change in nats a token.
        ci95_low: lower end of the two-sided 95 % t interval of that mean.
        ci95_high: its upper end.
    """

    before: float
    after: float
    change: float
    ci95_low: float
    ci95_high: float
    rows: int
    tokens: int

    def to_json(self) -> dict[str, float]:
        """Plain numbers."""
        return asdict(self)


def paired_change(before: Sequence[RowLoss], after: Sequence[RowLoss]) -> PairedChange:
    """Student's paired t interval over rows.

    Args:
        before: losses of the first model.
        after: losses of the second model on the same rows, in the same order.

    Raises:
        ValueError: the rows do not pair up, or there are fewer than two.
    """
    if len(before) != len(after) or any(a.tokens != b.tokens for a, b in zip(before, after, strict=True)):
        raise ValueError("a paired comparison needs the same rows, in the same order, on both sides")
    if len(before) < 2:
        raise ValueError("a paired interval needs at least two rows")
    changes = [b.mean - a.mean for a, b in zip(before, after, strict=True)]
    mean = statistics.fmean(changes)
    half = float(stdtrit(len(changes) - 1, 0.975)) * statistics.stdev(changes) / math.sqrt(len(changes))
    tokens = sum(loss.tokens for loss in before)
    return PairedChange(mean_loss(before), mean_loss(after), mean, mean - half, mean + half, len(changes), tokens)
