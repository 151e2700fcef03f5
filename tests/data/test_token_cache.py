"""Token rows are kept between runs, checked, and made again where anything is odd."""

from __future__ import annotations

import dataclasses
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from adapterkit.data import token_cache
from adapterkit.data.conversation import Conversation, Origin, Turn
from adapterkit.data.encode import encode_split
from adapterkit.data.template import EncodedRow
from adapterkit.errors import DataError


@pytest.fixture
def tokenizer(tiny_base_dir: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(tiny_base_dir)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ADAPTERKIT_CACHE", str(tmp_path))
    monkeypatch.setattr(token_cache, "_WORTH_KEEPING", 3)
    return tmp_path / "tokens"


def said(*answers: str) -> list[Conversation]:
    return [
        Conversation((Turn("user", "say it"), Turn("assistant", answer)), Origin("a.jsonl", number))
        for number, answer in enumerate(answers, 1)
    ]


def require_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Any) -> EncodedRow:
        raise AssertionError("encoded although it was kept")

    monkeypatch.setattr(sys.modules["adapterkit.data.encode"], "encode_batches", never)


def test_the_second_time_nothing_is_encoded(tokenizer: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    split = said("one", "two words", "three more words")
    made = encode_split(split, tokenizer, 99)
    require_not_made(monkeypatch)
    assert list(encode_split(split, tokenizer, 99)) == list(made)
    assert len(list(folder.iterdir())) == 1


def test_a_kept_row_that_is_too_long_is_still_refused(tokenizer: Any, folder: Path) -> None:
    split = said("one", "two", "three words and more of them")
    encode_split(split, tokenizer, 99)
    with pytest.raises(DataError, match=r"a\.jsonl, line 3"):
        encode_split(split, tokenizer, 22)


@pytest.mark.parametrize("other", ["words", "template", "order", "special token"])
def test_other_rows_have_another_file(tokenizer: Any, folder: Path, other: str) -> None:
    split = said("one", "two", "three")
    encode_split(split, tokenizer, 99)
    if other == "words":
        split = said("one", "two", "four")
    elif other == "order":
        split = split[::-1]
    elif other == "special token":
        tokenizer.eos_token = "<|im_start|>"
    else:
        tokenizer.chat_template = tokenizer.chat_template + "{{ '' }}"
    encode_split(split, tokenizer, 99)
    assert len(list(folder.iterdir())) == 2


@pytest.mark.parametrize("damage", ["flip", "cut", "empty"])
def test_a_damaged_file_is_made_again(tokenizer: Any, folder: Path, damage: str) -> None:
    split = said("one", "two", "three")
    made = list(encode_split(split, tokenizer, 99))
    (path,) = folder.iterdir()
    whole = path.read_bytes()
    broken = {"flip": whole[:-5] + bytes([whole[-5] ^ 1]) + whole[-4:], "cut": whole[:-9], "empty": b""}[damage]
    path.write_bytes(broken)
    assert list(encode_split(split, tokenizer, 99)) == list(made)
    assert path.read_bytes() == whole


def test_a_folder_that_cannot_be_written_is_no_error(tokenizer: Any, folder: Path) -> None:
    folder.write_text("a file stands where the folder should")
    assert len(encode_split(said("one", "two", "three"), tokenizer, 99)) == 3


def test_a_template_that_asks_for_the_date_is_not_kept(tokenizer: Any, folder: Path) -> None:
    tokenizer.chat_template = "{# strftime_now #}" + tokenizer.chat_template
    encode_split(said("one", "two", "three"), tokenizer, 99)
    assert not folder.exists()


def test_small_splits_are_not_kept(tokenizer: Any, folder: Path) -> None:
    encode_split(said("one", "two"), tokenizer, 99)
    assert not folder.exists()


def test_the_oldest_make_room(tokenizer: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_cache, "_FILES_KEPT", 2)
    for number in range(3):
        before = set(folder.iterdir()) if folder.exists() else set()
        encode_split(said("one", "two", str(number)), tokenizer, 99)
        for path in set(folder.iterdir()) - before:
            os.utime(path, (number + 1, number + 1))
        if number == 0:
            first = next(iter(folder.iterdir()))
    assert not first.exists()
    assert len(list(folder.iterdir())) == 2


def test_rows_are_what_they_were(tokenizer: Any, folder: Path) -> None:
    """Also as Python ints: a numpy number is no JSON, and the digest of rows is one of JSON."""
    split = said("one", "two", "three")
    made = encode_split(split, tokenizer, 99)
    kept = encode_split(split, tokenizer, 99)
    assert [dataclasses.asdict(row) for row in made] == [dataclasses.asdict(row) for row in kept]
    assert all(type(value) is int for row in kept for value in (*row.input_ids, *row.labels))


def test_rows_on_the_disk_have_the_digest_counts_and_table_of_rows_in_memory(tokenizer: Any, folder: Path) -> None:
    from adapterkit.data import as_dataset
    from adapterkit.data.token_rows import StoredRows, labels_counts_of, lengths_of, weights_of
    from adapterkit.digest import json_digest
    from adapterkit.workflows.rows import _digest

    split = said(*(f"word {number} " * number for number in range(1, 30)))
    split[3] = dataclasses.replace(split[3], weight=0.5)
    stored = encode_split(split, tokenizer, 999)
    held = list(stored)
    assert isinstance(stored, StoredRows)
    assert [stored[place] for place in (0, -1, 7)] == [held[0], held[-1], held[7]]
    assert stored[2:5] == held[2:5]
    for count in (lengths_of, labels_counts_of, weights_of):
        assert count(stored).tolist() == count(held).tolist()
    assert list(as_dataset(stored)) == list(as_dataset(held))
    assert list(as_dataset(stored)["length"]) == [row.length for row in held]
    plain = [dataclasses.replace(row, weight=1.0) for row in held]
    # The digest as it was when all rows were one JSON value in memory.
    assert _digest((plain, held[:0], plain[:2])) == json_digest(
        [[[row.input_ids, row.labels] for row in rows] for rows in (plain, [], plain[:2])]
    )
    assert _digest((stored, (), ())) == _digest((held, (), ())) != _digest((plain, (), ()))
