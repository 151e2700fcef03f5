"""What a manifest says of the data is what the model saw, also where rows were left out."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from adapterkit.errors import DataError
from adapterkit.workflows.rows import read_rows
from tests.workflows.tiny import Workshop, write_chats


def test_the_record_counts_the_rows_that_are_left(
    tiny_base_dir: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shop = Workshop(tiny_base_dir, tmp_path)
    write_chats(shop.train, ("red fox", "lazy dog", "a nation " * 40))
    tokenizer = AutoTokenizer.from_pretrained(tiny_base_dir)
    whole = read_rows(shop.config("any", max_length=9999).data, None, tokenizer)
    longest = max(row.length for row in whole.train)
    config = shop.config("any", max_length=longest - 1, on_long_row="drop")
    with caplog.at_level(logging.INFO):
        left = read_rows(config.data, None, tokenizer)
    assert (whole.record.rows, left.record.rows) == (3, 2)
    assert left.record.tokens == whole.record.tokens - longest
    assert left.digest != whole.digest
    learnt = sum(row.labels_count for row in left.train)
    assert f"2 rows to train on ({left.record.tokens} tokens, {learnt} learnt)" in caplog.text
    assert "data.on_long_row=drop: 1 of 3 rows are left out" in caplog.text


def test_the_limit_that_allows_every_row_is_told_at_the_first(tiny_base_dir: Path, tmp_path: Path) -> None:
    shop = Workshop(tiny_base_dir, tmp_path)
    write_chats(shop.train, ("red fox", "lazy dog " * 10, "a nation " * 40))
    tokenizer = AutoTokenizer.from_pretrained(tiny_base_dir)
    longest = max(row.length for row in read_rows(shop.config("any", max_length=9999).data, None, tokenizer).train)
    told = rf"line 2: .*data\.max_length=\d+ \(and every row of its split with {longest}\)"
    with pytest.raises(DataError, match=told):
        read_rows(shop.config("any", max_length=60).data, None, tokenizer)
    assert len(read_rows(shop.config("any", max_length=longest).data, None, tokenizer).train) == 3
