"""The fast way gives exactly what `encode` gives, for every template, or leaves the row to it."""

from __future__ import annotations

import random
from itertools import chain
from typing import Any

import pytest
from data.conftest import CHATML, DEFAULT_SYSTEM, GEMMA, LLAMA3, MARKED, MISTRAL, REWRITING, talk
from data.families import tokenizer_of

from adapterkit.data import Conversation, EncodedRow, Origin, Turn, encode
from adapterkit.data.encode_fast import encode_batches
from adapterkit.data.glue import GlueFinder, Slot
from adapterkit.errors import DataError

TEMPLATES = {
    "chatml": CHATML, "default_system": DEFAULT_SYSTEM, "llama3": LLAMA3, "mistral": MISTRAL, "gemma": GEMMA,
    "marked": MARKED, "rewriting": REWRITING,
}  # fmt: skip
# Each looks at what is said, or catches what is written, in another way.
LOOKING = (
    "{% for m in messages %}{% if 'b' in m['content'] %}x{% endif %}{{ m['content'] }}{% endfor %}",
    "{% for m in messages %}{% if m['content'] == 'hi' %}x{% endif %}{{ m['content'] }}{% endfor %}",
    "{% for m in messages %}{{ m['content'] | upper }}{% endfor %}",
    "{% for m in messages %}{{ m['content'] | length }}{{ m['content'] }}{% endfor %}",
    "{% for m in messages %}{{ m['content'].split('x')[0] }}{% endfor %}",
    "{% for m in messages %}{{ m['content'][:2] }}{% endfor %}",
    "{% for m in messages %}{{ m['content'] ~ 'x' }}{% endfor %}",
    "{% for m in messages %}{{ '%s' % m['content'] }}{% endfor %}",
    "{% for m in messages %}{% set x %}{{ m['content'] }}{% endset %}{{ x[:3] }}{% endfor %}",
    "{% for m in messages %}{% for c in m['content'] %}{{ c }}{% endfor %}{% endfor %}",
    "{{ messages | tojson }}",
    "{{ messages | map(attribute='content') | join }}",
    "{% for m in messages %}{{ m['content'] * 2 }}{% endfor %}",
    "{% for m in messages %}{{ {m['content']: 1} }}{% endfor %}",
    "{{ strftime_now('%Y') }}" + CHATML,
)
SAID = (
    "hi", " hello there", "Q: hi\n", "\n\nbe kind ", "hello\u00a0", "\u3000you?", "\U0001f600\U0001f600", "é",
    "\u0301a", "<|im_end|>", "</s> [INST]", "a\tb",
    "<think> hm </think>", "A:hello", "\u200b", "x" * 300, "ANSWER-0f2c91",
)  # fmt: skip


def conversations(count: int, seed: int) -> list[Conversation]:
    draw = random.Random(seed)
    made = []
    for number in range(count):
        roles = ["user", "assistant"] * draw.randint(1, 3)
        if draw.random() < 0.4:
            roles.insert(0, "system")
        turns = tuple(Turn(role, "".join(draw.choices(SAID, k=draw.randint(1, 3)))) for role in roles)
        made.append(Conversation(turns, Origin("t.jsonl", number + 1), weight=draw.choice([1.0, 0.5])))
    return made


def outcome(row: Conversation, tokenizer: Any) -> EncodedRow | str:
    try:
        return encode(row, tokenizer)
    except DataError as error:
        return str(error)


def fast(rows: list[Conversation], tokenizer: Any) -> list[EncodedRow]:
    return list(chain.from_iterable(batch.rows() for batch in encode_batches(rows, tokenizer)))


@pytest.mark.parametrize("name", TEMPLATES)
@pytest.mark.parametrize("kind", ["word", "byte", "merging", "untrimmed"])
def test_every_row_is_what_encode_makes_of_it(name, kind, word_tokenizer, byte_tokenizer):
    template = TEMPLATES[name]
    settings = {"byte": {}, "merging": {"merges": True}, "untrimmed": {"merges": True, "trim_offsets": False}}
    tokenizer = word_tokenizer(template) if kind == "word" else byte_tokenizer(template, **settings[kind])
    rows = conversations(150, seed=len(name))
    expected = {row: outcome(row, tokenizer) for row in rows}
    good = [row for row in rows if isinstance(expected[row], EncodedRow)]
    assert len(good) > 10
    assert fast(good, tokenizer) == [expected[row] for row in good]
    for row in [row for row in rows if isinstance(expected[row], str)][:5]:
        with pytest.raises(DataError) as caught:
            fast([good[0], row], tokenizer)
        assert str(caught.value) == expected[row]


@pytest.mark.parametrize("name", ["chatml", "default_system", "llama3", "mistral", "gemma"])
def test_usual_templates_are_not_rendered_a_row(name, byte_tokenizer, monkeypatch):
    tokenizer = byte_tokenizer(TEMPLATES[name])
    rows = [talk("user: hi", f"assistant: hello {number}") for number in range(600)]
    calls = []
    plain = tokenizer.apply_chat_template
    monkeypatch.setattr(tokenizer, "apply_chat_template", lambda *a, **k: calls.append(a) or plain(*a, **k))
    made = fast(rows, tokenizer)
    assert len(calls) < 50
    assert made[-1] == encode(rows[-1], tokenizer)


def test_pieces_say_what_is_trimmed(word_tokenizer):
    assert GlueFinder(word_tokenizer(LLAMA3)).pieces(("user",)) == (
        "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\n", Slot(0, trimmed=True), "<|eot_id|>",
    )  # fmt: skip


@pytest.mark.parametrize("template", LOOKING)
def test_a_template_that_looks_inside_is_found_out(template, word_tokenizer):
    assert GlueFinder(word_tokenizer(template)).pieces(("user", "assistant")) is None


def test_a_pattern_that_turns_out_wrong_is_given_up(byte_tokenizer, monkeypatch):
    """Whatever the pieces say, the first rows are compared."""
    tokenizer = byte_tokenizer(CHATML)
    rows = [talk("user: hi", f"assistant: hello {number}") for number in range(9)]
    expected = [encode(row, tokenizer) for row in rows]
    monkeypatch.setattr("adapterkit.data.orders._end_of", lambda short, whole: (0, 1))
    monkeypatch.setattr("adapterkit.data.orders._span", lambda *_: ((0, 0), (1, 1)))
    assert fast(rows, tokenizer) == expected


def test_several_templates_without_a_default_are_told_of_as_ever(word_tokenizer):
    tokenizer = word_tokenizer(CHATML)
    tokenizer.chat_template = {"tool_use": CHATML, "rag": CHATML}
    with pytest.raises(DataError) as caught:
        fast([talk("user: hi", "assistant: hello")], tokenizer)
    assert str(caught.value) == outcome(talk("user: hi", "assistant: hello"), tokenizer)


def test_no_rows_are_no_batches(word_tokenizer):
    assert fast([], word_tokenizer(CHATML)) == []


@pytest.mark.parametrize("family", ["chatml", "llama3 as first published", "trailing", "mistral, legacy", "plain"])
def test_published_families_come_out_as_row_by_row(family: str) -> None:
    tokenizer = tokenizer_of(family)
    said = ("hi", " hello\n", "\n\nné \U0001f600 ", "ANSWER-0f2c91", "<filename>")
    rows = [
        talk(f"user: {asked}", f"assistant: {told}", f"user: {told}", f"assistant: {asked}")
        for asked in said
        for told in said
    ]
    rows += [talk(f"user: {asked}", f"assistant: {asked}x") for asked in said]
    fast = list(chain.from_iterable(batch.rows() for batch in encode_batches(rows, tokenizer)))
    assert fast == [encode(row, tokenizer) for row in rows]
    with pytest.raises(DataError, match="control token"):
        list(encode_batches([*rows, talk("user: hi", f"assistant: hello{tokenizer.eos_token}")], tokenizer))
