"""Labels stand on exactly what the assistant says, in every style of chat template, or an error says why."""

from __future__ import annotations

import pytest
from data.conftest import (
    CHATML,
    DEFAULT_SYSTEM,
    GEMMA,
    LLAMA3,
    MARKED,
    MISTRAL,
    REWRITING,
    labelled_text,
    starred,
    talk,
)

from adapterkit.data import Conversation, Origin, Turn, encode
from adapterkit.errors import DataError

TWO_TURNS = ("user: hi", "assistant: hello there", "user: and you?", "assistant: fine thanks")
WITH_SYSTEM = ("system: be brief", *TWO_TURNS)


@pytest.mark.parametrize(
    ("template", "turns", "expected"),
    [
        (
            CHATML,
            WITH_SYSTEM,
            "<|im_start|> system be brief <|im_end|> <|im_start|> user hi <|im_end|> "
            "<|im_start|> assistant *hello *there *<|im_end|> <|im_start|> user and you? <|im_end|> "
            "<|im_start|> assistant *fine *thanks *<|im_end|>",
        ),
        (
            DEFAULT_SYSTEM,
            TWO_TURNS[:2],
            "<|im_start|> system be kind <|im_end|> <|im_start|> user hi <|im_end|> "
            "<|im_start|> assistant *hello *there *<|im_end|>",
        ),
        (
            LLAMA3,
            WITH_SYSTEM,
            "<|begin_of_text|> <|start_header_id|> system <|end_header_id|> be brief <|eot_id|> "
            "<|start_header_id|> user <|end_header_id|> hi <|eot_id|> "
            "<|start_header_id|> assistant <|end_header_id|> *hello *there *<|eot_id|> "
            "<|start_header_id|> user <|end_header_id|> and you? <|eot_id|> "
            "<|start_header_id|> assistant <|end_header_id|> *fine *thanks *<|eot_id|>",
        ),
        (
            MISTRAL,
            WITH_SYSTEM,
            "<s> [INST] be brief hi [/INST] *hello *there *</s> [INST] and you? [/INST] *fine *thanks *</s>",
        ),
        (
            GEMMA,
            TWO_TURNS,
            "<bos> <start_of_turn> user hi <end_of_turn> <start_of_turn> model *hello *there *<end_of_turn> "
            "<start_of_turn> user and you? <end_of_turn> <start_of_turn> model *fine *thanks *<end_of_turn>",
        ),
        (
            MARKED,
            WITH_SYSTEM,
            "<|im_start|> system be brief <|im_end|> <|im_start|> user hi <|im_end|> "
            "<|im_start|> assistant *hello *there *<|im_end|> <|im_start|> user and you? <|im_end|> "
            "<|im_start|> assistant *fine *thanks *<|im_end|>",
        ),
        (
            CHATML,
            ("user: hi", "assistant: hello", "assistant: there", "user: bye"),
            "<|im_start|> user hi <|im_end|> <|im_start|> assistant *hello *<|im_end|> "
            "<|im_start|> assistant *there *<|im_end|> <|im_start|> user bye <|im_end|>",
        ),
        (
            REWRITING,
            ("user: hi", "assistant: hello", "user: and you?", "assistant: <think> hm </think> fine"),
            "<|im_start|> user hi <|im_end|> <|im_start|> assistant *hello *<|im_end|> "
            "<|im_start|> user and you? <|im_end|> "
            "<|im_start|> assistant *<think> *hm *</think> *fine *<|im_end|>",
        ),
    ],
)
def test_masks_written_by_hand(word_tokenizer, template, turns, expected):
    tokenizer = word_tokenizer(template)
    assert starred(encode(talk(*turns), tokenizer), tokenizer) == expected


@pytest.mark.parametrize("template", [CHATML, DEFAULT_SYSTEM, LLAMA3, MISTRAL, GEMMA, MARKED])
@pytest.mark.parametrize("trim_offsets", [True, False])
def test_the_ids_are_the_templates_own(byte_tokenizer, template, trim_offsets):
    tokenizer = byte_tokenizer(template, merges=True, trim_offsets=trim_offsets)
    row = encode(talk(*TWO_TURNS), tokenizer)
    messages = talk(*TWO_TURNS).messages
    assert list(row.input_ids) == tokenizer.apply_chat_template(messages, tokenize=True, return_dict=False)


@pytest.mark.parametrize("trim_offsets", [True, False])
@pytest.mark.parametrize(
    ("template", "answer", "expected"),
    [
        (CHATML, "hello", "hello<|im_end|>"),
        (CHATML, "\nhello \n", "\nhello \n<|im_end|>"),
        (CHATML, "assistant", "assistant<|im_end|>"),
        (CHATML, "caf\u00e9 \U0001f600", "caf\u00e9 \U0001f600<|im_end|>"),
        (LLAMA3, " hello\n", "hello<|eot_id|>"),
        (MISTRAL, "hello", " hello</s>"),
        (GEMMA, "hello\n\n", "hello<end_of_turn>"),
        (MARKED, "hello\n", "hello\n<|im_end|>"),
    ],
)
@pytest.mark.parametrize("merges", [True, False])
def test_labels_hold_the_answer_and_its_end_to_the_byte(
    byte_tokenizer, template, answer, expected, trim_offsets, merges
):
    tokenizer = byte_tokenizer(template, merges=merges, trim_offsets=trim_offsets)
    row = encode(talk("user: hello\n", f"assistant: {answer}", "user: hello", "assistant: bye"), tokenizer)
    end = expected[expected.rindex("<") :]
    bye = " bye" if template == MISTRAL else "bye"
    assert labelled_text(row, tokenizer) == expected + bye + end


def test_marks_agree_with_transformers(byte_tokenizer):
    tokenizer = byte_tokenizer(MARKED, merges=True)
    row = encode(talk(*WITH_SYSTEM), tokenizer)
    theirs = tokenizer.apply_chat_template(
        talk(*WITH_SYSTEM).messages, return_dict=True, return_assistant_tokens_mask=True
    )
    assert [int(label != -100) for label in row.labels] == theirs["assistant_masks"]


def test_marks_at_dropped_characters_are_exact_where_transformers_is_not(word_tokenizer):
    spaced = MARKED.replace("m['content'] + '<|im_end|>' }}{% endgen", "' ' + m['content'] + '<|im_end|>' }}{% endgen")
    tokenizer = word_tokenizer(spaced)
    theirs = tokenizer.apply_chat_template(
        talk(*TWO_TURNS).messages, return_dict=True, return_assistant_tokens_mask=True
    )
    assert sum(theirs["assistant_masks"]) == 0
    assert encode(talk(*TWO_TURNS), tokenizer).labels_count == 6


def test_a_header_outside_the_generation_prompt_is_not_learnt(word_tokenizer):
    always = CHATML.replace("{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}", "")
    tokenizer = word_tokenizer(always)
    expected = "<|im_start|> user hi <|im_end|> <|im_start|> assistant *assistant *<|im_end|>"
    assert starred(encode(talk("user: hi", "assistant: assistant"), tokenizer), tokenizer) == expected


def test_a_token_with_the_space_before_the_answer_is_learnt(byte_tokenizer):
    template = (
        "{% for m in messages %}{{ 'Q: ' if m['role'] == 'user' else 'A: ' }}{{ m['content'] + '\n' }}{% endfor %}"
    )
    prompt = "{% if add_generation_prompt %}{{ 'A: ' }}{% endif %}"
    tokenizer = byte_tokenizer(template + prompt, merges=True, trim_offsets=False)
    row = encode(talk("user: hello", "assistant: hello there"), tokenizer)
    assert labelled_text(row, tokenizer) == " hello there\n"


def test_a_token_of_prompt_and_answer_is_refused(word_tokenizer):
    template = "{% for m in messages %}{{ 'Q:' if m['role'] == 'user' else 'A:' }}{{ m['content'] + '\n' }}{% endfor %}"
    tokenizer = word_tokenizer(template + "{% if add_generation_prompt %}{{ 'A:' }}{% endif %}")
    with pytest.raises(
        DataError, match=r"line 7: The token 'A:hello' holds text of the answer and of its surroundings"
    ):
        encode(talk("user: hi", "assistant: hello"), tokenizer)


@pytest.mark.parametrize(
    ("template", "turns", "message"),
    [
        (None, TWO_TURNS, "no chat template.*instruct or chat base"),
        (GEMMA, WITH_SYSTEM, "refuses the turns .*System role not supported"),
        (MISTRAL, ("user: hi", "user: and you?", "assistant: fine"), "roles must alternate"),
        (CHATML, ("assistant: hello", "user: hi"), "begins with the assistant"),
        (
            REWRITING,
            ("user: hi", "assistant: <think> hm </think> hello", "user: and you?", "assistant: fine"),
            r"Turn 2 \(assistant\): it is written differently once later turns follow.*end with one answer each",
        ),
        (
            REWRITING.replace(" and not loop.last", ""),
            ("user: hi", "assistant: <think> hm </think> hello"),
            "changes what",
        ),
        (CHATML.replace("in messages", "in messages if m['role'] != 'system'"), WITH_SYSTEM, r"turn 1 \(system\)"),
        # What it says stands in the template's own words.
        (
            CHATML.replace("in messages", "in messages if m['role'] != 'system'"),
            ("system: user", *TWO_TURNS),
            r"turn 1 \(system\)",
        ),
        (
            MARKED.replace("m['content'] + '<|im_end|>' }}{% endgen", "'hm' }}{% endgen"),
            TWO_TURNS,
            r"turn 2 \(assistant\)",
        ),
    ],
)
def test_what_cannot_be_exact_is_refused(word_tokenizer, template, turns, message):
    with pytest.raises(DataError, match=message):
        encode(talk(*turns), word_tokenizer(template))


def test_the_error_names_the_row(word_tokenizer):
    row = Conversation((Turn("assistant", "hi"),), Origin("mine.jsonl", 12, "lincoln"))
    with pytest.raises(DataError, match=r"mine\.jsonl, line 12: \(lincoln\)") as caught:
        encode(row, word_tokenizer(CHATML))
    assert caught.value.line == 12
