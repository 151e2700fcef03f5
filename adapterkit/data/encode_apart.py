"""Many rows of files as tokens, made in as many processes as there are cores.

The others are told where rows lie, and read them there: of words none goes from one process to another. What they leave
out is done here, so that every row and every error is what it would be without them.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from adapterkit.base.parallel import usable_cores
from adapterkit.data.conversation import Conversation
from adapterkit.data.file_rows import FileRows
from adapterkit.data.processes import Workers
from adapterkit.data.row_encoder import RowEncoder
from adapterkit.data.row_views import RowView, all_of
from adapterkit.data.said import SHAPES, said_of
from adapterkit.data.sources import Source
from adapterkit.data.token_rows import TokenBatch
from adapterkit.errors import UsageError
from adapterkit.texts import first_line_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_log = logging.getLogger(__name__)

# Below, starting processes takes about as long as they save.
_WORTH_IT = 20_000
_ROWS_AT_ONCE = 1024
_BYTES_AT_ONCE = 4 << 20
_MOST_WORKERS = 8
_MOST_ASKED_FOR = 256


def workers_for(rows: Sequence[Conversation]) -> int:
    """How many processes should encode rows; 1: this one alone.

    Raises:
        UsageError: `ADAPTERKIT_WORKERS` is no number from 1 to 256.
    """
    if not isinstance(rows, FileRows | RowView) or len(rows) < _WORTH_IT or all_of(rows).shape not in SHAPES.values():
        return 1
    wanted = os.environ.get("ADAPTERKIT_WORKERS", "")
    if wanted and wanted not in map(str, range(1, _MOST_ASKED_FOR + 1)):
        raise UsageError(
            f"ADAPTERKIT_WORKERS={wanted[:40]} is no number of processes: give 1 to {_MOST_ASKED_FOR}, or leave it out."
        )
    # Every rank on this machine reads the rows.
    ranks = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    return int(wanted) if wanted else min(usable_cores() // ranks, _MOST_WORKERS)


def encode_apart(
    rows: FileRows | RowView, encoder: RowEncoder, first: int, workers: int
) -> Iterator[TokenBatch] | None:
    """Encode the rows from one on, in order.

    Args:
        rows: all.
        encoder: of all, which knows the usual orders of roles by now.
        first: the row to begin with.
        workers: how many processes.

    Returns:
        Their tokens; null where no process can be started.

    Raises:
        DataError: as `encode`; a file changed; or a process ended.
    """
    whole = all_of(rows)
    descriptors = [source.descriptor for source in whole.sources]
    settings = {
        "shape": next(name for name, shape in SHAPES.items() if shape is whole.shape),
        "system": rows.system if isinstance(rows, RowView) else None,
        "backend": encoder.quick.backend.to_str(),
        "control": encoder.quick.control.pattern,
    }
    news = [json.dumps(settings).encode(), _orders(encoder, set())]
    try:
        started = Workers("adapterkit.data.encode_worker", workers, news=news, descriptors=descriptors)
    except OSError as error:
        _log.info("Rows are encoded in one process: another one cannot be started (%s)", first_line_of(error))
        return None
    return _encoded(rows, encoder, first, started)


def _encoded(rows: FileRows | RowView, encoder: RowEncoder, first: int, started: Workers) -> Iterator[TokenBatch]:
    from adapterkit.data.encode_worker import from_bytes

    known = set(encoder.trusted())
    places = _Places(rows)
    parts = list(places.parts(first))
    questions = (places.of(part).tobytes() for part in parts)
    with started as workers, closing(workers.answers(questions)) as answers:
        for part, answer in zip(parts, answers, strict=True):
            for source in places.sources(part):
                source.check()
            batch = from_bytes(answer, places.weights(part))
            left = (batch.lengths < 0).nonzero()[0]
            if len(left):
                own = [part[place] for place in left.tolist()]
                batch = batch.filled(encoder.batch(own, [said_of(rows[place]) for place in own]))
                if new := set(encoder.trusted()) - known:
                    workers.tell(_orders(encoder, known))
                    known |= new
            yield batch


def _orders(encoder: RowEncoder, known: set[tuple[str, ...]]) -> bytes:
    new = [[roles, order.to_json()] for roles, order in encoder.trusted().items() if roles not in known]
    return json.dumps(new).encode()


class _Places:
    """Where rows lie, as a worker is told."""

    def __init__(self, rows: FileRows | RowView) -> None:
        self._rows, self._whole = rows, all_of(rows)

    def parts(self, first: int) -> Iterator[range]:
        """Rows that are asked for at once: neither too many, nor of too many bytes."""
        import numpy as np

        while first < len(self._rows):
            some = range(first, min(first + _ROWS_AT_ONCE, len(self._rows)))
            sizes = np.cumsum(self._whole.where.sizes[self._indices(some)], dtype=np.int64)
            count = max(1, int(np.searchsorted(sizes, _BYTES_AT_ONCE, side="right")))
            yield some[:count]
            first += count

    def of(self, part: range) -> NDArray[np.void]:
        import numpy as np

        from adapterkit.data.encode_worker import PLACE

        indices, where = self._indices(part), self._whole.where
        places = np.empty(len(part), PLACE)
        places["start"], places["size"] = where.starts[indices], where.sizes[indices]
        descriptors = np.array([source.descriptor for source in self._whole.sources], np.int32)
        places["descriptor"] = descriptors[where.files(indices)]
        return places

    def sources(self, part: range) -> list[Source]:
        return [self._whole.sources[file] for file in set(self._whole.where.files(self._indices(part)).tolist())]

    def weights(self, part: range) -> NDArray[np.float64]:
        return self._whole.where.weights[self._indices(part)]

    def _indices(self, part: range) -> NDArray[np.int64]:
        import numpy as np

        if isinstance(self._rows, RowView):
            return self._rows.indices[part.start : part.stop]
        return np.arange(part.start, part.stop)
