"""A sequence of rows that are made when they are looked at."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import overload

from adapterkit.data.conversation import Conversation


class LazyRows(Sequence[Conversation]):
    """What a sequence of rows is, but for the row at an index and how many there are."""

    @abstractmethod
    def row_at(self, index: int) -> Conversation:
        """Read one row; the index is counted from the start, and there is such a row."""

    @overload
    def __getitem__(self, index: int) -> Conversation: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Conversation, ...]: ...

    def __getitem__(self, index: int | slice) -> Conversation | tuple[Conversation, ...]:
        """Read one row, or several."""
        places = range(len(self))
        return tuple(map(self.row_at, places[index])) if isinstance(index, slice) else self.row_at(places[index])
