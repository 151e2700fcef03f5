"""Answers to many messages at once, the likeliest token each time: the same model gives the same answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch


def greedy_answers(
    model: Any,
    tokenizer: Any,
    messages: Sequence[str],
    *,
    max_new_tokens: int,
    batch_size: int = 20,
) -> list[str]:
    """What a model answers to each message, alone in its conversation.

    Args:
        model: a causal LM, bare or with a stack.
        tokenizer: its tokenizer, with a chat template.
        messages: what the user says.
        max_new_tokens: the longest answer; what is longer is cut.
        batch_size: messages at once, of like length.

    Returns:
        One text a message, in their order, without special tokens.
    """
    prompts = [prompt_ids(tokenizer, message) for message in messages]
    order = sorted(range(len(prompts)), key=lambda index: len(prompts[index]))
    batches = [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
    found: dict[int, str] = {}
    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            for indices in batches:
                texts = _answered(model, tokenizer, [prompts[index] for index in indices], max_new_tokens)
                found.update(zip(indices, texts, strict=True))
    finally:
        model.train(was_training)
    return [found[index] for index in range(len(prompts))]


def greedy_tokens(
    model: Any, tokenizer: Any, messages: Sequence[str], *, max_new_tokens: int
) -> list[tuple[list[int], list[int]]]:
    """The tokens of each message as a prompt, and of the answer up to its end; all messages in one batch.

    Args:
        model: a causal LM in evaluation, bare or with a stack.
        tokenizer: its tokenizer, with a chat template.
        messages: what the user says.
        max_new_tokens: the longest answer; what is longer is cut.
    """
    prompts = [prompt_ids(tokenizer, message) for message in messages]
    answers = _generated(model, tokenizer, prompts, max_new_tokens).tolist()
    return [
        (prompt, _until_end(answer, tokenizer.eos_token_id)) for prompt, answer in zip(prompts, answers, strict=True)
    ]


def _until_end(answer: list[int], end: int) -> list[int]:
    return answer[: answer.index(end) + 1] if end in answer else answer


def prompt_ids(tokenizer: Any, message: str) -> list[int]:
    """The tokens of a message that is alone in its conversation, up to where the answer begins."""
    turns = [{"role": "user", "content": message}]
    # As text first: what comes back as ids differs between versions of transformers.
    text = tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def _answered(model: Any, tokenizer: Any, prompts: Sequence[list[int]], max_new_tokens: int) -> list[str]:
    answers = _generated(model, tokenizer, prompts, max_new_tokens)
    return list(tokenizer.batch_decode(answers, skip_special_tokens=True))


def _generated(model: Any, tokenizer: Any, prompts: Sequence[list[int]], max_new_tokens: int) -> torch.Tensor:
    """One batch, padded on the left, so that every answer begins where its prompt ends; the answers alone."""
    width = max(len(prompt) for prompt in prompts)
    padding = [[tokenizer.pad_token_id] * (width - len(prompt)) for prompt in prompts]
    ids = torch.tensor([[*pads, *prompt] for pads, prompt in zip(padding, prompts, strict=True)])
    mask = torch.tensor([[0] * len(pads) + [1] * (width - len(pads)) for pads in padding])
    output = model.generate(
        input_ids=ids.to(model.device),
        attention_mask=mask.to(model.device),
        max_new_tokens=max_new_tokens,
        do_sample=False,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    answers: torch.Tensor = output[:, width:]
    return answers
