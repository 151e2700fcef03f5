"""The statistics of splits as a table, and under it how many rows are how long."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from adapterkit.cli.output import print_table, printable
from adapterkit.texts import counted

if TYPE_CHECKING:
    from adapterkit.data.statistics import Bin, SplitStatistics

_HEADINGS = (
    "split", "rows", "tokens", "learnt", "share", "truncated", "left out", "too long", "shortest", "median", "longest",
)  # fmt: skip
_BAR = 40


def print_statistics(source: str, found: Sequence[SplitStatistics], max_length: int) -> None:
    """Print a table, a histogram a split, and what a training would refuse."""
    print(printable(source))
    print()
    print_table(_HEADINGS, [_cells(each) for each in found])
    for each in found:
        if each.histogram:
            print(f"\n{each.split}: rows by their tokens")
            print("\n".join(_bars(each.histogram)))
    too_long = sum(each.too_long for each in found)
    if too_long:
        longest = max(each.longest for each in found)
        print(
            f"\n{counted(too_long, 'row')} of more than data.max_length={max_length} tokens: a training refuses them. "
            f"Allow them with data.max_length={longest}, or say what becomes of them with "
            "data.on_long_row=truncate_prompt or drop."
        )


def _cells(each: SplitStatistics) -> list[str]:
    share = f"{each.label_tokens / each.tokens:.0%}" if each.tokens else ""
    numbers = (each.truncated, each.dropped, each.too_long, each.shortest, each.median, each.longest)
    counts = (each.rows, each.tokens, each.label_tokens)
    return [each.split, *(f"{count:,}" for count in counts), share, *(f"{number:,}" for number in numbers)]


def _bars(histogram: Sequence[Bin]) -> list[str]:
    """A line a bin; the longest bar is 40 columns, and a bin with a row has a bar of one at least."""
    most = max(each.rows for each in histogram)
    names = [f"{each.first:,} - {each.last:,}" if each.first < each.last else f"{each.first:,}" for each in histogram]
    width = max(map(len, names))
    bars = ["█" * -(-each.rows * _BAR // most) for each in histogram]
    return [
        f"  {name:>{width}}  {bar} {each.rows:,}".rstrip()
        for name, bar, each in zip(names, bars, histogram, strict=True)
    ]
