"""Rows that stay in their files: a few bytes a row say where each lies, and it is read when it is looked at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from adapterkit.data.conversation import Conversation
from adapterkit.data.lazy_rows import LazyRows
from adapterkit.data.lines import BLOCK
from adapterkit.data.quarantine import BadRows
from adapterkit.data.row_index import RowIndex, indexed, row_in, said_in
from adapterkit.data.said import Said, Shape, quick
from adapterkit.data.sources import Source

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# A row is a line, and so two bytes at least.
_MOST_AT_ONCE = BLOCK // 2


@dataclass(frozen=True, eq=False)
class FileRows(LazyRows):
    """Rows of one file or several, in order.

    Attributes:
        sources: the files.
        shape: makes a conversation of the object on a line.
        where: where each row lies, and what is known of it.
    """

    sources: tuple[Source, ...]
    shape: Shape
    where: RowIndex

    def __len__(self) -> int:
        """How many rows."""
        return len(self.where.starts)

    def row_at(self, index: int) -> Conversation:
        """Read one row."""
        return self._made(self.raw(index), index)

    def __iter__(self) -> Iterator[Conversation]:
        """Read all, a block of the file at a time."""
        return (self._made(line, index) for index, line in enumerate(self._lines()))

    def said(self) -> Iterator[Said]:
        """What each row says, without its place: read likewise, in a third of the time."""
        decode = quick(self.shape)
        for index, line in enumerate(self._lines()):
            yield decode(line) or self.said_in(index)

    def said_in(self, index: int) -> Said:
        """What one row says."""
        return said_in(self.raw(index), self.shape, *self.place(index))

    def raw(self, index: int) -> bytes:
        """The line of a row, as it stands in the file."""
        source = self.sources[self.where.run_of(index).file]
        return source.read(int(self.where.starts[index]), int(self.where.sizes[index]))

    def place(self, index: int) -> tuple[str, int]:
        """The file of a row, and the 1-based number of its line."""
        run = self.where.run_of(index)
        return self.sources[run.file].path, run.line + index - run.first

    def _lines(self) -> Iterator[bytes]:
        first = 0
        while first < len(self):
            after = self._after_block(first)
            starts, sizes = self.where.starts[first:after].tolist(), self.where.sizes[first:after].tolist()
            begin = starts[0]
            block = self.sources[self.where.run_of(first).file].read(begin, starts[-1] + sizes[-1] - begin)
            for start, size in zip(starts, sizes, strict=True):
                yield block[start - begin : start - begin + size]
            first = after

    def _after_block(self, first: int) -> int:
        """The row behind those that one read brings: of the same file, and together little more than a block."""
        import numpy as np

        same: NDArray[np.int64] = self.where.starts[first : min(self.where.file_end(first), first + _MOST_AT_ONCE)]
        return first + max(1, int(np.searchsorted(same, same[0] + BLOCK)))

    def _made(self, line: bytes, index: int) -> Conversation:
        return row_in(line, self.shape, *self.place(index))


def index_rows(sources: Sequence[Source], shape: Shape, bad: BadRows) -> FileRows:
    """The rows of files, every one checked; arguments and errors as of `indexed`."""
    return FileRows(tuple(sources), shape, indexed(sources, shape, bad))
