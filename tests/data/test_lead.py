"""What a template writes first is tokenized once, where a cut behind a special token changes nothing."""

from __future__ import annotations

from typing import Any

import pytest
from tokenizers import AddedToken, Tokenizer, pre_tokenizers

from adapterkit.data.glue import Slot
from adapterkit.data.lead import is_local, with_lead
from adapterkit.data.orders import Order

FIRST = "<s>be kind<s>user\n"


def order(begin: tuple[int, int] = (2, 1)) -> Order:
    return Order((FIRST, Slot(0, False), "<s>", Slot(1, False), "</s>"), ((begin, (4, 4)),))


@pytest.fixture
def backend(byte_tokenizer: Any) -> Tokenizer:
    return Tokenizer.from_str(byte_tokenizer("").backend_tokenizer.to_str())


def test_the_lead_ends_behind_the_last_special_token(backend: Tokenizer) -> None:
    cut = with_lead(order((0, len(FIRST))), backend)
    assert cut.pieces == ("user\n", *order().pieces[1:])
    assert cut.spans == (((0, 5), (4, 4)),)
    whole = backend.encode(FIRST, add_special_tokens=False).ids
    assert [*cut.lead, *backend.encode("user\n", add_special_tokens=False).ids] == whole


def test_an_answer_that_begins_before_is_not_cut(backend: Tokenizer) -> None:
    assert with_lead(order((0, 4)), backend) == order((0, 4))


ODD = (
    AddedToken("<s>use", special=True),
    AddedToken("kind<s", special=True),
    AddedToken("ser", special=True),
    AddedToken("<s>", special=True, rstrip=True),
    AddedToken("word", special=True, single_word=True),
    AddedToken("er\n", special=False),
    AddedToken("<s>user\nhell", special=True),
)


@pytest.mark.parametrize("token", ODD)
def test_tokens_are_those_of_the_whole_text_whatever_is_a_token(token: AddedToken, backend: Tokenizer) -> None:
    backend.add_special_tokens([AddedToken("<s>us", special=True)] if token.content == "ser" else [])
    (backend.add_special_tokens if token.special else backend.add_tokens)([token])
    cut = with_lead(order(), backend)
    for said in ("hello", " hello", "\nyou", "s", ">"):
        rest = backend.encode(f"{cut.pieces[0]}{said}", add_special_tokens=False).ids
        assert [*cut.lead, *rest] == backend.encode(FIRST + said, add_special_tokens=False).ids


@pytest.mark.parametrize("token", [each for each in ODD if each.rstrip or each.single_word or "hell" in each.content])
def test_a_token_that_looks_over_its_end_keeps_the_text_whole(token: AddedToken, backend: Tokenizer) -> None:
    backend.add_special_tokens([token])
    assert with_lead(order(), backend) == order()


@pytest.mark.parametrize(
    ("split", "local"),
    [
        (None, True),
        (pre_tokenizers.ByteLevel(), True),
        (pre_tokenizers.Sequence([pre_tokenizers.Digits(), pre_tokenizers.ByteLevel()]), True),
        (pre_tokenizers.Metaspace(prepend_scheme="always"), True),
        (pre_tokenizers.Metaspace(prepend_scheme="first"), False),
        (pre_tokenizers.Sequence([pre_tokenizers.Metaspace(prepend_scheme="first")]), False),
    ],
)
def test_a_tokenizer_that_asks_where_a_text_begins_is_found_out(split: Any, local: bool, backend: Tokenizer) -> None:
    if split is None:
        from tokenizers import models

        assert is_local(Tokenizer(models.BPE())) is local
        return
    backend.pre_tokenizer = split
    assert is_local(backend) is local
