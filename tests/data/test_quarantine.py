"""Bad rows set aside: in a numbered file, each with its line, its reason and its bytes; never over another file."""

from __future__ import annotations

import base64
import json
import logging
from pathlib import Path
from typing import Any

import pytest

from adapterkit.config.schema import DataConfig
from adapterkit.data import jsonl, read_splits
from adapterkit.errors import DataError


def line(word: str) -> bytes:
    return json.dumps({"prompt": f"ask {word}", "completion": word}).encode()


def read(path: Path, **more: Any) -> list[str]:
    settings = {"on_bad_row": "quarantine", "max_bad_ratio": 0.6, "near_duplicates": "ignore"} | more
    rows = read_splits(DataConfig(reader="completion", train=str(path), **settings), None).train
    return [row.turns[1].content for row in rows]


def records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(each) for each in path.read_text("ascii").splitlines()]


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    path = tmp_path / "x.jsonl"
    lines = [line("one"), b"\xff\xfe", line("two"), b'{"prompt": "\xc3\xbc"}', line("three"), rb'{"x": "\ud800"}']
    path.write_bytes(b"\n".join(lines))
    return path


def test_bad_rows_stand_in_a_numbered_file_with_line_reason_and_bytes(
    bad: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert read(bad) == ["one", "two", "three"]
    assert "3 of 6 rows cannot be used" in caplog.text
    first, second, third = records(bad.parent / "x.jsonl.quarantine-0001")
    assert (first["line"], first["start"], first["bytes"]) == (2, len(line("one")) + 1, 2)
    assert base64.b64decode(first["base64"]) == b"\xff\xfe"
    assert first["reason"].startswith("Not UTF-8")
    assert (second["line"], second["text"]) == (4, '{"prompt": "ü"}')
    assert second["reason"].startswith("There is no 'completion'")
    assert third["text"] == r'{"x": "\ud800"}'


def test_the_same_rows_are_set_aside_once_and_others_under_the_next_number(bad: Path) -> None:
    read(bad)
    read(bad)
    first = bad.parent / "x.jsonl.quarantine-0001"
    before = first.read_bytes()
    bad.write_bytes(bad.read_bytes() + b"\n" + line("four") + b"\n[]")
    read(bad)
    assert sorted(each.name for each in bad.parent.iterdir()) == [
        "x.jsonl", "x.jsonl.quarantine-0001", "x.jsonl.quarantine-0002",
    ]  # fmt: skip
    assert first.read_bytes() == before
    assert records(bad.parent / "x.jsonl.quarantine-0002")[-1]["line"] == 8


def test_a_file_that_somebody_else_made_meanwhile_stays(bad: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = Path.iterdir
    theirs = bad.parent / "x.jsonl.quarantine-0001"
    theirs.write_text("theirs")
    monkeypatch.setattr(Path, "iterdir", lambda self: (each for each in plain(self) if each != theirs))
    read(bad)
    assert theirs.read_text() == "theirs"
    assert len(records(bad.parent / "x.jsonl.quarantine-0002")) == 3


def test_too_many_bad_rows_are_an_error_that_names_the_file_of_them(bad: Path) -> None:
    with pytest.raises(
        DataError, match=r"3 of 6 rows cannot be used \(50\.0%\), more than data\.max_bad_ratio=0\.4"
    ) as caught:
        read(bad, max_bad_ratio=0.4)
    assert caught.value.path == bad
    assert "quarantine-0001" in str(caught.value)
    assert "line 2: Not UTF-8" in str(caught.value)


def test_a_file_of_bad_rows_alone_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_bytes(b"{\n[")
    with pytest.raises(DataError, match="2 of 2 rows"):
        read(tmp_path / "x.jsonl", max_bad_ratio=1.0)


def test_a_long_line_is_skipped_and_its_place_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsonl, "LINE_LIMIT", 1 << 20)
    path = tmp_path / "x.jsonl"
    path.write_bytes(b"\n".join([line("one"), b"x" * (3 << 20), line("two")]))
    assert read(path) == ["one", "two"]
    (record,) = records(tmp_path / "x.jsonl.quarantine-0001")
    assert (record["line"], record["start"], record["bytes"]) == (2, len(line("one")) + 1, 3 << 20)
    assert {"text", "base64"}.isdisjoint(record)


def test_bad_rows_go_to_the_folder_that_is_given(bad: Path, tmp_path: Path) -> None:
    read(bad, quarantine=str(tmp_path / "aside" / "here"))
    assert (tmp_path / "aside" / "here" / "x.jsonl.quarantine-0001").is_file()
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=r"cannot be set aside in .*data\.quarantine=FOLDER"):
        read(bad, quarantine=str(tmp_path / "file"))


def test_a_file_without_bad_rows_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_bytes(line("one"))
    assert read(tmp_path / "x.jsonl") == ["one"]
    assert [each.name for each in tmp_path.iterdir()] == ["x.jsonl"]
