"""Shapes of bad file, each one typed error that names the file, and the line where one line is to blame."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from adapterkit.config.schema import DataConfig
from adapterkit.data import read_splits
from adapterkit.errors import DataError

GOOD = b'{"prompt": "hi", "completion": "hello"}'


def wrong(**changes: object) -> bytes:
    return json.dumps({"prompt": "hi", "completion": "hello", **changes}).encode()


# Second line, what is said of it.
BAD_LINES: dict[str, tuple[bytes, str]] = {
    "not utf-8": (b'{"prompt": "\xff"}', "Not UTF-8: byte 0xff"),
    "overlong utf-8": (b'{"prompt": "\xc0\x80"}', "Not UTF-8"),
    "utf-8 surrogate": (b'{"prompt": "\xed\xa0\x80"}', "Not UTF-8"),
    "escaped surrogate": (rb'{"prompt": "\ud800", "completion": "x"}', "half of a surrogate pair"),
    "surrogate in a list": (rb'{"x": ["\udc00"], "prompt": "a", "completion": "b"}', "half of a surrogate pair"),
    "surrogate in a key": (rb'{"\udc00": 1, "prompt": "a", "completion": "b"}', "half of a surrogate pair"),
    "nul byte": (b'{"prompt": "\x00", "completion": "x"}', "Not JSON: Invalid control character"),
    "nul line": (b"\x00" * 9, "Not JSON"),
    "nan": (b'{"prompt": "a", "completion": "b", "x": NaN}', "NaN is not JSON"),
    "infinity": (b'{"prompt": "a", "completion": "b", "x": -Infinity}', "-Infinity is not JSON"),
    "key twice": (b'{"prompt": "a", "prompt": "a:b", "completion": "b"}', "the key 'prompt' stands twice"),
    "key twice inside": (b'{"x": [{"a": 1, "a": 1}], "prompt": "a", "completion": "b"}', "the key 'a' stands twice"),
    "key twice and an escaped colon": (
        rb'{"prompt": "\u003a", "prompt": "\u003A", "completion": "b"}', "the key 'prompt' stands twice"
    ),
    "deep": (b'{"x":' + b"[" * 100_000, "nested too deeply"),
    "huge number": (b'{"x": ' + b"9" * 5000 + b"}", "Not a row"),
    "list": (b"[1, 2]", "holds a list, not an object"),
    "list that goes on": (b"[", "begins a list, which goes on below. Write one JSON object a line"),
    "number": (b"7", "holds a number, not an object"),
    "text": (b'"hi"', "holds a string, not an object"),
    "cut off": (GOOD[:-9], "Not JSON"),
    "two objects": (GOOD + GOOD, "Not JSON: Extra data"),
    "trailing comma": (b'{"prompt": "hi",}', "Not JSON"),
    "single quotes": (b"{'prompt': 'hi'}", "Not JSON"),
    "byte-order mark inside": (b"\xef\xbb\xbf" + GOOD, "Not JSON"),
    "no column": (b'{"prompt": "hi", "text": "x"}', "There is no 'completion'. The row has prompt, text"),
    "null": (wrong(completion=None), "'completion' is null, not a string"),
    "object": (wrong(completion={}), "'completion' is an object"),
    "blank": (wrong(completion=" \n"), "'completion' is empty"),
    "persona": (wrong(persona=["a"]), "'persona' must be a name"),
}  # fmt: skip


def read(path: Path, **more: object) -> list[str]:
    config = DataConfig(reader="completion", train=str(path), near_duplicates="ignore", **more)
    return [row.turns[1].content for row in read_splits(config, None).train]


@pytest.mark.parametrize("shape", BAD_LINES)
@pytest.mark.parametrize("packed", [False, True])
def test_a_bad_line_is_one_error_with_its_number(shape: str, packed: bool, tmp_path: Path) -> None:
    line, told = BAD_LINES[shape]
    content = b"\n".join([GOOD, line, GOOD])
    path = tmp_path / ("x.jsonl.gz" if packed else "x.jsonl")
    path.write_bytes(gzip.compress(content) if packed else content)
    with pytest.raises(DataError) as caught:
        read(path)
    assert (caught.value.path, caught.value.line) == (path, 2)
    assert told in str(caught.value)


def utf16(path: Path) -> None:
    path.write_text("".join(GOOD.decode()), encoding="utf-16")


def cut_gzip(path: Path) -> None:
    path.write_bytes(gzip.compress(os.urandom(3000).hex().encode())[:-900])


def no_gzip(path: Path) -> None:
    path.write_bytes(GOOD)


def broken_gzip(path: Path) -> None:
    whole = bytearray(gzip.compress(b"\n".join([GOOD] * 99)))
    whole[-6] ^= 255
    path.write_bytes(bytes(whole))


def cut_parquet(path: Path) -> None:
    pq.write_table(pa.table({"prompt": ["hi"] * 99, "completion": ["hello"] * 99}), path)
    path.write_bytes(path.read_bytes()[:-40])


def no_parquet(path: Path) -> None:
    path.write_bytes(GOOD)


def two_columns(path: Path) -> None:
    table = pa.table([["hi"], ["hello"], ["there"]], names=["prompt", "completion", "prompt"])
    pq.write_table(table, path)


BAD_FILES: dict[str, tuple[str, Callable[[Path], object], str, int | None]] = {
    "utf-16": ("x.jsonl", utf16, "Not UTF-8: byte 0xff at position 1", 1),
    "empty": ("x.jsonl", Path.touch, "The file is empty", None),
    "blank": ("x.jsonl", lambda path: path.write_bytes(b" \r\n\n\t\n"), "The file is empty", None),
    "a directory": ("x.jsonl", Path.mkdir, "This is a directory", None),
    "a pipe": ("x.jsonl", os.mkfifo, "no regular file", None),
    "missing": ("x.jsonl", lambda path: None, "There is no such file", None),
    "cut gzip": ("x.jsonl.gz", cut_gzip, "damaged or cut off", 1),
    "no gzip": ("x.jsonl.gz", no_gzip, "damaged or cut off", 1),
    "broken gzip": ("x.jsonl.gz", broken_gzip, "damaged or cut off", None),
    "empty gzip": ("x.jsonl.gz", lambda path: path.write_bytes(gzip.compress(b"")), "The file is empty", None),
    "cut parquet": ("x.parquet", cut_parquet, "no whole Parquet file", 1),
    "no parquet": ("x.parquet", no_parquet, "no whole Parquet file", 1),
    "two columns of a name": ("x.parquet", two_columns, "More than one column is named 'prompt'", None),
    "a pattern without files": ("*.jsonl", lambda path: None, "No file matches", None),
}


@pytest.mark.parametrize("shape", BAD_FILES)
def test_a_bad_file_is_one_error_with_its_name(shape: str, tmp_path: Path) -> None:
    name, make, told, line = BAD_FILES[shape]
    path = tmp_path / name
    make(path)
    with pytest.raises(DataError) as caught:
        read(path)
    assert caught.value.path == path
    assert told in str(caught.value)
    if line is not None:
        assert caught.value.line == line


@pytest.mark.parametrize("ends", [b"\n", b"\r\n", b"\n\n  \n"])
@pytest.mark.parametrize("last", [b"", b"\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_what_is_no_fault_is_read(ends: bytes, last: bytes, mark: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(mark + ends.join([wrong(completion="a"), wrong(completion="b")]) + last)
    assert read(path) == ["a", "b"]


def test_a_bad_row_of_a_table_has_its_number(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"prompt": ["hi", "hi", None], "completion": ["a", "b", "c"]}), path)
    with pytest.raises(DataError, match="line 3: 'prompt' is null"):
        read(path)
