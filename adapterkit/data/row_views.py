"""Some of many rows, or all with something added, without holding any of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING

from adapterkit.data.conversation import Conversation, Turn
from adapterkit.data.file_rows import FileRows
from adapterkit.data.lazy_rows import LazyRows
from adapterkit.data.row_index import DIGEST_BYTES
from adapterkit.data.said import Said, said_of, with_system

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class RowView(LazyRows):
    """Chosen rows of others.

    Attributes:
        rows: the others.
        indices: which of them, in this order, int64.
        system: what a turn of the system says, put before each row that has none; null: nothing.
    """

    rows: FileRows
    indices: NDArray[np.int64]
    system: str | None = None

    def __len__(self) -> int:
        """How many rows."""
        return len(self.indices)

    def row_at(self, index: int) -> Conversation:
        """Read one row."""
        return _with_system(self.rows[int(self.indices[index])], self.system)

    def __iter__(self) -> Iterator[Conversation]:
        """Read all."""
        rows: Iterable[Conversation] = self.rows if self._whole() else (self.rows[index] for index in self._each())
        return (_with_system(row, self.system) for row in rows)

    def said(self) -> Iterator[Said]:
        """What each row says."""
        rows = self.rows.said() if self._whole() else map(self.rows.said_in, self._each())
        return (with_system(row, self.system) for row in rows)

    def _whole(self) -> bool:
        return len(self.indices) == len(self.rows) and bool((self.indices[1:] > self.indices[:-1]).all())

    def _each(self) -> Iterator[int]:
        return map(int, self.indices)


@dataclass(frozen=True, eq=False)
class RowChain(LazyRows):
    """Rows one after the other."""

    parts: tuple[Sequence[Conversation], ...]

    def __len__(self) -> int:
        """How many rows."""
        return sum(map(len, self.parts))

    def row_at(self, index: int) -> Conversation:
        """Read one row."""
        for part in self.parts:
            if index < len(part):
                return part[index]
            index -= len(part)
        raise IndexError(index)

    def __iter__(self) -> Iterator[Conversation]:
        """Read all."""
        return chain.from_iterable(self.parts)


def chosen(rows: Sequence[Conversation], indices: NDArray[np.int64]) -> Sequence[Conversation]:
    """The rows of these indices, in their order."""
    if isinstance(rows, FileRows):
        return RowView(rows, indices)
    if isinstance(rows, RowView):
        return RowView(rows.rows, rows.indices[indices], rows.system)
    return tuple(rows[index] for index in indices.tolist())


def with_system_turn(rows: Sequence[Conversation], system: str) -> Sequence[Conversation]:
    """All rows, with a system turn before each that has none."""
    if isinstance(rows, FileRows | RowView) and len(rows):
        return RowView(all_of(rows), rows.indices if isinstance(rows, RowView) else _all(len(rows)), system)
    return tuple(_with_system(row, system) for row in rows)


def _with_system(row: Conversation, system: str | None) -> Conversation:
    if system is None or row.turns[0].role == "system":
        return row
    return replace(row, turns=(Turn("system", system), *row.turns))


def all_of(rows: FileRows | RowView) -> FileRows:
    """The rows that others are chosen from, or that stand for themselves."""
    return rows.rows if isinstance(rows, RowView) else rows


def said_rows(rows: Sequence[Conversation]) -> Iterator[Said]:
    """What each row says."""
    if isinstance(rows, FileRows | RowView):
        return rows.said()
    if isinstance(rows, RowChain):
        return chain.from_iterable(map(said_rows, rows.parts))
    return map(said_of, rows)


def row_digests(rows: Sequence[Conversation]) -> NDArray[np.uint8]:
    """Digests of what each row says, uint8 (rows, 16): equal for equal turns."""
    import numpy as np

    if isinstance(rows, FileRows):
        return rows.where.digests
    if isinstance(rows, RowView) and rows.system is None:
        return rows.rows.where.digests[rows.indices]
    if isinstance(rows, RowChain):
        return np.concatenate([row_digests(part) for part in rows.parts])
    made = b"".join(hashlib.blake2b(row.words, digest_size=DIGEST_BYTES).digest() for row in said_rows(rows))
    return np.frombuffer(made, np.uint8).reshape(-1, DIGEST_BYTES)


def row_weights(rows: Sequence[Conversation]) -> NDArray[np.float64]:
    """How much each row counts, float64 (rows,)."""
    import numpy as np

    if isinstance(rows, FileRows):
        return rows.where.weights
    if isinstance(rows, RowView):
        return rows.rows.where.weights[rows.indices]
    if isinstance(rows, RowChain):
        return np.concatenate([row_weights(part) for part in rows.parts])
    return np.array([row.weight for row in rows], np.float64)


def as_keys(digests: NDArray[np.uint8]) -> NDArray[np.void]:
    """One value a row, to sort and compare."""
    import numpy as np

    return np.ascontiguousarray(digests).view(np.dtype((np.void, digests.shape[1]))).ravel()


def persona_of_rows(rows: Sequence[Conversation]) -> tuple[NDArray[np.int32], tuple[str, ...]]:
    """For each row the number of its persona, and the names of all; the first is empty and stands for none."""
    import numpy as np

    if isinstance(rows, FileRows):
        return rows.where.personas, rows.where.names
    if isinstance(rows, RowView):
        return rows.rows.where.personas[rows.indices], rows.rows.where.names
    names = {"": 0}
    return np.array([names.setdefault(row.origin.label, len(names)) for row in rows], np.int32), tuple(names)


def _all(count: int) -> NDArray[np.int64]:
    import numpy as np

    return np.arange(count, dtype=np.int64)
