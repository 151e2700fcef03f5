"""The story of parity: a published child, or one about to be, without its change is its parent; and how far it goes."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from functools import partial
from typing import Any

from adapterkit.errors import ParityError, UsageError
from adapterkit.evaluation.parity import NEW_TOKENS, PROMPTS, Parity, Stack, decode_parity
from adapterkit.ranks import here
from adapterkit.serving.session import load

_log = logging.getLogger(__name__)


def parity(
    ref: str,
    *,
    registry: str | os.PathLike[str] | None = None,
    device: str = "auto",
    quantization: str | None = None,
    blend: str | None = None,
    weights: Sequence[float] | None = None,
    prompts: Sequence[str] = PROMPTS,
    new_tokens: int = NEW_TOKENS,
) -> Parity:
    """Load an adapter, and compare it with its parent, with zero in the place of its change and as it is.

    Args:
        ref: the adapter; below one without a parent stands the bare base.
        registry: as `adapterkit.load` takes it.
        device: likewise.
        quantization: likewise.
        blend: under the interpolative one the statement is about weight 0 for the adapter, in the place of a change of
            zero.
        weights: as `adapterkit.load` takes them.
        prompts: each a user's message of its own.
        new_tokens: the longest answer.

    Raises:
        UsageError: there is no prompt, or no token may be answered; or as `adapterkit.load` says.
        AdapterKitError: as `adapterkit.load` says.
    """
    if not prompts or new_tokens < 1:
        raise UsageError("Parity needs a prompt and at least one new token to compare.")
    session = load(ref, registry=registry, device=device, quantization=quantization, blend=blend, weights=weights)
    return decode_parity(session.stack, session.tokenizer, prompts=prompts, new_tokens=new_tokens)


def proven_parity(stack: Stack, tokenizer: Any, name: str) -> Parity:
    """What is published with a child: few short answers, on the model as it stands after training.

    Of several ranks the first computes; where they share one base, all do.

    Raises:
        ParityError: without its change the child is another model than its parent; nothing may be published.
    """
    compare = partial(decode_parity, stack, tokenizer)
    found = compare() if here().sharded else here().from_first("decode parity", compare)
    if not found.proven:
        raise ParityError(name, found.zero.largest, sum(each is not None for each in found.zero.first_differing))
    child = found.child
    _log.info(
        "Decode parity: without its change, %s is its parent to the last bit; with it logits move by %.3g on average, "
        "and the next token is the same at %.1f %% of %d places",
        name, child.mean, 100 * child.agreement, found.positions,
    )  # fmt: skip
    return found
