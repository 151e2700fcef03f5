"""Decode parity: a child whose change is zero is its parent, number for number; and how far the real one departs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import torch

from adapterkit.evaluation.answers import greedy_tokens, prompt_ids
from adapterkit.evaluation.logits import Gap, gap, text_logits

# Short, unlike one another, and about nothing that an adapter is likely to be trained on.
PROMPTS = (
    "Write one paragraph about the year ahead.",
    "What is 17 + 25?",
    "List three things that a garden needs.",
)
NEW_TOKENS = 8


class Stack(Protocol):
    """What is asked: `adapterkit.stack.adapter_stack.AdapterStack` is one."""

    @property
    def model(self) -> Any:
        """With every member."""

    def without_top(self) -> AbstractContextManager[Any]:
        """Without the top member."""

    def with_zero_delta(self) -> AbstractContextManager[Any]:
        """With a top member that changes nothing."""


@dataclass(frozen=True)
class Departure(Gap):
    """How far one model's logits and answers are from another's, over the same texts.

    Attributes:
        first_differing: for each prompt the first token of the greedy answer that differs, from 0; null: none does.
    """

    first_differing: tuple[int | None, ...]

    @property
    def is_none(self) -> bool:
        """Whether every logit and every token is the same."""
        return self.largest == 0.0 and all(place is None for place in self.first_differing)


@dataclass(frozen=True)
class Parity:
    """The proof and the measure.

    Attributes:
        zero: how far the child whose change is zero departs from its parent: must be nothing at all.
        child: how far the real child does.
        prompts: how many were asked.
        positions: of the texts, at which logits were compared.
    """

    zero: Departure
    child: Departure
    prompts: int
    positions: int

    @property
    def proven(self) -> bool:
        """Whether the child without its change is its parent, number for number."""
        return self.zero.is_none

    def to_json(self) -> dict[str, Any]:
        """Plain values; a difference that is no number is null."""
        return {"proven": self.proven, **{key: _finite(value) for key, value in asdict(self).items()}}


def decode_parity(
    stack: Stack, tokenizer: Any, *, prompts: Sequence[str] = PROMPTS, new_tokens: int = NEW_TOKENS
) -> Parity:
    """Compare a stack with itself without its top member: once with that member's change at zero, once as it is.

    All of it in one process, on one preparation of the base, in evaluation and without autocast: another preparation
    alone moves logits by more than a small adapter does. Logits are compared over each prompt with the parent's
    answer behind it.

    Args:
        stack: with a member on top, in training or published.
        tokenizer: its base's, with a chat template.
        prompts: each a user's message of its own.
        new_tokens: the longest answer.

    Raises:
        AdapterKitError: the stack cannot be taken apart: it is merged, or its blend leaves nothing without its top.
    """
    model, was_training = stack.model, stack.model.training
    model.eval()
    try:
        with torch.no_grad(), torch.autocast(model.device.type, enabled=False):
            return _compare(stack, tokenizer, prompts, new_tokens)
    finally:
        model.train(was_training)


def prompt_logits(model: Any, tokenizer: Any, *, prompts: Sequence[str] = PROMPTS) -> torch.Tensor:
    """What a model in evaluation makes of prompts, (positions of all, vocabulary): to compare it with itself elsewhere.

    Args:
        model: a causal LM, bare or with adapters.
        tokenizer: its tokenizer, with a chat template.
        prompts: each a user's message of its own.
    """
    with torch.no_grad(), torch.autocast(model.device.type, enabled=False):
        return text_logits(model, tokenizer, [prompt_ids(tokenizer, prompt) for prompt in prompts])


def _compare(stack: Stack, tokenizer: Any, prompts: Sequence[str], new_tokens: int) -> Parity:
    with stack.without_top() as parent:
        answers = greedy_tokens(parent, tokenizer, prompts, max_new_tokens=new_tokens)
        texts = [[*prompt, *answer] for prompt, answer in answers]
        logits = text_logits(parent, tokenizer, texts)

    def departure(model: Any) -> Departure:
        said = greedy_tokens(model, tokenizer, prompts, max_new_tokens=new_tokens)
        first = tuple(_first_differing(a, b) for (_, a), (_, b) in zip(answers, said, strict=True))
        return Departure(**vars(gap(logits, text_logits(model, tokenizer, texts))), first_differing=first)

    with stack.with_zero_delta() as model:
        zero = departure(model)
    return Parity(zero, departure(stack.model), len(prompts), len(logits))


def _first_differing(before: Sequence[int], after: Sequence[int]) -> int | None:
    """The first place at which two answers differ; one may end before the other."""
    places = zip(before, after, strict=False)
    shorter = min(len(before), len(after))
    end = None if len(before) == len(after) else shorter
    return next((place for place, (a, b) in enumerate(places) if a != b), end)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(entry) for key, entry in value.items()}
    if isinstance(value, tuple):
        return list(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value
