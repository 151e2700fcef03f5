"""Rows in columns: what JSON has no word for is read as what it says, and never as nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from adapterkit.config.schema import DataConfig
from adapterkit.data import Conversation, read_splits
from adapterkit.errors import DataError


def read(reader: str, path: Path, persona: str | None = None) -> Sequence[Conversation]:
    return read_splits(DataConfig(reader=reader, train=str(path)), persona).train


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pa.array([Decimal("0.50")], pa.decimal128(4, 2)), 0.5),
        (pa.array([3], pa.uint64()), 3.0),
        (pa.array([None], pa.float64()), 1.0),
    ],
)
def test_a_weight_in_columns_is_its_number(column: pa.Array, expected: float, tmp_path: Path) -> None:
    pq.write_table(pa.table({"input": ["q"], "output": ["a"], "weight": column}), tmp_path / "x.parquet")
    (row,) = read("examples", tmp_path / "x.parquet")
    assert row.weight == expected


def test_bytes_in_columns_are_the_text_that_they_hold_or_an_error(tmp_path: Path) -> None:
    table = {"prompt": ["q"], "completion": pa.array([b"a"], pa.binary()), "persona": pa.array([b"anna"], pa.binary())}
    pq.write_table(pa.table(table), tmp_path / "x.parquet")
    (row,) = read("completion", tmp_path / "x.parquet", "anna")
    assert (row.turns[-1].content, row.origin.label) == ("a", "anna")
    pq.write_table(pa.table({**table, "persona": pa.array([b"\xff"], pa.binary())}), tmp_path / "x.parquet")
    with pytest.raises(DataError, match="line 1: 'persona' must be a name"):
        read("completion", tmp_path / "x.parquet")
    # In a column that nobody reads, it harms nobody; nor does a time.
    unread = {"photo": pa.array([b"\xff"], pa.binary()), "when": pa.array([datetime(2026, 1, 2)]), "persona": ["anna"]}
    pq.write_table(pa.table({**table, **unread}), tmp_path / "x.parquet")
    assert [row.turns[-1].content for row in read("completion", tmp_path / "x.parquet")] == ["a"]
