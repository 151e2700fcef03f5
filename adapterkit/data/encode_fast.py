"""Many conversations as token rows, some at a time: tokens are made on all cores while earlier rows are labelled."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import count, islice
from typing import TYPE_CHECKING, Any

from adapterkit.data.conversation import Conversation
from adapterkit.data.orders import Planned
from adapterkit.data.row_encoder import RowEncoder
from adapterkit.data.row_views import said_rows
from adapterkit.data.said import Said
from adapterkit.data.token_rows import TokenBatch

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_ROWS_AT_ONCE = 512
_Waiting = tuple[range, list[Said], list[Planned | None], Future[Any]]


def encode_batches(rows: Sequence[Conversation], tokenizer: PreTrainedTokenizerBase) -> Iterator[TokenBatch]:
    """Encode conversations in order.

    Args:
        rows: any number; a few hundred are held at a time.
        tokenizer: a fast tokenizer with a chat template.

    Raises:
        DataError: as `encode`.
    """
    encoder, left = RowEncoder(rows, tokenizer), said_rows(rows)
    with ThreadPoolExecutor(1) as pool:
        waiting: _Waiting | None = None
        for first in count(0, _ROWS_AT_ONCE):
            chunk = list(islice(left, _ROWS_AT_ONCE))
            planned = encoder.plan(chunk)
            following = (range(first, first + len(chunk)), chunk, planned, pool.submit(encoder.tokens, planned))
            if waiting is not None:
                yield encoder.finish(*waiting[:3], waiting[3].result(), idle=following[3].exception)
            if not chunk:
                return
            waiting = following
