"""A file of rows as an open descriptor: JSON Lines as they are, packed or in columns by way of a temporary file."""

from __future__ import annotations

import gzip
import os
import tempfile
import weakref
import zlib
from collections.abc import Iterator
from pathlib import Path

from adapterkit.data.lines import BLOCK, Line, scan
from adapterkit.data.tables import parquet_lines
from adapterkit.errors import DataError
from adapterkit.names import nearest

SUFFIXES = (".jsonl", ".jsonl.gz", ".parquet")


class Source:
    """Lines of JSON that can be read again and again, and must not change meanwhile.

    Attributes:
        path: the file, as errors name it.
        descriptor: of the open file.
    """

    def __init__(self, path: str, descriptor: int) -> None:
        """Take over an open descriptor; it is closed when nobody holds the source any more."""
        self.path, self.descriptor = path, descriptor
        self._stamp = self._now()
        weakref.finalize(self, os.close, descriptor)

    def lines(self, *, limit: int, skip: bool = False) -> Iterator[Line]:
        """Every line: see `scan`."""
        return scan(self.descriptor, self.path, limit=limit, skip=skip)

    def read(self, start: int, size: int) -> bytes:
        """So many bytes from an offset on.

        Raises:
            DataError: the file was changed since it was opened, or cannot be read.
        """
        try:
            content = os.pread(self.descriptor, size, start)
        except OSError as error:
            raise DataError(f"The file cannot be read: {error}", path=self.path) from error
        self.check(len(content) == size)
        return content

    def check(self, whole: bool = True) -> None:
        """Demand that the file is as it was when it was opened, and that what was read was whole.

        Raises:
            DataError: it was changed.
        """
        if self._now() != self._stamp or not whole:
            raise DataError(
                "The file changed while it was read. Start again, and write to another file meanwhile.", path=self.path
            )

    def _now(self) -> tuple[int, int]:
        status = os.fstat(self.descriptor)
        return status.st_size, status.st_mtime_ns


def open_source(path: Path, *, limit: int, skip: bool = False) -> Source:
    """Open a file of rows.

    Args:
        path: JSON Lines; packed when it ends in `.gz`, a table when in `.parquet`.
        limit: the most bytes of a line; a packed file that passes it is not unpacked further.
        skip: unpack longer lines all the same.

    Raises:
        DataError: the file is missing, no file, or cannot be read; or what it is packed in is damaged.
    """
    check_file(path)
    try:
        if path.suffix == ".gz":
            return spooled(path, _unpacked(path, limit, skip))
        if path.suffix == ".parquet":
            return spooled(path, parquet_lines(path))
        return Source(str(path), os.open(path, os.O_RDONLY | os.O_CLOEXEC))
    except OSError as error:
        raise DataError(f"The file cannot be read: {error}", path=path) from error


def spooled(path: str | Path, pieces: Iterator[bytes]) -> Source:
    """Lines of JSON that come piece by piece, by way of a temporary file without a name."""
    with tempfile.TemporaryFile(prefix="adapterkit-") as file:
        for piece in pieces:
            file.write(piece)
        file.flush()
        return Source(str(path), os.dup(file.fileno()))


def check_file(path: Path) -> None:
    """Demand a regular file.

    Raises:
        DataError: it is missing, a directory, or something else.
    """
    if path.is_dir():
        raise DataError("This is a directory. Give the JSONL file itself.", path=path)
    if path.exists() and not path.is_file():
        raise DataError("This is no regular file. Write the rows to a file first.", path=path)
    if not path.exists():
        close = nearest(path.name, (sibling.name for sibling in path.parent.iterdir())) if path.parent.is_dir() else []
        hint = f" Did you mean {', '.join(close)}?" if close else f" The folder is {path.parent.resolve()}."
        raise DataError(f"There is no such file.{hint}", path=path)


def _unpacked(path: Path, limit: int, skip: bool) -> Iterator[bytes]:
    lines, since = 0, 0
    with gzip.open(path, "rb") as file:
        while piece := _piece(path, file, lines):
            yield piece
            lines += piece.count(b"\n")
            cut = piece.rfind(b"\n")
            since = since + len(piece) if cut < 0 else len(piece) - cut - 1
            # The reader behind says so again, and better; here it is in time.
            if since > limit and not skip:
                return


def _piece(path: Path, file: gzip.GzipFile, lines: int) -> bytes:
    try:
        return file.read(BLOCK)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        what = f"The packed file is damaged or cut off after this line: {error}. Copy it again."
        raise DataError(what, path=path, line=lines + 1) from error
