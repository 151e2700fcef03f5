"""Many conversations as token rows, some at a time: tokens are made on all cores while earlier rows are labelled."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import count, islice
from typing import TYPE_CHECKING, Any

from adapterkit.data.conversation import Conversation
from adapterkit.data.encode_apart import encode_apart, workers_for
from adapterkit.data.file_rows import FileRows
from adapterkit.data.orders import Planned
from adapterkit.data.row_encoder import RowEncoder
from adapterkit.data.row_views import RowView, said_rows
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
    encoder, done = RowEncoder(rows, tokenizer), 0
    if (workers := workers_for(rows)) > 1 and isinstance(rows, FileRows | RowView):
        # The usual orders of roles are in the first rows.
        done = _ROWS_AT_ONCE
        yield encoder.batch(range(done), list(islice(said_rows(rows), done)))
        if encoder.trusted() and (batches := encode_apart(rows, encoder, done, workers)) is not None:
            yield from batches
            return
    yield from _encoded_here(encoder, islice(said_rows(rows), done, None), done)


def _encoded_here(encoder: RowEncoder, left: Iterator[Said], first: int) -> Iterator[TokenBatch]:
    with ThreadPoolExecutor(1) as pool:
        waiting: _Waiting | None = None
        for start in count(first, _ROWS_AT_ONCE):
            chunk = list(islice(left, _ROWS_AT_ONCE))
            planned = encoder.plan(chunk)
            following = (range(start, start + len(chunk)), chunk, planned, pool.submit(encoder.tokens, planned))
            if waiting is not None:
                yield encoder.finish(*waiting[:3], waiting[3].result(), idle=following[3].exception)
            if not chunk:
                return
            waiting = following
