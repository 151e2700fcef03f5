"""`adapterkit data inspect` and `data stats`: a training's rows as the model sees them, before any training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.driving import left_with, printed

SHORT = "hello \x1b[31mred"


def chats(path: Path, *pairs: tuple[str, str]) -> Path:
    rows = [[{"role": "user", "content": asked}, {"role": "assistant", "content": said}] for asked, said in pairs]
    path.write_text("".join(json.dumps({"messages": row, "persona": "ann"}) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture
def words(tiny_base_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What one writes behind `train`, for two rows to train on, the second one long, and one to validate."""
    monkeypatch.chdir(tmp_path)
    chats(tmp_path / "train.jsonl", ("hi", SHORT), ("one two three four", "hello there " * 20))
    chats(tmp_path / "validation.jsonl", ("bye", "bye"))
    return [
        f"model.id={tiny_base_dir}", "quantization=fp32", "data=chat", "data.train=train.jsonl",
        "data.validation=validation.jsonl",
    ]  # fmt: skip


def told(*words: str, code: int = 0) -> Any:
    return json.loads(printed("data", *words, "--json", code=code))


def test_a_row_is_shown_with_its_labels_in_brackets(words: list[str]) -> None:
    shown = printed("data", "inspect", *words)
    assert "row     1 of 2 (train)\nfrom    train.jsonl, line 1 (ann)\n" in shown
    assert shown.endswith(
        "\n\n<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n"
        "⟦hello \N{REPLACEMENT CHARACTER}[31mred<|im_end|>⟧\n\n"
    )


def test_on_a_terminal_labels_are_coloured(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    shown = printed("data", "inspect", *words)
    assert "\x1b[30;42mhello " in shown
    assert "\x1b[36m<|im_start|>\x1b[0m" in shown
    assert "⟦" not in shown
    assert "\x1b[31m" not in shown
    monkeypatch.setenv("NO_COLOR", "1")
    assert "⟦hello " in printed("data", "inspect", *words)


def test_for_scripts_the_text_is_exact_and_tokens_come_where_they_are_asked_for(words: list[str]) -> None:
    row = told("inspect", *words)
    assert row["origin"] == {"path": "train.jsonl", "line": 1, "label": "ann"}
    assert row["text"] == f"<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n{SHORT}<|im_end|>\n"
    assert "".join(each["text"] for each in row["stretches"] if each["learnt"]) == f"{SHORT}<|im_end|>"
    assert "tokens" not in row
    tokens = told("inspect", *words, "--tokens")["tokens"]
    assert len(tokens) == row["length"]
    assert sum(each["label"] is not None for each in tokens) == row["label_tokens"]


def test_every_token_is_listed(words: list[str]) -> None:
    lines = printed("data", "inspect", *words, "--tokens", "--split", "validation").splitlines()
    assert "row     1 of 1 (validation)" in lines
    assert lines[-2].split() == [str(len(lines) - 9), "2", "<|im_end|>", '"<|im_end|>"', "2"]
    assert lines[-1].split()[-1] == '"\\n"'


@pytest.mark.parametrize(
    ("wanted", "code", "message"),
    [
        (["--row", "3"], 2, "There is no row 3 in the train split of train.jsonl: it has 2 rows, counted from 1"),
        (["--split", "test"], 2, "There is no row 1 in the test split of train.jsonl: it has no rows"),
        (["--split", "trian"], 2, "Unknown split 'trian'. Did you mean train?"),
        (["data.max_lenght=3"], 2, "max_lenght"),
        (["--row", "2", "data.max_length=64"], 1, "train.jsonl, line 2: (ann) The row has"),
        (["data.on_long_row=cut"], 2, "data.on_long_row 'cut'. Any of error, drop, truncate_prompt will do"),
    ],
)
def test_what_cannot_be_shown_says_why(
    words: list[str], wanted: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert left_with("data", "inspect", *words, *wanted) == code
    assert message in capsys.readouterr().err


def test_a_long_row_is_shown_as_it_is_trained_on(words: list[str]) -> None:
    length = told("inspect", *words, "--row", "2")["length"]
    limit = [f"data.max_length={length - 2}", "--row", "2"]
    row = told("inspect", *words, *limit, "data.on_long_row=truncate_prompt")
    assert (row["state"], row["length_before"]) == ("truncated", length)
    assert "user\ntwo three four<" in row["text"]
    assert told("inspect", *words, *limit, "data.on_long_row=drop")["state"] == "dropped"
    shown = printed("data", "inspect", *words, *limit, "data.on_long_row=drop")
    assert f"it had {length} tokens, and is left out" in shown


def test_a_split_in_numbers(words: list[str]) -> None:
    found = told("stats", *words)
    assert [(each["split"], each["rows"]) for each in found["splits"]] == [("train", 2), ("validation", 1)]
    train = found["splits"][0]
    assert train["tokens"] == train["shortest"] + train["longest"]
    assert sum(each["rows"] for each in train["histogram"]) == 2
    shown = printed("data", "stats", *words)
    assert "train: rows by their tokens" in shown
    assert "too long" in shown.splitlines()[2]


def test_rows_that_a_training_would_refuse_are_counted_and_fail_the_check(words: list[str]) -> None:
    found = told("stats", *words, "data.max_length=64", code=1)
    assert (found["splits"][0]["rows"], found["splits"][0]["too_long"]) == (2, 1)
    assert "1 row of more than data.max_length=64 tokens: a training refuses them" in printed(
        "data", "stats", *words, "data.max_length=64", code=1
    )
    dropped = told("stats", *words, "data.max_length=64", "data.on_long_row=drop")["splits"][0]
    assert (dropped["rows"], dropped["dropped"], dropped["too_long"]) == (1, 1, 0)
