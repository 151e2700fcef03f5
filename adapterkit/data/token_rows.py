"""Token rows on the disk: in memory stands a few bytes a row that say where each begins."""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, overload

from adapterkit.data.template import IGNORED, EncodedRow
from adapterkit.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_TOKENS_AT_ONCE = 1 << 18


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

    def rows(self) -> Iterator[EncodedRow]:
        """Each row by itself."""
        import numpy as np

        labels = np.where(self.labelled, self.ids, IGNORED).tolist()
        ids, start = self.ids.tolist(), 0
        for length, weight in zip(self.lengths.tolist(), self.weights.tolist(), strict=True):
            end = start + length
            yield EncodedRow(tuple(ids[start:end]), tuple(labels[start:end]), weight)
            start = end


class StoredRows(Sequence[EncodedRow]):
    """Rows in a file, read when they are looked at.

    Attributes:
        lengths: int64 (rows,), tokens of each.
        labels_counts: int64 (rows,), label tokens of each.
        weights: float64 (rows,), how much each counts.
    """

    def __init__(
        self,
        descriptor: int,
        *,
        ids_at: int,
        labelled_at: int,
        lengths: NDArray[np.int64],
        weights: NDArray[np.float64],
    ) -> None:
        """Take over an open descriptor, and where in the file both arrays begin."""
        import numpy as np

        self._descriptor, self._ids_at, self._labelled_at = descriptor, ids_at, labelled_at
        weakref.finalize(self, os.close, descriptor)
        self.lengths, self.weights = lengths, weights
        self._ends = np.concatenate([[0], np.cumsum(lengths)])
        self.labels_counts = _concatenated([batch.labels_counts for batch in self.batches()])

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
            after = int(np.searchsorted(self._ends, self._ends[first] + _TOKENS_AT_ONCE, side="right")) - 1
            after = min(max(after, first + 1), len(self))
            yield self._batch(first, after)
            first = after

    def _batch(self, first: int, after: int) -> TokenBatch:
        import numpy as np

        start, count = int(self._ends[first]), int(self._ends[after] - self._ends[first])
        ids = self._read(self._ids_at + 4 * start, 4 * count)
        labelled = self._read(self._labelled_at + start, count)
        return TokenBatch(
            np.frombuffer(ids, np.int32), np.frombuffer(labelled, np.uint8),
            self.lengths[first:after], self.weights[first:after],
        )  # fmt: skip

    def _read(self, start: int, size: int) -> bytes:
        content = os.pread(self._descriptor, size, start)
        if len(content) != size:
            raise DataError("The file of token rows was cut off while it was read. Start again.")
        return content


def lengths_of(rows: Sequence[EncodedRow]) -> NDArray[np.int64]:
    """Tokens of each row, int64."""
    import numpy as np

    return rows.lengths if isinstance(rows, StoredRows) else np.array([row.length for row in rows], np.int64)


def labels_counts_of(rows: Sequence[EncodedRow]) -> NDArray[np.int64]:
    """Label tokens of each row, int64."""
    import numpy as np

    if isinstance(rows, StoredRows):
        return rows.labels_counts
    return np.array([row.labels_count for row in rows], np.int64)


def weights_of(rows: Sequence[EncodedRow]) -> NDArray[np.float64]:
    """How much each row counts, float64."""
    import numpy as np

    return rows.weights if isinstance(rows, StoredRows) else np.array([row.weight for row in rows], np.float64)


def _concatenated(parts: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    import numpy as np

    return np.concatenate([np.zeros(0, np.int64), *parts])
