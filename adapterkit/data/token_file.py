"""The file of token rows: hex sha256 of what follows, then a safetensors file of lengths, ids and labels.

It is written and read a piece at a time, whatever its size.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import struct
import tempfile
from array import array
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import IO, TYPE_CHECKING

from adapterkit.data.lines import BLOCK
from adapterkit.data.token_rows import StoredRows, TokenBatch
from adapterkit.errors import DataError, RegistryError
from adapterkit.stores.staging import remove_stale_staging, staging_directory

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_log = logging.getLogger(__name__)

_DIGEST = 64
_MOST_HEADER = 1 << 16
_LENGTHS_AT_ONCE = 1 << 17
_LARGE = ("ids", "labelled")
_COLUMNS = {"lengths": ("I64", 8), "ids": ("I32", 4), "labelled": ("U8", 1)}


def write_rows(batches: Iterator[TokenBatch], path: Path | None, weights: NDArray[np.float64]) -> StoredRows:
    """Write rows as they come, and open what was written.

    Args:
        batches: the rows.
        path: where the file is kept; null, or a disk that refuses: in a temporary file without a name.
        weights: how much each row counts, float64 (rows,); they are not written.

    Raises:
        DataError: there is no room for a temporary file either.
    """
    try:
        with tempfile.TemporaryFile(prefix="adapterkit-") as ids, tempfile.TemporaryFile(prefix="adapterkit-") as marks:
            lengths = array("q")
            for batch in batches:
                ids.write(batch.ids.tobytes())
                marks.write(batch.labelled.tobytes())
                lengths.frombytes(batch.lengths.tobytes())
            return _kept(path, lengths.tobytes(), weights, [ids, marks])
    except OSError as error:
        raise DataError(
            f"Token rows cannot be held in {tempfile.gettempdir()}: {error}. Make room there, or choose another: "
            "TMPDIR=FOLDER"
        ) from error


def open_rows(path: Path, weights: NDArray[np.float64]) -> StoredRows | None:
    """What a file holds; null when it is missing, damaged, or of another number of rows.

    Args:
        path: the file.
        weights: how much each row counts, float64 (rows,).
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        if _is_whole(descriptor):
            return _opened(descriptor, weights)
        _log.warning("The token cache holds a damaged file, which is made again: %s", path)
    except (OSError, ValueError, KeyError, TypeError):
        pass
    os.close(descriptor)
    return None


def _kept(path: Path | None, lengths: bytes, weights: NDArray[np.float64], large: list[IO[bytes]]) -> StoredRows:
    """The finished file: where it is to be kept, or else in a temporary one."""
    if path is not None:
        try:
            remove_stale_staging(path.parent)
            with staging_directory(path.parent) as staged:
                with (staged / path.name).open("w+b") as file:
                    _write(file, lengths, large)
                    os.fsync(file.fileno())
                os.replace(staged / path.name, path)
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            return _opened(descriptor, weights)
        except (OSError, RegistryError) as error:
            _log.info("Token rows are not kept: %s", error)
    with tempfile.TemporaryFile(prefix="adapterkit-") as file:
        _write(file, lengths, large)
        return _opened(os.dup(file.fileno()), weights)


def _write(file: IO[bytes], lengths: bytes, large: list[IO[bytes]]) -> None:
    sizes = {"lengths": len(lengths), **{name: each.seek(0, 2) for name, each in zip(_LARGE, large, strict=True)}}
    table, at = {}, 0
    for name, size in sizes.items():
        dtype, width = _COLUMNS[name]
        table[name] = {"dtype": dtype, "shape": [size // width], "data_offsets": [at, at + size]}
        at += size
    header = json.dumps(table).encode("ascii")
    header += b" " * (-len(header) % 8)
    digest = hashlib.sha256()
    file.write(b"0" * _DIGEST)
    for piece in chain((struct.pack("<Q", len(header)), header, lengths), *map(_pieces, large)):
        digest.update(piece)
        file.write(piece)
    file.seek(0)
    file.write(digest.hexdigest().encode("ascii"))
    file.flush()


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    file.seek(0)
    return iter(lambda: file.read(BLOCK), b"")


def _opened(descriptor: int, weights: NDArray[np.float64]) -> StoredRows:
    """Rows of a file that is whole."""
    import numpy as np

    length = int.from_bytes(os.pread(descriptor, 8, _DIGEST), "little")
    if length > _MOST_HEADER:
        raise ValueError("the header is too long")
    table = json.loads(os.pread(descriptor, length, _DIGEST + 8))
    for name, (dtype, _) in _COLUMNS.items():
        if table[name]["dtype"] != dtype:
            raise ValueError(f"{name} is of another type")
    begin = _DIGEST + 8 + length
    at = {name: begin + table[name]["data_offsets"][0] for name in _COLUMNS}
    (count,) = table["lengths"]["shape"]
    if count != len(weights):
        raise ValueError("another number of rows than it should hold")
    lengths = np.empty(count, np.int32)
    for first in range(0, count, _LENGTHS_AT_ONCE):
        some = os.pread(descriptor, min(_LENGTHS_AT_ONCE, count - first) * 8, at["lengths"] + first * 8)
        lengths[first : first + _LENGTHS_AT_ONCE] = np.frombuffer(some, np.int64)
    if [int(lengths.sum(dtype=np.int64))] != table["ids"]["shape"] or (lengths < 0).any():
        raise ValueError("other rows than it should hold")
    return StoredRows(descriptor, ids_at=at["ids"], labelled_at=at["labelled"], lengths=lengths, weights=weights)


def _is_whole(descriptor: int) -> bool:
    """Whether the bytes are those that were written."""
    digest, at = hashlib.sha256(), _DIGEST
    while piece := os.pread(descriptor, BLOCK, at):
        digest.update(piece)
        at += len(piece)
    return os.pread(descriptor, _DIGEST, 0) == digest.hexdigest().encode("ascii")
