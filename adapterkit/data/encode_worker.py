"""What a process does that encodes rows of files for another one: it reads them there itself.

It leaves out what it does not know: a row of another order of roles, a border in a token, a row that cannot be read.
"""

from __future__ import annotations

import json
import os
import re
from contextlib import suppress
from typing import Any

import numpy as np

from adapterkit.data.orders import Order
from adapterkit.data.processes import read_message, write_message
from adapterkit.data.quick_encoder import GrowingBatch, QuickEncoder
from adapterkit.data.row_index import said_in
from adapterkit.data.said import SHAPES, Said, with_system
from adapterkit.data.token_rows import TokenBatch
from adapterkit.errors import DataError

# One row among those asked for.
PLACE = np.dtype([("start", "<i8"), ("size", "<i4"), ("descriptor", "<i4")])
_NOTHING = Said((), [])


def main() -> None:
    """Answer each question, places of rows, with their tokens, until there is no other."""
    questions, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    # Whatever a library prints is no answer.
    os.dup2(2, 1)
    reader = None
    with suppress(BrokenPipeError):
        while (message := read_message(questions)) is not None:
            kind, content = message[:1], message[1:]
            if reader is None:
                reader = _Reader(json.loads(content))
            elif kind == b"n":
                reader.learn(json.loads(content))
            else:
                write_message(answers, to_bytes(reader.batch(np.frombuffer(content, PLACE))))


class _Reader:
    """Reads and encodes rows."""

    def __init__(self, settings: Any) -> None:
        from tokenizers import Tokenizer

        self._shape, self._system = SHAPES[settings["shape"]], settings["system"]
        self._quick = QuickEncoder(Tokenizer.from_str(settings["backend"]), re.compile(settings["control"]))

    def learn(self, orders: Any) -> None:
        self._quick.orders.update((tuple(roles), Order.from_json(order)) for roles, order in orders)

    def batch(self, places: Any) -> TokenBatch:
        rows = [self._said(*place) for place in places.tolist()]
        planned = self._quick.planned(rows)
        batch, made = GrowingBatch(), iter(self._quick.tokens(planned))
        for plan in planned:
            encoding: Any = next(made) if plan is not None else None
            runs = plan.labelled(encoding) if plan is not None else None
            if plan is None or runs is None:
                batch.leave_out()
            else:
                batch.add(encoding.ids, runs, plan.lead)
        return batch.done(np.ones(len(rows)))

    def _said(self, start: int, size: int, descriptor: int) -> Said:
        try:
            # Every row was checked before, so that a mark of byte order stands where one may.
            return with_system(said_in(os.pread(descriptor, size, start), self._shape, "", 1), self._system)
        except (OSError, DataError):
            return _NOTHING


def to_bytes(batch: TokenBatch) -> bytes:
    """A batch without its weights, its columns one after the other."""
    columns = (batch.lengths, batch.ids, batch.labelled)
    return b"".join([len(batch.lengths).to_bytes(8, "little"), *(column.tobytes() for column in columns)])


def from_bytes(content: bytes, weights: Any) -> TokenBatch:
    """As `to_bytes` gave it; weights are float64 (rows,)."""
    count = int.from_bytes(content[:8], "little")
    lengths = np.frombuffer(content, np.int64, count, 8)
    tokens, at = int(lengths[lengths > 0].sum()), 8 + 8 * count
    ids = np.frombuffer(content, np.int32, tokens, at)
    return TokenBatch(ids, np.frombuffer(content, np.uint8, tokens, at + 4 * tokens), lengths, weights)
