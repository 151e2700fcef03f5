"""What a split comes to in tokens: how many, how many of them are learnt, and how long the rows are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count

from adapterkit.data.template import EncodedRow

_MOST_BINS = 10


@dataclass(frozen=True)
class Bin:
    """How many rows have from `first` to `last` tokens, both included."""

    first: int
    last: int
    rows: int


@dataclass(frozen=True)
class SplitStatistics:
    """One split in numbers.

    Attributes:
        split: train, validation or test.
        rows: how many the model sees.
        tokens: of all of them.
        label_tokens: of these, how many the loss counts.
        truncated: how many of the rows were shortened.
        dropped: how many more rows there were, and were left out because they are too long.
        too_long: how many of the rows are longer than they may be, so that a training would refuse them.
        shortest: tokens of the shortest row; 0 without rows, as the next two are.
        median: tokens of the row in the middle, of two the shorter one.
        longest: tokens of the longest row.
        histogram: rows by their tokens, without gaps, in at most ten bins of one width.
    """

    split: str
    rows: int
    tokens: int
    label_tokens: int
    truncated: int
    dropped: int
    too_long: int
    shortest: int
    median: int
    longest: int
    histogram: tuple[Bin, ...]


def statistics_of(
    split: str,
    rows: Sequence[EncodedRow],
    *,
    truncated: int = 0,
    dropped: int = 0,
    max_length: int | None = None,
) -> SplitStatistics:
    """Count what is in the rows of a split.

    Args:
        split: what it is called.
        rows: its rows.
        truncated: how many of them were shortened.
        dropped: how many were left out.
        max_length: tokens that a row may have; null: any.
    """
    lengths = sorted(row.length for row in rows)
    return SplitStatistics(
        split=split,
        rows=len(lengths),
        tokens=sum(lengths),
        label_tokens=sum(row.labels_count for row in rows),
        truncated=truncated,
        dropped=dropped,
        too_long=0 if max_length is None else sum(length > max_length for length in lengths),
        shortest=lengths[0] if lengths else 0,
        median=lengths[(len(lengths) - 1) // 2] if lengths else 0,
        longest=lengths[-1] if lengths else 0,
        histogram=histogram_of(lengths),
    )


def histogram_of(lengths: Sequence[int]) -> tuple[Bin, ...]:
    """Count lengths in at most ten bins, whose width is 1, 2 or 5 times a power of ten, the smallest that will do."""
    if not lengths:
        return ()
    shortest, longest = min(lengths), max(lengths)
    width = next(width for width in _widths() if longest // width - shortest // width < _MOST_BINS)
    counts = Counter(length // width for length in lengths)
    places = range(shortest // width, longest // width + 1)
    return tuple(Bin(place * width, place * width + width - 1, counts[place]) for place in places)


def _widths() -> Iterator[int]:
    for power in count():
        yield from (10**power, 2 * 10**power, 5 * 10**power)
