"""Rows that cannot be used: an error at the first one, or set aside in a numbered file with the reason of each."""

from __future__ import annotations

import base64
import json
import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

from adapterkit.data.lines import BLOCK, Line
from adapterkit.errors import DataError
from adapterkit.texts import counted, listed

_log = logging.getLogger(__name__)

# Of a longer line the place is kept, and not the bytes.
_MOST_KEPT = 1 << 16
_SHOWN = 3


class Aside(Protocol):
    """Where the bad rows of one file go."""

    def take(self, line: Line, error: DataError) -> None:
        """Take a bad row, or raise its error."""
        ...

    def close(self, *, rows: int) -> None:
        """All rows of the file are read, bad ones counted."""
        ...


@dataclass(frozen=True)
class BadRows:
    """What becomes of rows that cannot be used.

    Attributes:
        quarantined: set them aside; otherwise the first is an error.
        max_ratio: of a file's rows, at most so many may be bad.
        folder: where files of bad rows go; null: beside the file they are from.
    """

    quarantined: bool = False
    max_ratio: float = 0.0
    folder: str | None = None

    @contextmanager
    def of(self, path: str) -> Iterator[Aside]:
        """Take those of one file."""
        if not self.quarantined:
            yield _Refused()
            return
        with tempfile.TemporaryFile(prefix="adapterkit-") as file:
            yield _Quarantine(path, self, file)


class _Refused:
    def take(self, line: Line, error: DataError) -> None:
        raise error

    def close(self, *, rows: int) -> None:
        pass


class _Quarantine:
    """Bad rows of one file, in a temporary file until the last is known."""

    def __init__(self, path: str, policy: BadRows, file: IO[bytes]) -> None:
        self._path, self._policy, self._file = path, policy, file
        self._count = 0
        self._first: list[str] = []

    def take(self, line: Line, error: DataError) -> None:
        self._count += 1
        reason = str(error).removeprefix(f"{error.path}, line {error.line}: ")
        if len(self._first) < _SHOWN:
            self._first.append(f"line {line.number}: {reason}")
        record = {"line": line.number, "start": line.start, "bytes": line.size, "reason": reason, **_kept(line.content)}
        # Only ASCII: a reason may quote half of a surrogate pair.
        self._file.write(json.dumps(record).encode("ascii") + b"\n")

    def close(self, *, rows: int) -> None:
        """Publish what was taken.

        Raises:
            DataError: too many rows are bad, or all; or the folder cannot be written to.
        """
        if not self._count:
            return
        where, first = self._published(), listed(self._first)
        share = self._count / rows
        if share > self._policy.max_ratio or self._count == rows:
            raise DataError(
                f"{self._count:,} of {counted(rows, 'row')} cannot be used ({share:.1%}), more than "
                f"data.max_bad_ratio={self._policy.max_ratio:g} allows. They stand in {where}. The first:{first}",
                path=self._path,
            )
        _log.warning(
            "%s: %d of %d rows cannot be used and were set aside in %s. The first:%s",
            self._path, self._count, rows, where, first,
        )  # fmt: skip

    def _published(self) -> Path:
        """The numbered file: the newest one, where it holds the same, and else the next."""
        self._file.flush()
        source = Path(self._path)
        folder = Path(self._policy.folder) if self._policy.folder else source.parent
        name = f"{source.name.replace(':', '_')}.quarantine-"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            numbers = sorted(
                int(each.name.removeprefix(name))
                for each in folder.iterdir()
                if each.name.startswith(name) and each.name.removeprefix(name).isdecimal()
            )
            if numbers and _same(self._file, folder / f"{name}{numbers[-1]:04}"):
                return folder / f"{name}{numbers[-1]:04}"
            return _written(self._file, folder, name, numbers[-1] + 1 if numbers else 1)
        except OSError as error:
            raise DataError(
                f"Bad rows cannot be set aside in {folder}: {error}. Choose another folder: data.quarantine=FOLDER",
                path=self._path,
            ) from error


def _kept(content: bytes | None) -> dict[str, Any]:
    """The row itself: as text where it is text, in base64 where it is not; a very long one is left where it lies."""
    if content is None or len(content) > _MOST_KEPT:
        return {}
    try:
        return {"text": content.decode("utf-8")}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(content).decode("ascii")}


def _same(file: IO[bytes], other: Path) -> bool:
    file.seek(0)
    with other.open("rb") as held:
        while (piece := file.read(BLOCK)) == held.read(BLOCK):
            if not piece:
                return True
    return False


def _written(file: IO[bytes], folder: Path, name: str, number: int) -> Path:
    """A new file under the first number from this one on that nobody has taken."""
    while True:
        path = folder / f"{name}{number:04}"
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        except FileExistsError:
            number += 1
            continue
        with os.fdopen(descriptor, "wb") as target:
            file.seek(0)
            while piece := file.read(BLOCK):
                target.write(piece)
        return path
