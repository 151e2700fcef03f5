"""A row as it is shown: the texts of its tokens are the template's text, and what is learnt is what is labelled."""

from __future__ import annotations

from itertools import pairwise

import pytest
from data.conftest import CHATML, talk
from data.families import tokenizer_of

from adapterkit.data import encode
from adapterkit.data.view import stretches_of, view

ROW = talk("user: hi né\u0301 😀", "assistant:  hello 你好 👩\u200d🚀 there \n", "user: and you?", "assistant: fine")


@pytest.mark.parametrize("family", ["chatml", "llama3", "mistral", "mistral, legacy", "gemma", "plain", "trailing"])
def test_the_texts_of_the_tokens_are_the_templates_text(family: str) -> None:
    tokenizer = tokenizer_of(family)
    tokens = view(ROW, tokenizer)
    assert "".join(token.text for token in tokens) == tokenizer.apply_chat_template(ROW.messages, tokenize=False)
    row = encode(ROW, tokenizer)
    assert tuple(token.id for token in tokens) == row.input_ids
    assert tuple(-100 if token.label is None else token.label for token in tokens) == row.labels
    assert all((token.name == token.text) for token in tokens if token.control)


def test_neighbours_that_are_alike_are_one_stretch() -> None:
    found = stretches_of(view(ROW, tokenizer_of("gemma")))
    assert [each.text for each in found if each.learnt] == [
        "hello 你好 👩\u200d🚀 there", "<end_of_turn>", "fine", "<end_of_turn>",
    ]  # fmt: skip
    assert found[0].text == "<bos><start_of_turn>"
    pairs = [(each.learnt, each.control) for each in found]
    assert all(one != other for one, other in pairwise(pairs))


@pytest.mark.parametrize("trim_offsets", [True, False])
def test_white_space_that_offsets_leave_out_is_not_lost(byte_tokenizer, trim_offsets: bool) -> None:
    tokenizer = byte_tokenizer(CHATML, merges=True, trim_offsets=trim_offsets)
    row = talk("user: A: hello", "assistant:  hello there\n\n")
    found = stretches_of(view(row, tokenizer))
    assert "".join(each.text for each in found if each.learnt) == " hello there\n\n<|im_end|>"


def test_a_tokenizer_that_drops_white_space_shows_it_all_the_same(word_tokenizer) -> None:
    tokenizer = word_tokenizer(CHATML)
    tokens = view(talk("user: hi", "assistant: hello there"), tokenizer)
    assert "".join(token.text for token in tokens).endswith("hello there<|im_end|>\n")
