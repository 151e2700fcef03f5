"""The geometry of a chart, in per cent of its plot: lines stretch with the page, and text does not."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from adapterkit.evaluation.series import Point, Series, number

# Side of the square that lines are drawn in, whatever shape the page gives it.
SIDE = 1000.0
_DOTTED_UP_TO = 25
_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True)
class Curve:
    """One curve as it is asked for.

    Attributes:
        name: in the legend.
        kind: of the style sheet: `training`, `validation`, `plain`.
        series: what is drawn.
        smooth: draw the mean of many points, and the points faintly behind it.
        best: mark the lowest point.
    """

    name: str
    kind: str
    series: Series
    smooth: bool = True
    best: bool = False


@dataclass(frozen=True)
class Line:
    """One line as it is drawn; `path` is SVG, in a square of side 1000."""

    kind: str
    path: str


@dataclass(frozen=True)
class Tick:
    """A label at so many per cent of an axis, from the left or from the top."""

    at: float
    label: str


@dataclass(frozen=True)
class Chart:
    """What the page needs to draw one chart.

    Attributes:
        title: of the quantity, with its unit.
        legend: (name, kind) of each curve, where there are several.
        lines: from back to front.
        xs: ticks of the optimizer steps.
        ys: ticks of the values.
    """

    title: str
    legend: Sequence[tuple[str, str]]
    lines: Sequence[Line]
    xs: Sequence[Tick]
    ys: Sequence[Tick]


def chart(title: str, curves: Sequence[Curve], *, last_step: float, from_zero: bool = False) -> Chart | None:
    """Lay out a chart.

    Args:
        title: of the quantity.
        curves: those without points are left out.
        last_step: where the horizontal axis ends.
        from_zero: let the vertical axis begin at 0.

    Returns:
        None when no curve has a point.
    """
    drawn = [curve for curve in curves if curve.series]
    values = [value for curve in drawn for _, value in curve.series.points]
    if not values:
        return None
    low, high = _padded(0.0 if from_zero else min(values), max(values))
    first = 0.0 if last_step > _DOTTED_UP_TO else 1.0
    space = _Space(*_padded(first, last_step), low, high)
    lines = [line for curve in drawn for line in _lines(curve, space)]
    steps = [step for step in ticks(first, last_step, 5) if step.is_integer()]
    return Chart(
        title,
        [(_legend(curve), curve.kind) for curve in drawn] if len(curves) > 1 else [],
        lines,
        [Tick(space.across(step), f"{step:,.0f}") for step in steps],
        [Tick(space.down(value), number(value)) for value in ticks(low, high, 5)],
    )


def ticks(low: float, high: float, most: int) -> list[float]:
    """Round numbers between two others, at most so many and one more.

    Raises:
        ValueError: `high` lies below `low`.
    """
    if high < low:
        raise ValueError(f"no axis runs from {low} to {high}")
    if high == low:
        return [low]
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in _STEPS if factor * power >= rough * (1 - 1e-9))
    start = math.ceil(low / step - 1e-9)
    count = math.floor(high / step + 1e-9) - start + 1
    return [round((start + index) * step, 12) + 0.0 for index in range(count)]


@dataclass(frozen=True)
class _Space:
    left: float
    right: float
    bottom: float
    top: float

    def across(self, step: float) -> float:
        return 100 * (step - self.left) / (self.right - self.left)

    def down(self, value: float) -> float:
        return 100 * (self.top - value) / (self.top - self.bottom)

    def path(self, points: Sequence[Point]) -> str:
        found = (f"{self.across(x) * SIDE / 100:.1f} {self.down(y) * SIDE / 100:.1f}" for x, y in points)
        return "M" + "L".join(found)

    def dots(self, points: Sequence[Point]) -> str:
        """Lines of no length: with round ends they are circles, however the square is stretched."""
        return "".join(f"{self.path([point])}h0" for point in points)


def _padded(low: float, high: float) -> tuple[float, float]:
    """A little room on both sides; none below zero for what begins there."""
    room = (high - low) * 0.05 or abs(high) * 0.1 or 1.0
    return (low if low == 0.0 else low - room), high + room


def _lines(curve: Curve, space: _Space) -> list[Line]:
    mean = curve.series.smoothed() if curve.smooth else None
    points = curve.series.thinned().points
    if mean is not None:
        found = [Line(f"{curve.kind} faint", space.path(points)), Line(curve.kind, space.path(mean.thinned().points))]
    else:
        found = [Line(curve.kind, space.path(points))]
    if len(points) <= _DOTTED_UP_TO:
        found.append(Line(f"{curve.kind} dots", space.dots(points)))
    if curve.best:
        found += [Line(f"{curve.kind} ring", space.dots([curve.series.lowest()]))]
        found += [Line(f"{curve.kind} hole", space.dots([curve.series.lowest()]))]
        found += [Line(f"{curve.kind} dots", space.dots([curve.series.lowest()]))]
    return found


def _legend(curve: Curve) -> str:
    if not curve.best:
        return curve.name
    step, lowest = curve.series.lowest()
    return f"{curve.name}, best {lowest:.3f} at step {step:,.0f}"
