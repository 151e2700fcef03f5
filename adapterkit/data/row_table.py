"""Token rows as the table that a Trainer reads: rows by their number, columns by their name, nothing held twice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, overload

from adapterkit.data.template import EncodedRow
from adapterkit.data.token_rows import lengths_of, weights_of


class RowTable(Sequence[dict[str, Any]]):
    """Rows of `input_ids`, `labels`, `length` and `row`, and of `weight` where any is not 1.

    `datasets` would hold every token as a Python object while the table is made.
    """

    def __init__(self, rows: Sequence[EncodedRow]) -> None:
        """Take the rows."""
        self._rows = rows
        self._weighted = bool((weights_of(rows) != 1).any())

    @property
    def column_names(self) -> list[str]:
        """What every row has."""
        return ["input_ids", "labels", "length", "row", *(["weight"] if self._weighted else [])]

    def __len__(self) -> int:
        """How many rows."""
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> dict[str, Any]: ...

    @overload
    def __getitem__(self, index: slice) -> list[dict[str, Any]]: ...

    @overload
    def __getitem__(self, index: str) -> list[Any]: ...

    def __getitem__(self, index: int | slice | str) -> dict[str, Any] | list[Any]:
        """A row by its number, rows by a slice, or a column by its name."""
        if isinstance(index, slice):
            return [self[each] for each in range(len(self))[index]]
        if index == "length":
            lengths: list[Any] = lengths_of(self._rows).tolist()
            return lengths
        if isinstance(index, str):
            return [row[index] for row in self]
        place = range(len(self))[index]
        return self._row(self._rows[place], place)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Every row."""
        return (self._row(row, place) for place, row in enumerate(self._rows))

    def _row(self, row: EncodedRow, place: int) -> dict[str, Any]:
        table = {"input_ids": list(row.input_ids), "labels": list(row.labels), "length": row.length, "row": place}
        return table | ({"weight": row.weight} if self._weighted else {})
