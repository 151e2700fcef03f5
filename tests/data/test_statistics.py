"""What a split comes to: counts, and lengths in bins of one width."""

from __future__ import annotations

import pytest

from adapterkit.data import EncodedRow
from adapterkit.data.statistics import Bin, histogram_of, statistics_of


def row(length: int, learnt: int) -> EncodedRow:
    return EncodedRow(tuple(range(length)), (*(-100,) * (length - learnt), *range(learnt)))


def test_a_split_in_numbers() -> None:
    found = statistics_of("train", [row(7, 3), row(4, 4), row(30, 1), row(5, 2)], truncated=1, dropped=2, max_length=7)
    assert (found.split, found.rows, found.tokens, found.label_tokens) == ("train", 4, 46, 10)
    assert (found.truncated, found.dropped, found.too_long) == (1, 2, 1)
    assert (found.shortest, found.median, found.longest) == (4, 5, 30)
    assert sum(each.rows for each in found.histogram) == 4


def test_a_split_of_which_nothing_is_left() -> None:
    found = statistics_of("test", [], dropped=3)
    assert (found.rows, found.dropped, found.longest, found.histogram) == (0, 3, 0, ())


@pytest.mark.parametrize(
    ("lengths", "expected"),
    [
        ([5], [(5, 5, 1)]),
        ([1, 3, 3], [(1, 1, 1), (2, 2, 0), (3, 3, 2)]),
        ([10, 19], [(place, place, int(place in (10, 19))) for place in range(10, 20)]),
        ([10, 20], [(10, 11, 1), (12, 13, 0), (14, 15, 0), (16, 17, 0), (18, 19, 0), (20, 21, 1)]),
        ([0, 512], [(first, first + 99, int(first in (0, 500))) for first in range(0, 600, 100)]),
        (
            [99, 1_000_000],
            [(n, n + 199_999, int(n in (0, 1_000_000))) for n in range(0, 1_000_001, 200_000)],
        ),
    ],
)
def test_a_histogram_has_no_gaps_and_at_most_ten_bins(lengths: list[int], expected: list[tuple[int, int, int]]) -> None:
    assert histogram_of(lengths) == tuple(Bin(*each) for each in expected)
