"""Small tokenizers, and chat templates in the styles that are about."""

from collections.abc import Callable

import pytest
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from adapterkit.data import Conversation, EncodedRow, Origin, Turn

SPECIALS = [
    "<|im_start|>",
    "<|im_end|>",
    "<|begin_of_text|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|eot_id|>",
    "<s>",
    "</s>",
    "[INST]",
    "[/INST]",
    "<bos>",
    "<start_of_turn>",
    "<end_of_turn>",
]

CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
DEFAULT_SYSTEM = (
    "{% if messages[0]['role'] != 'system' %}{{ '<|im_start|>system\nbe kind<|im_end|>\n' }}{% endif %}" + CHATML
)
LLAMA3 = (
    "{{ '<|begin_of_text|>' }}{% for m in messages %}"
    "{{ '<|start_header_id|>' + m['role'] + '<|end_header_id|>\n\n' + m['content'] | trim + '<|eot_id|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)
MISTRAL = (
    "{% if messages[0]['role'] == 'system' %}"
    "{% set system = messages[0]['content'] + '\n\n' %}{% set turns = messages[1:] %}"
    "{% else %}{% set system = '' %}{% set turns = messages %}{% endif %}{{ '<s>' }}{% for m in turns %}"
    "{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('roles must alternate') }}{% endif %}"
    "{% if m['role'] == 'user' %}{{ '[INST] ' + (system if loop.first else '') + m['content'] + ' [/INST]' }}"
    "{% else %}{{ ' ' + m['content'] + '</s>' }}{% endif %}{% endfor %}"
)
GEMMA = (
    "{{ '<bos>' }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    "{% for m in messages %}{% set role = 'model' if m['role'] == 'assistant' else m['role'] %}"
    "{{ '<start_of_turn>' + role + '\n' + m['content'] | trim + '<end_of_turn>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
)
MARKED = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' }}{% if m['role'] == 'assistant' %}"
    "{% generation %}{{ m['content'] + '<|im_end|>' }}{% endgeneration %}"
    "{% else %}{{ m['content'] + '<|im_end|>' }}{% endif %}"
    "{{ '\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
# Strips reasoning from every answer but the last.
REWRITING = (
    "{% for m in messages %}{% set said = m['content'] %}"
    "{% if m['role'] == 'assistant' and not loop.last %}{% set said = said.split('</think>')[-1] %}{% endif %}"
    "{{ '<|im_start|>' + m['role'] + '\n' + said + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)

WORDS = [
    *("system", "user", "assistant", "model", "be", "brief", "kind", "hi", "hello", "there", "friend", "and", "you?"),
    *("fine", "thanks", "bye", "<think>", "hm", "</think>", "Q:", "A:", "Q:hi", "A:hello"),
]


def talk(*turns: str) -> Conversation:
    """`talk("user: hi", "assistant: hello")`."""
    pairs = (turn.split(": ", 1) for turn in turns)
    return Conversation(tuple(Turn(role, content) for role, content in pairs), Origin("talk.jsonl", 7))


def starred(row: EncodedRow, tokenizer: PreTrainedTokenizerFast) -> str:
    """The tokens of a row, each labelled one with a star before it."""
    tokens = tokenizer.convert_ids_to_tokens(list(row.input_ids))
    assert all(label in (-100, token) for token, label in zip(row.input_ids, row.labels, strict=True))
    return " ".join(("*" if label != -100 else "") + token for token, label in zip(tokens, row.labels, strict=True))


def labelled_text(row: EncodedRow, tokenizer: PreTrainedTokenizerFast) -> str:
    return tokenizer.decode([label for label in row.labels if label != -100])


@pytest.fixture(scope="session")
def word_tokenizer() -> Callable[[str | None], PreTrainedTokenizerFast]:
    """A token a word; white space is dropped, so that masks can be written by hand."""
    vocabulary = {word: number for number, word in enumerate(dict.fromkeys(["<unk>", *SPECIALS, *WORDS]))}

    def build(template: str | None) -> PreTrainedTokenizerFast:
        tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
        tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
        tokenizer.add_special_tokens([AddedToken(token, special=True) for token in SPECIALS])
        return PreTrainedTokenizerFast(tokenizer_object=tokenizer, chat_template=template, unk_token="<unk>")

    return build


@pytest.fixture(scope="session")
def byte_tokenizer() -> Callable[..., PreTrainedTokenizerFast]:
    """Byte-level BPE: without merges every byte is a token; with merges ` hello` is one."""

    def build(template: str | None, *, merges: bool = False, trim_offsets: bool = True) -> PreTrainedTokenizerFast:
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        tokenizer.post_processor = processors.ByteLevel(trim_offsets=trim_offsets)
        trainer = trainers.BpeTrainer(
            vocab_size=400 if merges else 256 + len(SPECIALS),
            special_tokens=SPECIALS,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        tokenizer.train_from_iterator(["A: hello there\n\n"] * 9, trainer)
        return PreTrainedTokenizerFast(tokenizer_object=tokenizer, chat_template=template)

    return build
