"""Do the bars of a tune add up to its metre? A score that no model and no person has to judge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from adapterkit.data.abc.playing import Bar, Sound, play
from adapterkit.data.abc.tokens import AbcError
from adapterkit.data.abc.tune import Tune, parse_tune


@dataclass(frozen=True)
class MetreScore:
    """How many bars have the length that the metre asks for.

    Attributes:
        right: so many.
        counted: of so many; upbeats are not counted, since the bar that ends their part has to make room for them.
    """

    right: int
    counted: int

    @property
    def share(self) -> float:
        """From 0 to 1; a tune without a bar has 0."""
        return self.right / self.counted if self.counted else 0.0


@dataclass(frozen=True)
class _Measure:
    """What stands between two bar lines; lines with nothing between them are one, as strong as the strongest."""

    length: Fraction
    left: Bar
    right: Bar

    @property
    def begins_part(self) -> bool:
        return self.left.ends_part and not self.left.ending

    @property
    def is_upbeat(self) -> bool:
        """A part's first bar that is not full; an upbeat alone between two parts is half a bar at most."""
        full = self.left.full
        if full is None or not self.begins_part:
            return False
        return self.length <= full / 2 if self.right.ends_part else self.length < full


def metre_score(tune: Tune | str) -> MetreScore:
    """Measure every bar against `M:` and `L:`.

    A bar is right when it is full. The last bar of a part - before a double line, a repeat or the end - is also right
    when it and an upbeat make one full bar: the upbeat of its own part, to which a repeat leads back, or that of the
    next. The upbeat of a part is a bar at its beginning that is not full. A first or second ending begins no part.

    Args:
        tune: a tune, or a text such as a model writes: `M:`, `L:` and `K:`, then the body.

    Returns:
        The score; nothing right of nothing for a text that is no tune, or has no metre.
    """
    try:
        events = play(parse_tune(tune) if isinstance(tune, str) else tune)
    except AbcError:
        return MetreScore(0, 0)
    measures = _measures(events)
    upbeats = [measure.length if measure.is_upbeat else Fraction(0) for measure in measures[:-1]]
    upbeats += [Fraction(0)] * 2
    right = counted = 0
    own = Fraction(0)
    for position, measure in enumerate(measures):
        if upbeats[position]:
            own = upbeats[position]
            continue
        if measure.begins_part and not (position and upbeats[position - 1]):
            own = Fraction(0)
        if measure.left.full is not None:
            counted += 1
            right += _is_right(measure, (own, upbeats[position + 1]))
    return MetreScore(right, counted)


def _is_right(measure: _Measure, upbeats: Sequence[Fraction]) -> bool:
    full = measure.left.full
    if full is None or measure.length == full or not measure.right.ends_part:
        return measure.length == full
    return any(upbeat and measure.length + upbeat == full for upbeat in upbeats)


def _measures(events: Sequence[Sound | Bar]) -> list[_Measure]:
    measures: list[_Measure] = []
    left, length = Bar(True, False, None), Fraction(0)
    for event in [*events, Bar(True, False, None)]:
        if isinstance(event, Sound):
            length += event.length
            continue
        if length:
            measures.append(_Measure(length, left, event))
            left = event
        else:
            left = Bar(left.ends_part or event.ends_part, left.ending or event.ending, event.full)
            if measures:
                measures[-1] = replace(measures[-1], right=left)
        length = Fraction(0)
    return measures
