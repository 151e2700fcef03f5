"""Chat templates as the families publish them, each with a small tokenizer of its family's kind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

LINES = ["hello there\n\nfine thanks", "user assistant model system", " hello\n hello", "What is it? It is blue.\n\n\n"]

# SmolLM2 and Qwen 2.5: a default system turn, and nothing is trimmed.
CHATML = (
    "{% for m in messages %}{% if loop.first and m['role'] != 'system' %}"
    "{{ '<|im_start|>system\nBe kind.<|im_end|>\n' }}{% endif %}"
    "{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>' + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
# Every turn is trimmed.
LLAMA3 = (
    "{% for m in messages %}"
    "{% set said = '<|start_header_id|>' + m['role'] + '<|end_header_id|>\n\n' + m['content'] | trim + '<|eot_id|>' %}"
    "{{ bos_token + said if loop.first else said }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)
# As first published: the generation prompt stands behind every conversation.
LLAMA3_FIRST = LLAMA3.replace("{% if add_generation_prompt %}", "").removesuffix("{% endif %}")
# v0.3: no role names, answers are trimmed, and the system turn is written only where the user speaks last.
MISTRAL = (
    "{% if messages[0]['role'] == 'system' %}{% set system = messages[0]['content'] %}{% set turns = messages[1:] %}"
    "{% else %}{% set turns = messages %}{% endif %}{{ bos_token }}{% for m in turns %}"
    "{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('roles must alternate') }}{% endif %}"
    "{% if m['role'] == 'user' %}{% if loop.last and system is defined %}"
    "{{ '[INST] ' + system + '\n\n' + m['content'] + '[/INST]' }}"
    "{% else %}{{ '[INST] ' + m['content'] + '[/INST]' }}{% endif %}"
    "{% elif m['role'] == 'assistant' %}{{ ' ' + m['content'] | trim + eos_token }}"
    "{% else %}{{ raise_exception('Only user and assistant roles are supported') }}{% endif %}{% endfor %}"
)
# No system turn, the assistant is the model, every turn is trimmed.
GEMMA = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}"
    "{{ raise_exception('System role not supported') }}{% endif %}{% for m in messages %}"
    "{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('roles must alternate') }}{% endif %}"
    "{% set role = 'model' if m['role'] == 'assistant' else m['role'] %}"
    "{{ '<start_of_turn>' + role + '\n' + m['content'] | trim + '<end_of_turn>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
)
# Of the kind of Alpaca: headings in plain letters, no system turn, one end-of-text behind an answer.
PLAIN = (
    "{% for m in messages %}{% if m['role'] == 'user' %}{{ '### Instruction:\n' + m['content'] + '\n\n' }}"
    "{% elif m['role'] == 'assistant' %}{{ '### Response:\n' + m['content'] + eos_token + '\n\n' }}"
    "{% else %}{{ raise_exception('There are instructions and responses only.') }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '### Response:\n' }}{% endif %}"
)
# Of the kind of Phi 3: an end-of-text behind the whole conversation, where no prompt is asked for.
TRAILING = (
    "{% for m in messages %}{{ '<|' + m['role'] + '|>\n' + m['content'] + '<|end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% else %}{{ eos_token }}{% endif %}"
)


def byte_level(template: str, specials: Sequence[str], *, bos: str | None, eos: str) -> PreTrainedTokenizerFast:
    """Bytes with merges. Where there is a first token, encoding a text adds it, as the published tokenizer does."""
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=330,
        special_tokens=list(specials),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    core.train_from_iterator(LINES * 5, trainer)
    return _whole(core, template, bos, eos)


def metaspace(template: str, specials: Sequence[str], *, legacy: bool = False) -> PreTrainedTokenizerFast:
    """Pieces with a low line for a space, and bytes for what is no piece: sentencepiece's kind.

    A legacy one puts a space of its own before the text behind every special token.
    """
    letters = "▁abcdefghijklmnopqrstuvwxyzHIWT.,?!:\n"
    merges = [("h", "e"), ("l", "l"), ("he", "ll"), ("hell", "o"), ("▁", "hello"), ("\n", "\n"), ("▁", "▁"), ("▁", "i")]
    pieces = ["<unk>", *specials, *(f"<0x{byte:02X}>" for byte in range(256)), *letters, *map("".join, merges)]
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    core = Tokenizer(models.BPE(vocabulary, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    spaces = normalizers.Replace(" ", "▁")
    core.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), spaces]) if legacy else spaces
    core.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    core.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in specials])
    return _whole(core, template, specials[0], specials[1])


def _whole(core: Tokenizer, template: str, bos: str | None, eos: str) -> PreTrainedTokenizerFast:
    named: dict[str, Any] = {"eos_token": eos}
    if bos is not None:
        core.post_processor = processors.TemplateProcessing(
            single=f"{bos} $A", special_tokens=[(bos, core.token_to_id(bos))]
        )
        named["bos_token"] = bos
    return PreTrainedTokenizerFast(tokenizer_object=core, chat_template=template, **named)


def tokenizer_of(family: str) -> PreTrainedTokenizerFast:
    """The family's template on its kind of tokenizer."""
    llama = ("<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")
    mistral = ("<s>", "</s>", "[INST]", "[/INST]")
    match family:
        case "chatml":
            specials = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<filename>")
            return byte_level(CHATML, specials, bos=None, eos="<|im_end|>")
        case "llama3":
            return byte_level(LLAMA3, llama, bos=llama[0], eos="<|eot_id|>")
        case "llama3 as first published":
            return byte_level(LLAMA3_FIRST, llama, bos=llama[0], eos="<|eot_id|>")
        case "mistral":
            return metaspace(MISTRAL, mistral)
        case "mistral, legacy":
            return metaspace(MISTRAL, mistral, legacy=True)
        case "gemma":
            return metaspace(GEMMA, ("<bos>", "<eos>", "<start_of_turn>", "<end_of_turn>"))
        case "plain":
            return byte_level(PLAIN, ("<|endoftext|>",), bos=None, eos="<|endoftext|>")
        case "trailing":
            specials = ("<|endoftext|>", "<|end|>", "<|user|>", "<|assistant|>", "<|system|>")
            return byte_level(TRAILING, specials, bos=None, eos="<|endoftext|>")
    raise ValueError(family)
