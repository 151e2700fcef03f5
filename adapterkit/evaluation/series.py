"""The curves of one training, out of its log history: what is drawn, whoever draws it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Point = tuple[float, float]


@dataclass(frozen=True)
class Series:
    """One quantity by optimizer step.

    Attributes:
        points: (step, value), by step; finite values alone.
    """

    points: tuple[Point, ...]

    @classmethod
    def of(cls, history: Sequence[Mapping[str, Any]], key: str) -> Series:
        """What was logged under one key; of a step that was logged twice, the last."""
        found = {entry["step"]: float(entry[key]) for entry in history if key in entry and "step" in entry}
        return cls(tuple((float(step), value) for step, value in sorted(found.items()) if math.isfinite(value)))

    def __bool__(self) -> bool:
        return bool(self.points)

    def lowest(self) -> Point:
        """The lowest point, the first of several.

        Raises:
            ValueError: there is no point.
        """
        return min(self.points, key=lambda point: point[1])

    def smoothed(self, most: int = 50) -> Series | None:
        """The mean over a window of a fiftieth of all points around each; None where they are few enough as they are.

        Args:
            most: so many points need no smoothing.
        """
        if len(self.points) <= most:
            return None
        half = max(len(self.points) // 100, 2)
        sums = [0.0]
        for _, value in self.points:
            sums.append(sums[-1] + value)
        ends = [(max(i - half, 0), min(i + half + 1, len(self.points))) for i in range(len(self.points))]
        means = [(sums[stop] - sums[start]) / (stop - start) for start, stop in ends]
        return Series(tuple((step, mean) for (step, _), mean in zip(self.points, means, strict=True)))

    def thinned(self, most: int = 600) -> Series:
        """Few enough points to draw: the lowest and the highest of each stretch, so that no spike is lost."""
        if len(self.points) <= most:
            return self
        stretch = math.ceil(2 * len(self.points) / most)
        kept: list[Point] = []
        for start in range(0, len(self.points), stretch):
            part = self.points[start : start + stretch]
            kept += sorted({min(part, key=lambda point: point[1]), max(part, key=lambda point: point[1])})
        return Series(tuple(kept))


@dataclass(frozen=True)
class Curves:
    """All that is drawn of one training; losses in nats a token."""

    loss: Series
    validation: Series
    learning_rate: Series
    grad_norm: Series
    tokens_per_second: Series

    @classmethod
    def of(cls, history: Sequence[Mapping[str, Any]]) -> Curves:
        """Read them from the Trainer's log history."""
        keys = ("loss", "eval_loss", "learning_rate", "grad_norm", "tokens_per_second")
        return cls(*(Series.of(history, key) for key in keys))

    @property
    def last_step(self) -> float:
        """The last step of any curve; 1 where nothing was logged."""
        every = (self.loss, self.validation, self.learning_rate, self.grad_norm, self.tokens_per_second)
        return max((series.points[-1][0] for series in every if series), default=1.0)


def number(value: float) -> str:
    """A number as an axis or a table shows it: `0.0003` as `3e-4`, `12345.6` as `12,346`."""
    if value == 0.0 or 0.001 <= abs(value) < 1000:
        return f"{value:.4g}"
    if 1000 <= abs(value) < 1e7:
        return f"{value:,.0f}"
    mantissa, exponent = f"{value:.2e}".split("e")
    return f"{float(mantissa):g}e{int(exponent)}"
