"""Rows that stay in their files: a few bytes a row say where each lies, and it is read when it is looked at."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload

from adapterkit.data import jsonl
from adapterkit.data.conversation import Conversation, Origin
from adapterkit.data.jsonl import empty_file, parse_object, trimmed
from adapterkit.data.lines import BLOCK, Line
from adapterkit.data.quarantine import BadRows
from adapterkit.data.sources import Source
from adapterkit.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Shape = Callable[[dict[str, Any], Origin], Conversation]
DIGEST_BYTES = 16


@dataclass(frozen=True, eq=False)
class FileRows(Sequence[Conversation]):
    """Rows of one file or several, in order.

    Attributes:
        sources: the files.
        shape: makes a conversation of the object on a line.
        of: for each row, which of the files it is in.
        starts: the offset of its line.
        sizes: bytes of that line.
        lines: its 1-based number.
        places: its 0-based number among all rows of its file, bad ones counted.
        personas: for each row, the number of its persona in `names`.
        names: of the personas; the first is empty and stands for none.
        digests: of what each row says, uint8 (rows, 16).
        weights: how much each row counts.
    """

    sources: tuple[Source, ...]
    shape: Shape
    of: NDArray[np.int32]
    starts: NDArray[np.int64]
    sizes: NDArray[np.int32]
    lines: NDArray[np.int64]
    places: NDArray[np.int64]
    personas: NDArray[np.int32]
    names: tuple[str, ...]
    digests: NDArray[np.uint8]
    weights: NDArray[np.float64]

    def __len__(self) -> int:
        """How many rows."""
        return len(self.starts)

    @overload
    def __getitem__(self, index: int) -> Conversation: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Conversation, ...]: ...

    def __getitem__(self, index: int | slice) -> Conversation | tuple[Conversation, ...]:
        """Read one row, or several."""
        if isinstance(index, slice):
            return tuple(self[each] for each in range(len(self))[index])
        return self._made(self.raw(index := range(len(self))[index]), index)

    def __iter__(self) -> Iterator[Conversation]:
        """Read all, a block of the file at a time."""
        first = 0
        while first < len(self):
            after = self._after_block(first)
            begin = int(self.starts[first])
            size = int(self.starts[after - 1]) + int(self.sizes[after - 1]) - begin
            block = self.sources[self.of[first]].read(begin, size)
            for index in range(first, after):
                start = int(self.starts[index]) - begin
                yield self._made(block[start : start + int(self.sizes[index])], index)
            first = after

    def raw(self, index: int) -> bytes:
        """The line of a row, as it stands in the file."""
        source = self.sources[int(self.of[index])]
        return source.read(int(self.starts[index]), int(self.sizes[index]))

    def _after_block(self, first: int) -> int:
        """The row behind those that one read brings: of the same file, and together little more than a block."""
        import numpy as np

        same = int(np.searchsorted(self.of, self.of[first], side="right"))
        near = int(np.searchsorted(self.starts[first:same], self.starts[first] + BLOCK)) + first
        return max(first + 1, near)

    def _made(self, line: bytes, index: int) -> Conversation:
        path, number = self.sources[self.of[index]].path, int(self.lines[index])
        value = parse_object(path, number, trimmed(number, line))
        return self.shape(value, origin_of(value, path, number))


def origin_of(value: dict[str, Any], path: str, line: int) -> Origin:
    """Where a row came from, with the persona that it may name.

    Raises:
        DataError: its `persona` is no name.
    """
    persona = value.get("persona")
    if persona is not None and (not isinstance(persona, str) or not persona.strip()):
        raise DataError("'persona' must be a name, or be left out.", path=path, line=line)
    return Origin(path=path, line=line, label=persona or "", strata=(persona,) if persona else ())


def index_rows(sources: Sequence[Source], shape: Shape, bad: BadRows) -> FileRows:
    """Read files from end to end, check every row, and note where each lies.

    Args:
        sources: the files, in the order of their rows.
        shape: makes a conversation of a row's object.
        bad: takes the rows that cannot be used, or refuses them.

    Raises:
        DataError: a file has no row, or has bad ones that `bad` does not take.
    """
    index = _Index()
    for number, source in enumerate(sources):
        _read(index, number, source, shape, bad)
    return index.rows(tuple(sources), shape)


def _read(index: _Index, number: int, source: Source, shape: Shape, bad: BadRows) -> None:
    place = 0
    with bad.of(source.path) as aside:
        for line in source.lines(limit=jsonl.LINE_LIMIT, skip=bad.quarantined):
            content = trimmed(line.number, line.content or b"")
            if not content and line.content is not None:
                continue
            try:
                if line.content is None:
                    raise DataError(f"The line has {line.size:,} bytes.", path=source.path, line=line.number)
                value = parse_object(source.path, line.number, content)
                row = shape(value, origin_of(value, source.path, line.number))
            except DataError as error:
                aside.take(line, error)
            else:
                index.add(number, line, place, row)
            place += 1
        if not place:
            raise empty_file(source.path)
        aside.close(rows=place)


class _Index:
    """The arrays of `FileRows` while they grow."""

    def __init__(self) -> None:
        self._of, self._sizes, self._personas = array("i"), array("i"), array("i")
        self._starts, self._lines, self._places = array("q"), array("q"), array("q")
        self._digests, self._weights = bytearray(), array("d")
        self._names = {"": 0}

    def add(self, file: int, line: Line, place: int, row: Conversation) -> None:
        self._of.append(file)
        self._starts.append(line.start)
        self._sizes.append(line.size)
        self._weights.append(row.weight)
        self._lines.append(line.number)
        self._places.append(place)
        self._personas.append(self._names.setdefault(row.origin.label, len(self._names)))
        self._digests += hashlib.blake2b(row.words, digest_size=DIGEST_BYTES).digest()

    def rows(self, sources: tuple[Source, ...], shape: Shape) -> FileRows:
        import numpy as np

        return FileRows(
            sources, shape,
            np.frombuffer(self._of, np.int32), np.frombuffer(self._starts, np.int64),
            np.frombuffer(self._sizes, np.int32), np.frombuffer(self._lines, np.int64),
            np.frombuffer(self._places, np.int64), np.frombuffer(self._personas, np.int32), tuple(self._names),
            np.frombuffer(self._digests, np.uint8).reshape(-1, DIGEST_BYTES),
            np.frombuffer(self._weights, np.float64),
        )  # fmt: skip
