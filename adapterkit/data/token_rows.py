"""Token rows on the disk: in memory stands a few bytes a row that say where each begins."""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, overload

from adapterkit.data.template import IGNORED, EncodedRow
from adapterkit.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_TOKENS_AT_ONCE = 1 << 18
_STRIDE = 4096


@dataclass(frozen=True, eq=False)
class TokenBatch:
    """Some rows, one after the other.

    Attributes:
        ids: int32 (tokens,), of all rows.
        labelled: uint8 (tokens,), 1 where the loss counts.
        lengths: int64 (rows,), tokens of each.
        weights: float64 (rows,), how much each counts.
    """

    ids: NDArray[np.int32]
    labelled: NDArray[np.uint8]
    lengths: NDArray[np.int64]
    weights: NDArray[np.float64]

    @property
    def labels_counts(self) -> NDArray[np.int64]:
        """Label tokens of each row, int64 (rows,)."""
        import numpy as np

        before = np.concatenate([[0], np.cumsum(self.labelled, dtype=np.int64)])
        ends = np.cumsum(self.lengths)
        counts: NDArray[np.int64] = before[ends] - before[ends - self.lengths]
        return counts

    def filled(self, others: TokenBatch) -> TokenBatch:
        """With other rows in place of those that were left out, whose length is below 0."""
        import numpy as np

        left = self.lengths < 0
        at = np.repeat(np.cumsum(np.where(left, 0, self.lengths))[left], others.lengths)
        lengths = self.lengths.copy()
        lengths[left] = others.lengths
        ids, labelled = np.insert(self.ids, at, others.ids), np.insert(self.labelled, at, others.labelled)
        return TokenBatch(ids, labelled, lengths, self.weights)

    def lists(self) -> Iterator[tuple[list[int], list[int], float]]:
        """Ids, labels and weight of each row."""
        import numpy as np

        labels = np.where(self.labelled, self.ids, IGNORED).tolist()
        ids, start = self.ids.tolist(), 0
        for length, weight in zip(self.lengths.tolist(), self.weights.tolist(), strict=True):
            end = start + length
            yield ids[start:end], labels[start:end], weight
            start = end

    def rows(self) -> Iterator[EncodedRow]:
        """Each row by itself."""
        return (EncodedRow(tuple(ids), tuple(labels), weight) for ids, labels, weight in self.lists())


class StoredRows(Sequence[EncodedRow]):
    """Rows in a file, read when they are looked at.

    Attributes:
        lengths: int32 (rows,), tokens of each.
        labels_counts: int32 (rows,), label tokens of each.
        weights: float64 (rows,), how much each counts.
    """

    def __init__(
        self,
        descriptor: int,
        *,
        ids_at: int,
        labelled_at: int,
        lengths: NDArray[np.int32],
        weights: NDArray[np.float64],
    ) -> None:
        """Take over an open descriptor, and where in the file both arrays begin."""
        import numpy as np

        self._descriptor, self._ids_at, self._labelled_at = descriptor, ids_at, labelled_at
        weakref.finalize(self, os.close, descriptor)
        self.lengths, self.weights = lengths, weights
        # Where every so many rows begin: the others are found from there.
        sums = [int(lengths[first : first + _STRIDE].sum()) for first in range(0, len(lengths), _STRIDE)]
        self._begins = [0, *accumulate(sums)]
        self.labels_counts = np.zeros(len(lengths), np.int32)
        first = 0
        for batch in self.batches():
            self.labels_counts[first : first + len(batch.lengths)] = batch.labels_counts
            first += len(batch.lengths)

    def __len__(self) -> int:
        """How many rows."""
        return len(self.lengths)

    @overload
    def __getitem__(self, index: int) -> EncodedRow: ...

    @overload
    def __getitem__(self, index: slice) -> list[EncodedRow]: ...

    def __getitem__(self, index: int | slice) -> EncodedRow | list[EncodedRow]:
        """Read one row, or several."""
        if isinstance(index, slice):
            return [self[each] for each in range(len(self))[index]]
        place = range(len(self))[index]
        return next(self._batch(place, place + 1).rows())

    def __iter__(self) -> Iterator[EncodedRow]:
        """Read all."""
        for batch in self.batches():
            yield from batch.rows()

    def batches(self) -> Iterator[TokenBatch]:
        """Read all, many rows at once."""
        import numpy as np

        first = 0
        while first < len(self):
            ends = np.cumsum(self.lengths[first : first + _STRIDE], dtype=np.int64)
            after = first + max(1, int(np.searchsorted(ends, _TOKENS_AT_ONCE, side="right")))
            yield self._batch(first, after)
            first = after

    def _batch(self, first: int, after: int) -> TokenBatch:
        import numpy as np

        known = first - first % _STRIDE
        start = self._begins[first // _STRIDE] + int(self.lengths[known:first].sum())
        lengths = self.lengths[first:after].astype(np.int64)
        count = int(lengths.sum())
        ids = self._read(self._ids_at + 4 * start, 4 * count)
        labelled = self._read(self._labelled_at + start, count)
        return TokenBatch(
            np.frombuffer(ids, np.int32), np.frombuffer(labelled, np.uint8), lengths, self.weights[first:after]
        )

    def _read(self, start: int, size: int) -> bytes:
        content = os.pread(self._descriptor, size, start)
        if len(content) != size:
            raise DataError("The file of token rows was cut off while it was read. Start again.")
        return content


def lengths_of(rows: Sequence[EncodedRow]) -> NDArray[np.int32]:
    """Tokens of each row, integers."""
    import numpy as np

    return rows.lengths if isinstance(rows, StoredRows) else np.array([row.length for row in rows], np.int32)


def token_lists(rows: Sequence[EncodedRow]) -> Iterator[tuple[Sequence[int], Sequence[int], float]]:
    """Ids, labels and weight of each row."""
    if isinstance(rows, StoredRows):
        for batch in rows.batches():
            yield from batch.lists()
        return
    for row in rows:
        yield row.input_ids, row.labels, row.weight


def labels_counts_of(rows: Sequence[EncodedRow]) -> NDArray[np.int32]:
    """Label tokens of each row, integers."""
    import numpy as np

    if isinstance(rows, StoredRows):
        return rows.labels_counts
    return np.array([row.labels_count for row in rows], np.int32)


def weights_of(rows: Sequence[EncodedRow]) -> NDArray[np.float64]:
    """How much each row counts, float64."""
    import numpy as np

    return rows.weights if isinstance(rows, StoredRows) else np.array([row.weight for row in rows], np.float64)
