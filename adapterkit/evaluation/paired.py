"""Paired comparison of two models on the same rows."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from scipy.special import stdtrit

from adapterkit.evaluation.loss import RowLoss, mean_loss


@dataclass(frozen=True)
class ScoreChange:
    """How a score from 0 to 1 changed from one model to another, answer by answer.

    Attributes:
        before: mean score of the first model.
        after: the same of the second model.
        change: the difference of the two.
        ci95_low: lower end of its two-sided 95 % t interval over rows.
        ci95_high: its upper end.
        passed_before: the share of rows on which the first model's score is 1.
        passed_after: the same of the second model.
    """

    before: float
    after: float
    change: float
    ci95_low: float
    ci95_high: float
    passed_before: float
    passed_after: float
    rows: int

    def to_json(self) -> dict[str, float]:
        """Plain numbers."""
        return asdict(self)


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
    mean, low, high = _interval([b.mean - a.mean for a, b in zip(before, after, strict=True)])
    tokens = sum(loss.tokens for loss in before)
    return PairedChange(mean_loss(before), mean_loss(after), mean, low, high, len(before), tokens)


def paired_scores(before: Sequence[float], after: Sequence[float]) -> ScoreChange:
    """Student's paired t interval over rows.

    Args:
        before: scores of the first model, 1 where it is right.
        after: scores of the second model on the same rows, in the same order.

    Raises:
        ValueError: the rows do not pair up, or there are fewer than two.
    """
    if len(before) != len(after):
        raise ValueError("a paired comparison needs the same rows, in the same order, on both sides")
    mean, low, high = _interval([b - a for a, b in zip(before, after, strict=True)])
    passed_before, passed_after = (sum(score == 1 for score in scores) / len(scores) for scores in (before, after))
    return ScoreChange(
        statistics.fmean(before), statistics.fmean(after), mean, low, high, passed_before, passed_after, len(before)
    )


def _interval(changes: Sequence[float]) -> tuple[float, float, float]:
    """The mean, and the ends of its 95 % interval."""
    if len(changes) < 2:
        raise ValueError("a paired interval needs at least two rows")
    mean = statistics.fmean(changes)
    half = float(stdtrit(len(changes) - 1, 0.975)) * statistics.stdev(changes) / math.sqrt(len(changes))
    return mean, mean - half, mean + half
