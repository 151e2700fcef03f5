"""Rows that are too long: an error, left out, or shortened from the beginning; an answer is never cut."""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import cache

import pytest
from data.conftest import talk
from data.families import tokenizer_of
from data.oracle import labels_by_hand

from adapterkit.config.choices import DROP, TRUNCATE_PROMPT
from adapterkit.data import Conversation, EncodedRow, encode, encode_split, fit_split
from adapterkit.data.lengths import fit_row
from adapterkit.errors import DataError

tokenizer_for = cache(tokenizer_of)
LONG = talk(
    "system: be brief", "user: one two", "assistant: hello there", "user: is it blue?", "assistant: It is.",
    "user: and you?", "assistant: fine thanks",
)  # fmt: skip


def length(row: Conversation, family: str) -> int:
    return encode(row, tokenizer_for(family)).length


def shortened(row: Conversation, family: str, max_length: int) -> tuple[Conversation, EncodedRow]:
    tokenizer = tokenizer_for(family)
    found = fit_row(row, encode(row, tokenizer), tokenizer, max_length, TRUNCATE_PROMPT)
    assert found is not None
    assert found.truncated
    assert found.row.length <= max_length
    assert fit_split([row], tokenizer, max_length, TRUNCATE_PROMPT).rows[0] == found.row
    return found.conversation, found.row


def chatml(*turns: str) -> str:
    """By hand: each turn as ChatML writes it, an answer and its end in brackets."""
    text = ""
    for turn in turns:
        role, said = turn.split(": ", 1)
        text += f"<|im_start|>{role}\n"
        text += f"⟦{said}<|im_end|>⟧\n" if role == "assistant" else f"{said}<|im_end|>\n"
    return text


@pytest.mark.parametrize(
    ("kept", "turns"),
    [
        (5, ("system: be brief", "user: is it blue?", "assistant: It is.", "user: and you?", "assistant: fine thanks")),
        (3, ("system: be brief", "user: and you?", "assistant: fine thanks")),
    ],
)
def test_the_earliest_turns_go_first_and_the_labels_are_exact(kept: int, turns: tuple[str, ...]) -> None:
    room = length(talk(*turns), "chatml")
    for limit in (room, room + 1):
        conversation, row = shortened(LONG, "chatml", limit)
        assert conversation == replace(talk(*turns), origin=LONG.origin)
        ids, labels = labels_by_hand(chatml(*turns), tokenizer_for("chatml"), conversation.messages)
        assert (list(row.input_ids), list(row.labels)) == (ids, labels)


@pytest.mark.parametrize("family", ["chatml", "llama3", "mistral", "gemma", "plain"])
def test_the_last_prompt_loses_its_beginning_and_the_answer_nothing(family: str) -> None:
    row = talk("user: one two three four is it blue?", "assistant: It is blue.\n\nhello", "user: bye")
    whole = encode(row, tokenizer_for(family))
    learnt = [label for label in whole.labels if label != -100]
    seen = set()
    for limit in range(whole.length - 1, len(learnt), -1):
        try:
            conversation, found = shortened(row, family, limit)
        except DataError:
            break
        seen.add(conversation.turns[0].content)
        assert row.turns[0].content.endswith(conversation.turns[0].content)
        assert conversation.turns[1:] == row.turns[1:]
        assert [label for label in found.labels if label != -100] == learnt
        assert found == encode(conversation, tokenizer_for(family))
    assert {"two three four is it blue?", "is it blue?", "?"} <= seen


def test_a_prompt_without_spaces_is_cut_between_letters_and_never_inside_one() -> None:
    row = talk("user: 你好👩\u200d🚀né\u0301", "assistant: hello")
    whole = length(row, "chatml")
    seen = set()
    for limit in range(whole - 1, 0, -1):
        try:
            seen.add(shortened(row, "chatml", limit)[0].turns[0].content)
        except DataError:
            break
    assert seen == {"好👩\u200d🚀né\u0301", "👩\u200d🚀né\u0301", "né\u0301", "é\u0301"}


def test_an_answer_that_does_not_fit_is_an_error_with_its_line() -> None:
    row = talk("user: one two three", "assistant: " + "hello there " * 20)
    with pytest.raises(DataError, match=r"talk\.jsonl, line 7: .* last answer does not fit .*never cut.*data\.max_len"):
        encode_split([row], tokenizer_for("chatml"), 40, TRUNCATE_PROMPT)


def test_a_row_that_no_prompt_leads_to_is_not_shortened() -> None:
    row = talk("system: be brief and kind", "assistant: hello")
    with pytest.raises(DataError, match="does not fit even without the prompt"):
        encode_split([row], tokenizer_for("chatml"), length(row, "chatml") - 1, TRUNCATE_PROMPT)


def test_rows_left_out_are_counted_and_the_first_is_named(caplog: pytest.LogCaptureFixture) -> None:
    short = talk("user: hi", "assistant: hello")
    with caplog.at_level(logging.INFO):
        rows = encode_split([short, LONG, LONG, short], tokenizer_for("chatml"), 60, DROP)
    assert len(rows) == 2
    (line,) = [record.getMessage() for record in caplog.records]
    assert line == "data.on_long_row=drop: 2 of 4 rows are left out, of more than 60 tokens; first talk.jsonl, line 7"


def test_rows_shortened_are_counted_and_rows_that_fit_are_as_they_were(caplog: pytest.LogCaptureFixture) -> None:
    short = talk("user: hi", "assistant: hello")
    with caplog.at_level(logging.INFO):
        rows = encode_split([short, LONG], tokenizer_for("chatml"), 60, TRUNCATE_PROMPT)
    assert rows[0] == encode(short, tokenizer_for("chatml"))
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith("data.on_long_row=truncate_prompt: 1 of 2 rows")


def test_by_default_a_long_row_is_an_error_that_names_the_ways_out() -> None:
    with pytest.raises(DataError, match=r"line 7: .*data\.max_length=\d+, .*data\.on_long_row=truncate_prompt or drop"):
        encode_split([LONG], tokenizer_for("chatml"), 60)
