"""Rows of Parquet files and of `datasets` as lines of JSON, a batch at a time."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from datetime import date, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from adapterkit.errors import DataError
from adapterkit.texts import first_line_of

_ROWS_AT_ONCE = 1024


def parquet_lines(path: Path) -> Iterator[bytes]:
    """Every row of a Parquet file as one line; the line's number is the row's, from 1.

    Raises:
        DataError: the file is no Parquet file, is cut off, names two columns alike, or holds text that is not UTF-8.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    done = 0
    try:
        with pq.ParquetFile(path) as file:
            _require_single_columns(path, file.schema_arrow.names)
            for batch in file.iter_batches(batch_size=_ROWS_AT_ONCE):
                yield b"".join(_batch_lines(path, batch, done))
                done += batch.num_rows
    except (pa.ArrowException, OSError) as error:
        what = f"This is no whole Parquet file: {first_line_of(error)}. It may be cut off; copy it again."
        raise DataError(what, path=path, line=done + 1) from error


def dataset_lines(address: str, split: str) -> Iterator[bytes]:
    """Every row of a `datasets` source as one line.

    Args:
        address: `datasets:NAME`, `datasets:NAME:SPLIT` or `datasets:NAME:SPLIT:CONFIG`; the name is a hub id or a
            folder.
        split: which is taken where the address names none.

    Raises:
        DataError: it cannot be loaded; the cause is told.
    """
    from datasets import load_dataset

    name, chosen, config = _parts(address, split)
    try:
        rows = load_dataset(name, config or None, split=chosen)
        for batch in rows.with_format("arrow").iter(batch_size=_ROWS_AT_ONCE):
            yield b"".join(_line(row) for row in batch.to_pylist())
    # Each builder has its own exceptions, and the hub its own besides.
    except Exception as error:
        raise DataError(
            f"`datasets` cannot load it: {first_line_of(error)}\nA hub id needs the network, or a copy in the cache of "
            "an earlier run; a folder or a file needs neither: data.train=FOLDER",
            path=address,
        ) from error


def _parts(address: str, split: str) -> tuple[str, str, str]:
    name, chosen, config = (*address.removeprefix("datasets:").split(":", 2), "", "")[:3]
    if not name.strip():
        raise DataError(
            "It names no dataset: datasets:NAME, datasets:NAME:SPLIT or datasets:NAME:SPLIT:CONFIG", path=address
        )
    return name, chosen or split, config


def _batch_lines(path: Path, batch: Any, done: int) -> Iterator[bytes]:
    try:
        yield from map(_line, batch.to_pylist())
    except UnicodeDecodeError:
        for index in range(batch.num_rows):
            try:
                batch.slice(index, 1).to_pylist()
            except UnicodeDecodeError as error:
                raise DataError(f"Not UTF-8: {error}.", path=path, line=done + index + 1) from error
        raise


def _line(row: dict[str, Any]) -> bytes:
    # NaN stays, and is refused with its line like any other.
    return json.dumps(row, ensure_ascii=False, default=_in_json).encode("utf-8") + b"\n"


def _in_json(value: object) -> object:
    """What JSON has no word for: numbers as numbers, times as ISO 8601, bytes as the text they hold.

    What is left becomes an object that tells its type, never null: a reader that needs it says so, with the row's line,
    where null would be taken as not given.
    """
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, bytes):
        with contextlib.suppress(UnicodeDecodeError):
            return value.decode("utf-8")
    return {"type": type(value).__name__}


def _require_single_columns(path: Path, names: Sequence[str]) -> None:
    if twice := sorted({name for name in names if names.count(name) > 1}):
        told = ", ".join(map(repr, twice))
        raise DataError(f"More than one column is named {told}: a row has room for one. Rename or drop one.", path=path)
