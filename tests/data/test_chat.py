"""One's own JSONL: what is taken, and that each fault is one error with the file and the line."""

import json
import os

import pytest

from adapterkit.config.schema import DataConfig
from adapterkit.data import jsonl, list_personas, read_splits
from adapterkit.errors import DataError, UnknownNameError, UsageError

USER = {"role": "user", "content": "hi"}
GOOD = json.dumps({"messages": [USER, {"role": "assistant", "content": "hello"}]})


def row(answer, persona=None):
    said = {"messages": [USER, {"role": "assistant", "content": answer}]}
    return json.dumps(said | ({"persona": persona} if persona else {}))


def messages(*given):
    return json.dumps({"messages": list(given)})


@pytest.fixture
def write(tmp_path):
    def write(name, *lines):
        path = tmp_path / name
        path.write_bytes(b"\n".join(line if isinstance(line, bytes) else line.encode() for line in lines))
        return str(path)

    return write


def read(train, persona=None, **config):
    return read_splits(DataConfig(reader="chat", train=train, **config), persona)


def test_rows_keep_their_turns_and_lines_and_blank_lines_are_skipped(write):
    system = messages({"role": "system", "content": "be brief"}, USER, {"role": "assistant", "content": "yes"})
    rows = read(write("t.jsonl", b"\xef\xbb\xbf" + GOOD.encode(), "", "  ", system, "")).train
    assert [row.origin.line for row in rows] == [1, 4]
    assert [turn.role for turn in rows[1].turns] == ["system", "user", "assistant"]
    assert rows[0].messages == json.loads(GOOD)["messages"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "Not JSON: .* at column 2"),
        (b'{"messages": "\xff"}', "Not UTF-8: byte 0xff at position 15"),
        ('{"messages": NaN}', "NaN is not JSON"),
        ('{"messages": -Infinity}', "-Infinity is not JSON"),
        ('{"messages": [], "messages": []}', "'messages' stands twice"),
        ('{"messages": [{"role": "user", "role": "user"}]}', "'role' stands twice"),
        ("[" * 100_000, "nested too deeply"),
        ("9" * 5000, "Not a row"),
        (GOOD.replace("hello", r"\ud800"), "surrogate"),
        ("[1]", "holds a list, not an object"),
        ("null", "holds null, not an object"),
        ("{}", "no 'messages'"),
        ('{"messages": "hi"}', "'messages' must be a list"),
        (messages(), "'messages' is empty"),
        (messages("hi"), "Message 1 is not an object"),
        (messages({"content": "hi"}), "Message 1 has no 'role'"),
        (messages(USER, {"role": "assistant"}), "Message 2 has no 'content'"),
        (messages(USER, {"role": "bot", "content": "hi"}), "Message 2 has the role 'bot'; the roles are system, user"),
        (messages(USER, {"role": ["assistant"], "content": "hi"}), "Message 2 has the role"),
        (messages(USER, {"role": "assistant", "content": None}), "content of message 2 is not a string"),
        (messages(USER, {"role": "assistant", "content": " \n"}), "content of message 2 is empty"),
        (messages(USER), "No message is the assistant's"),
        (messages(USER, {"role": "system", "content": "x"}, {"role": "assistant", "content": "x"}), "only come first"),
        ('{"messages": [], "persona": 3}', "'persona' must be a name"),
    ],
)
def test_a_bad_line_is_named(write, line, message):
    path = write("t.jsonl", GOOD, "", line, GOOD)
    with pytest.raises(DataError, match=message) as caught:
        read(path)
    assert (str(caught.value.path), caught.value.line) == (path, 3)
    assert str(caught.value).startswith(f"{path}, line 3: ")


def test_an_endless_line_is_refused_before_it_is_read(write, monkeypatch):
    monkeypatch.setattr(jsonl, "LINE_LIMIT", 1 << 20)
    with pytest.raises(DataError, match="line 2: The line is longer than 1 MiB"):
        read(write("t.jsonl", GOOD, b" " * (1 << 20) + GOOD.encode()))


@pytest.mark.parametrize("content", [b"", b"\n \n", b"\xef\xbb\xbf"])
def test_an_empty_file_is_refused(write, content):
    with pytest.raises(DataError, match="The file is empty"):
        read(write("t.jsonl", content))


def test_a_missing_file_suggests_its_neighbours(write, tmp_path):
    write("train.jsonl", GOOD)
    with pytest.raises(DataError, match=r"There is no such file\. Did you mean train\.jsonl"):
        read(str(tmp_path / "trian.jsonl"))
    with pytest.raises(DataError, match=r"There is no such file\. The folder is"):
        read(str(tmp_path / "nowhere" / "x.jsonl"))


def test_a_directory_and_a_pipe_are_refused(tmp_path):
    with pytest.raises(DataError, match="directory"):
        read(str(tmp_path))
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match="no regular file"):
        read(str(tmp_path / "pipe"))


@pytest.mark.parametrize("split", ["validation", "test"])
def test_a_held_out_conversation_may_not_be_trained_on(write, split):
    train = write("train.jsonl", row("a"), row("b"), row("c"))
    held_out = write("held.jsonl", row("x"), row("b"))
    with pytest.raises(DataError, match=r"held\.jsonl, line 2: .*train\.jsonl, line 2"):
        read(train, **{split: held_out})


def test_a_persona_keeps_its_rows(write):
    train = write("train.jsonl", row("a", "anna"), row("b", "ben"), row("c"))
    shared = write("shared.jsonl", row("d"), row("e"))
    test = write("test.jsonl", row("f", "ben"))
    splits = read(train, "anna", validation=shared, test=test)
    assert [len(splits.train), len(splits.validation), len(splits.test)] == [1, 2, 0]
    assert len(read(train, None, validation=shared, test=test).train) == 3
    assert list_personas(DataConfig(reader="chat", train=train)) == ("anna", "ben")
    with pytest.raises(UnknownNameError, match=r"Unknown persona 'ana'\. Did you mean anna") as caught:
        read(train, "ana")
    assert caught.value.nearest == ("anna",)


def test_a_persona_without_training_rows_is_refused(write):
    train = write("train.jsonl", row("a", "anna"))
    with pytest.raises(DataError, match="No row is for persona 'ben'"):
        read(train, "ben", test=write("test.jsonl", row("b", "ben")))


def test_rows_that_name_no_persona_are_everybodys(write):
    assert len(read(write("train.jsonl", row("a"), row("b")), "whoever").train) == 2


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"train": None}, "data=chat data.train=FILE"),
        ({"train": "x", "validation": "auto"}, "data.validation=FILE"),
        ({"train": "x", "prompt": "say"}, "takes no data.prompt"),
    ],
)
def test_wrong_configs_are_usage_errors(config, message):
    with pytest.raises(UsageError, match=message):
        read(**config)
