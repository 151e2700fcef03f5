"""One's own documents: paragraphs with ids, rows that cite them, and every fault named with its line."""

import json
from pathlib import Path

import pytest

from adapterkit.config.schema import DataConfig
from adapterkit.data import Splits, read_splits
from adapterkit.data.documents import paragraphs
from adapterkit.data.grounding import REFUSAL
from adapterkit.digest import sha256_file
from adapterkit.errors import DataError, UsageError

ONE = {"id": "p1", "text": "Tea is served at four."}
TWO = {"id": "p2", "text": "Coffee is served at ten."}
ROW = {"question": "When is tea?", "passages": [ONE, TWO], "answer": "At four.", "citations": ["p1"]}


def write(path: Path, *rows: object) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def read(train: str | None, **config: object) -> Splits:
    return read_splits(DataConfig(reader="documents", train=train, **config), None)


def test_a_row_brings_its_passages(tmp_path: Path) -> None:
    path = write(tmp_path / "t.jsonl", ROW, {**ROW, "answer": ["At", 4], "form": "json"})
    splits = read(path)
    asked, said = (turn.content for turn in splits.train[0].turns)
    assert asked.endswith("[p1] Tea is served at four.\n[p2] Coffee is served at ten.\n\nQuestion: When is tea?")
    assert said == "At four. [p1]"
    assert json.loads(splits.train[1].turns[1].content) == {"answer": ["At", 4], "citations": ["p1"]}
    assert "JSON" in splits.train[1].turns[0].content
    assert splits.train[1].origin.line == 2
    assert splits.origins == {f"file:{path}": sha256_file(Path(path))}
    assert read(path, prompt="Cite.").train[0].turns[0].content.startswith("Cite.\n\n[p1]")


def test_null_is_a_refusal(tmp_path: Path) -> None:
    row = {**ROW, "answer": None, "citations": []}
    rows = read(write(tmp_path / "t.jsonl", row, {**row, "form": "json"})).train
    assert [each.turns[1].content for each in rows] == [REFUSAL, '{"answer": null, "citations": []}']


def test_a_folder_has_paragraphs_with_ids(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    guide = "# Tea\n\nServed at\nfour.\n\n\n## Code\n\n```\na\n\nb\n```\n\nLast.\n"
    (tmp_path / "guide.md").write_text(guide, encoding="utf-8")
    (tmp_path / "sub" / "n.txt").write_text("\ufeffOne.\n \nTwo.", encoding="utf-8")
    (tmp_path / "left.rst").write_text("No.", encoding="utf-8")
    assert paragraphs(tmp_path) == {
        "guide.md#1": "# Tea Served at four.",
        "guide.md#2": "## Code ``` a b ```",
        "guide.md#3": "Last.",
        "sub/n.txt#1": "One.",
        "sub/n.txt#2": "Two.",
    }
    write(tmp_path / "questions.jsonl", {**ROW, "passages": ["guide.md#1", TWO], "citations": ["guide.md#1"]})
    splits = read(str(tmp_path))
    assert "[guide.md#1] # Tea Served at four.\n[p2] Coffee" in splits.train[0].turns[0].content
    assert splits.train[0].turns[1].content == "At four. [guide.md#1]"
    assert len(splits.origins) == 3


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"question": " "}, "'question' must be a text"),
        ({"question": None}, "'question' must be a text"),
        ({"passages": []}, "'passages' must be a list of at least one"),
        ({"passages": "p1"}, "'passages' must be a list"),
        ({"passages": [ONE, ONE]}, "Two passages have one id: p1, p1"),
        ({"passages": [{"id": "p1"}]}, "A passage is"),
        ({"passages": [{"id": "p 1", "text": "x"}]}, "'p 1' is no id of a passage"),
        ({"passages": [{"id": "p1]", "text": "x"}]}, "is no id of a passage"),
        ({"passages": [{"id": 1, "text": "x"}]}, "1 is no id of a passage"),
        ({"passages": [{"id": "p1", "text": " "}]}, "The text of passage p1 is empty"),
        ({"passages": ["guide.md#1"]}, "There is no paragraph 'guide.md#1'. No document lies beside"),
        ({"citations": ["p3"]}, "cites 'p3', which is none of its passages: p1, p2"),
        ({"citations": "p1"}, "'citations' must be a list"),
        ({"citations": []}, "The answer cites nothing"),
        ({"answer": None}, "a refusal, and yet it cites"),
        ({"answer": ""}, "The answer is empty"),
        ({"answer": ["x"]}, 'any other value needs "form": "json"'),
        ({"answer": [], "form": "json"}, "The answer is empty"),
        ({"form": "yaml"}, "'form' is 'yaml'; it is text or json"),
        ({"citation": ["p1"]}, "The key 'citation' is unknown. Did you mean citations"),
    ],
)
def test_a_bad_row_is_named_with_its_line(tmp_path: Path, change: dict[str, object], told: str) -> None:
    path = write(tmp_path / "t.jsonl", ROW, {**ROW, **change})
    with pytest.raises(DataError, match=r"t\.jsonl, line 2: ") as caught:
        read(path)
    assert told in str(caught.value)


@pytest.mark.parametrize("key", ["question", "passages", "answer", "citations"])
def test_a_missing_key_is_named(tmp_path: Path, key: str) -> None:
    path = write(tmp_path / "t.jsonl", {name: value for name, value in ROW.items() if name != key})
    with pytest.raises(DataError, match=f"line 1: There is no '{key}'"):
        read(path)


def test_a_misspelt_paragraph_is_answered_with_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "guide.md").write_text("Tea.", encoding="utf-8")
    path = write(tmp_path / "t.jsonl", {**ROW, "passages": ["guide.md#2"], "citations": ["guide.md#2"]})
    with pytest.raises(DataError, match=r"Did you mean guide\.md#1\?"):
        read(path)


def test_a_document_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    (tmp_path / "guide.md").write_bytes(b"Tea \xff")
    path = write(tmp_path / "t.jsonl", {**ROW, "passages": ["guide.md#1"]})
    with pytest.raises(DataError, match=r"guide\.md: Not UTF-8: byte 0xff at 5"):
        read(path)


def test_a_held_out_row_may_not_be_trained_on(tmp_path: Path) -> None:
    train = write(tmp_path / "t.jsonl", ROW)
    other = write(tmp_path / "v.jsonl", {**ROW, "question": "When is  TEA"})
    with pytest.raises(DataError, match=r"v\.jsonl, line 1: The same row is in the training file .*t\.jsonl, line 1"):
        read(train, test=other)


def test_files_are_asked_for(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="data=documents needs rows to train on"):
        read(None)
    with pytest.raises(UsageError, match=r"give data\.test=FILE"):
        read(write(tmp_path / "t.jsonl", ROW), test="auto")
    with pytest.raises(DataError, match=r"The folder holds no questions\.jsonl: a document alone asks nothing"):
        read(str(tmp_path))
