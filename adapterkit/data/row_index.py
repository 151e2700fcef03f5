"""Where the rows of files lie, written down in some 30 bytes a row while the files are read from end to end."""

from __future__ import annotations

import hashlib
from array import array
from bisect import bisect_right
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from adapterkit.data import jsonl
from adapterkit.data.conversation import Conversation, Origin
from adapterkit.data.jsonl import empty_file, parse_object, trimmed
from adapterkit.data.lines import Line
from adapterkit.data.quarantine import BadRows
from adapterkit.data.said import Said, Shape, quick, said_of
from adapterkit.data.sources import Source
from adapterkit.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DIGEST_BYTES = 16


class Run(NamedTuple):
    """Rows on consecutive lines.

    Attributes:
        first: the number of the first of them.
        file: the number of their file.
        line: of the first, 1-based.
        place: of the first, 0-based, among all rows of its file, bad ones counted.
    """

    first: int
    file: int
    line: int
    place: int


class RowIndex(NamedTuple):
    """What is known of every row of some files.

    Attributes:
        runs: where the rows are, as few as there can be.
        starts: the offset of each row's line, int64 (rows,).
        sizes: bytes of that line, int32 (rows,).
        personas: for each row, the number of its persona in `names`, int32 (rows,).
        names: of the personas; the first is empty and stands for none.
        digests: of what each row says, uint8 (rows, 16).
        weights: how much each row counts, float64 (rows,).
        counts: for each file, how many rows it has, bad ones counted.
    """

    runs: tuple[Run, ...]
    starts: NDArray[np.int64]
    sizes: NDArray[np.int32]
    personas: NDArray[np.int32]
    names: tuple[str, ...]
    digests: NDArray[np.uint8]
    weights: NDArray[np.float64]
    counts: tuple[int, ...]

    def run_of(self, row: int) -> Run:
        """The run that a row is in."""
        return self.runs[bisect_right(self.runs, row, key=_first_of) - 1]

    def file_end(self, row: int) -> int:
        """The row behind the last one of this row's file."""
        file = self.run_of(row).file
        after = bisect_right(self.runs, file, key=_file_of)
        return self.runs[after].first if after < len(self.runs) else len(self.starts)

    def files(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """The number of the file of each of these rows."""
        import numpy as np

        firsts, files = np.array([(run.first, run.file) for run in self.runs], np.int64).T
        found: NDArray[np.int64] = files[np.searchsorted(firsts, rows, side="right") - 1]
        return found

    def places(self) -> NDArray[np.int64]:
        """The place of each row in its file."""
        import numpy as np

        firsts = np.array([run.first for run in self.runs], np.int64)
        shifts = np.array([run.place - run.first for run in self.runs], np.int64)
        counts = np.diff(np.append(firsts, len(self.starts)))
        return np.arange(len(self.starts)) + np.repeat(shifts, counts)


def _first_of(run: Run) -> int:
    return run.first


def _file_of(run: Run) -> int:
    return run.file


def indexed(sources: Sequence[Source], shape: Shape, bad: BadRows) -> RowIndex:
    """Read files from end to end, check every row, and note where each lies.

    Args:
        sources: the files, in the order of their rows.
        shape: makes a conversation of a row's object.
        bad: takes the rows that cannot be used, or refuses them.

    Raises:
        DataError: a file has no row, or has bad ones that `bad` does not take.
    """
    growing = _Growing()
    counts = [_read(growing, number, source, shape, bad) for number, source in enumerate(sources)]
    return growing.index(tuple(counts))


def _read(growing: _Growing, number: int, source: Source, shape: Shape, bad: BadRows) -> int:
    """How many rows there are, bad ones counted."""
    place = 0
    with bad.of(source.path) as aside:
        for line in source.lines(limit=jsonl.LINE_LIMIT, skip=bad.quarantined):
            try:
                if line.content is None:
                    raise DataError(f"The line has {line.size:,} bytes.", path=source.path, line=line.number)
                growing.add(number, line, place, said_in(line.content, shape, source.path, line.number))
            except DataError as error:
                if line.content is not None and not trimmed(line.number, line.content):
                    continue
                aside.take(line, error)
            place += 1
        if not place:
            raise empty_file(source.path)
        aside.close(rows=place)
    return place


def said_in(line: bytes, shape: Shape, path: str, number: int) -> Said:
    """What a line of a file says.

    Raises:
        DataError: it cannot be used.
    """
    return quick(shape)(line) or said_of(row_in(line, shape, path, number))


def row_in(line: bytes, shape: Shape, path: str, number: int) -> Conversation:
    """The conversation on a line of a file.

    Raises:
        DataError: it cannot be used.
    """
    value = parse_object(path, number, trimmed(number, line))
    return shape(value, origin_of(value, path, number))


def origin_of(value: dict[str, Any], path: str, line: int) -> Origin:
    """Where a row came from, with the persona that it may name.

    Raises:
        DataError: its `persona` is no name.
    """
    persona = value.get("persona")
    if persona is not None and (not isinstance(persona, str) or not persona.strip()):
        raise DataError("'persona' must be a name, or be left out.", path=path, line=line)
    return Origin(path=path, line=line, label=persona or "", strata=(persona,) if persona else ())


class _Growing:
    """An index while it grows."""

    def __init__(self) -> None:
        self._runs: list[Run] = []
        self._starts, self._sizes, self._digests = array("q"), array("i"), bytearray()
        # Only as far as the last row that names one, or does not count as 1.
        self._personas, self._weights = array("i"), array("d")
        self._names = {"": 0}
        self._next: tuple[int, int, int] | None = None

    def add(self, file: int, line: Line, place: int, said: Said) -> None:
        if (file, line.number, place) != self._next:
            self._runs.append(Run(len(self._starts), file, line.number, place))
        self._next = file, line.number + 1, place + 1
        if said.persona:
            self._fill(self._personas, 0).append(self._names.setdefault(said.persona, len(self._names)))
        if said.weight != 1:
            self._fill(self._weights, 1).append(said.weight)
        self._starts.append(line.start)
        self._sizes.append(line.size)
        self._digests += hashlib.blake2b(said.words, digest_size=DIGEST_BYTES).digest()

    def _fill(self, values: array[Any], usual: int) -> array[Any]:
        """A column up to the row that is added next."""
        if (missing := len(self._starts) - len(values)) > 0:
            values.extend(array(values.typecode, [usual]) * missing)
        return values

    def index(self, counts: tuple[int, ...]) -> RowIndex:
        import numpy as np

        count = len(self._starts)
        return RowIndex(
            tuple(self._runs), np.frombuffer(self._starts, np.int64), np.frombuffer(self._sizes, np.int32),
            self._column(self._personas, np.zeros((), np.int32), count), tuple(self._names),
            np.frombuffer(self._digests, np.uint8).reshape(-1, DIGEST_BYTES),
            self._column(self._weights, np.ones(()), count), counts,
        )  # fmt: skip

    def _column(self, values: array[Any], usual: NDArray[Any], count: int) -> NDArray[Any]:
        """What was noted of every row; no memory where nothing was."""
        import numpy as np

        if not values:
            return np.broadcast_to(usual, (count,))
        return np.frombuffer(self._fill(values, int(usual)), usual.dtype)
