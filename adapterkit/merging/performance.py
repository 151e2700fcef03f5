"""Weights from what each adapter is known to have gained."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from adapterkit.errors import UsageError
from adapterkit.texts import listed


@dataclass(frozen=True)
class MeasuredLoss:
    """An adapter's loss on text that it was not trained on, in nats a token.

    Attributes:
        ref: the adapter's.
        before: without it, null where that was not measured.
        after: with it, null where that was not measured.
    """

    ref: str
    before: float | None
    after: float | None

    @property
    def gain(self) -> float | None:
        """How far the adapter lowers the loss; null where that is not known."""
        if self.before is None or self.after is None:
            return None
        gain = self.before - self.after
        return gain if math.isfinite(gain) else None


def weights_by_gain(sources: Sequence[MeasuredLoss]) -> tuple[float, ...]:
    """One weight for each adapter, in proportion to its gain; they add up to 1.

    Raises:
        UsageError: there are none; a gain is not known, or is not above zero.
    """
    if not sources:
        raise UsageError("There is nothing to weigh: give at least one adapter.")
    wrong = [_wrong(each) for each in sources if each.gain is None or each.gain <= 0]
    if wrong:
        raise UsageError(
            "Weights by performance need a held-out loss that every adapter lowers. Give weights yourself, or evaluate "
            f"these first:{listed(wrong)}"
        )
    gains = [each.gain or 0.0 for each in sources]
    return tuple(gain / math.fsum(gains) for gain in gains)


def _wrong(source: MeasuredLoss) -> str:
    if source.gain is None:
        return f"{source.ref}: loss before {_number(source.before)}, after {_number(source.after)}"
    return f"{source.ref}: {source.before:.4f} -> {source.after:.4f} nats a token is no gain"


def _number(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.4f}"
