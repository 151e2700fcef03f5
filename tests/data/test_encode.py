"""Whole splits: nothing is cut, nothing without a label passes, and the table is what the Trainer reads."""

import pytest
import torch
from data.conftest import CHATML, talk

from adapterkit.data import EncodedRow, PadCollator, as_dataset, encode_split
from adapterkit.errors import DataError

ROW = talk("user: hi", "assistant: hello there")


def test_a_row_at_the_limit_passes_and_one_over_it_is_named(word_tokenizer):
    tokenizer = word_tokenizer(CHATML)
    (row,) = encode_split([ROW], tokenizer, 9)
    assert (row.length, row.labels_count) == (9, 3)
    with pytest.raises(DataError, match=r"talk\.jsonl, line 7: The row has 9 tokens, .*8\. .*data\.max_length=9"):
        encode_split([ROW], tokenizer, 8)


def test_a_row_without_an_answer_is_refused(word_tokenizer):
    with pytest.raises(DataError, match="line 7: The row has no token of an assistant's answer"):
        encode_split([talk("user: hi")], word_tokenizer(CHATML), 64)


def test_the_table_has_the_trainers_columns():
    table = as_dataset([EncodedRow((5, 6, 7), (-100, 6, 7)), EncodedRow((5,), (5,))])
    assert table.column_names == ["input_ids", "labels", "length", "row"]
    assert table[0] == {"input_ids": [5, 6, 7], "labels": [-100, 6, 7], "length": 3, "row": 0}


def test_the_collator_pads_on_the_right_and_drops_other_columns():
    rows = as_dataset([EncodedRow((5, 6, 7), (-100, 6, 7)), EncodedRow((8,), (8,))])
    batch = PadCollator(pad_token_id=3)([rows[0], rows[1]])
    assert {name: tensor.tolist() for name, tensor in batch.items()} == {
        "input_ids": [[5, 6, 7], [8, 3, 3]],
        "attention_mask": [[1, 1, 1], [1, 0, 0]],
        "labels": [[-100, 6, 7], [8, -100, -100]],
        "rows": [0, 1],
    }
    assert {tensor.dtype for tensor in batch.values()} == {torch.int64}
