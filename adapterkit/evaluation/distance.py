"""How far a model departs from the one that it was made of, in logits and in nats, on what the first one answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from adapterkit.evaluation.answers import greedy_tokens
from adapterkit.evaluation.logits import Gap, gap, text_logits


@dataclass(frozen=True)
class Said:
    """What a model answers to some prompts, and its logits of all of it.

    Attributes:
        texts: the tokens of each prompt with the answer behind it.
        answered: how many of them are the answer's.
        logits: (positions of all texts, vocabulary).
    """

    texts: tuple[tuple[int, ...], ...]
    answered: tuple[int, ...]
    logits: torch.Tensor


@dataclass(frozen=True)
class Distance(Gap):
    """How far a model is from another, over the texts of that other one.

    Attributes:
        divergence: Kullback-Leibler divergence from the other model's next token to this one's, in nats, the mean over
            all positions.
        nats_before: what a token of the answers costs the model that gave them, in nats.
        nats_after: what it costs this one.
        positions: at which logits were compared.
    """

    divergence: float
    nats_before: float
    nats_after: float
    positions: int


def said_by(model: Any, tokenizer: Any, prompts: Sequence[str], *, new_tokens: int) -> Said:
    """Let a model in evaluation answer, greedily.

    Args:
        model: a causal LM, bare or with a stack.
        tokenizer: its tokenizer, with a chat template.
        prompts: each a user's message of its own.
        new_tokens: the longest answer.
    """
    with torch.no_grad(), torch.autocast(model.device.type, enabled=False):
        answers = greedy_tokens(model, tokenizer, prompts, max_new_tokens=new_tokens)
        texts = tuple((*prompt, *answer) for prompt, answer in answers)
        return Said(texts, tuple(len(answer) for _, answer in answers), text_logits(model, tokenizer, texts))


def distance(said: Said, model: Any, tokenizer: Any) -> Distance:
    """Compare a model in evaluation with the one that said something."""
    with torch.no_grad(), torch.autocast(model.device.type, enabled=False):
        logits = text_logits(model, tokenizer, said.texts)
    found = gap(said.logits, logits)
    divergence, before, after, tokens = 0.0, 0.0, 0.0, 0
    for place, following in enumerate(_following(said)):
        one, other = (each[place].double().log_softmax(dim=0) for each in (said.logits, logits))
        divergence += (one.exp() * (one - other)).sum().item()
        if following is not None:
            before, after, tokens = before - one[following].item(), after - other[following].item(), tokens + 1
    answered = max(tokens, 1)
    return Distance(
        **vars(found),
        divergence=divergence / len(logits),
        nats_before=before / answered,
        nats_after=after / answered,
        positions=len(logits),
    )


def _following(said: Said) -> list[int | None]:
    """For each position the token of the answer that follows it; null where the prompt goes on, or the text ends."""
    found: list[int | None] = []
    for text, answered in zip(said.texts, said.answered, strict=True):
        begins = len(text) - answered
        found += [text[place + 1] if begins <= place + 1 < len(text) else None for place in range(len(text))]
    return found
