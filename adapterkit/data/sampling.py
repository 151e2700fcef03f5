"""Fewer rows, drawn evenly over where they came from, and the same ones on every machine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from adapterkit.data.conversation import Conversation
from adapterkit.data.file_rows import FileRows
from adapterkit.data.row_views import RowView, chosen
from adapterkit.digest import json_digest
from adapterkit.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def thin(rows: Sequence[Conversation], limit: int | None) -> Sequence[Conversation]:
    """Keep at most `limit` rows, as many from each stratum as there are, in their old order.

    Which rows of a stratum stay is decided by the sha256 of what they say: neither paths, nor the seed of Python's
    hashes, nor the order of a folder's listing has a say.

    Raises:
        UsageError: the limit is below one.
    """
    if limit is not None and limit < 1:
        raise UsageError(
            f"A row limit of {limit} leaves nothing: set data.max_..._rows to 1 or more, or to null for all rows."
        )
    if limit is None or len(rows) <= limit:
        return rows if isinstance(rows, FileRows | RowView) else tuple(rows)
    import numpy as np

    said, strata = _read(rows)
    kept = _spread(said, strata, np.arange(len(rows)), 0)[:limit]
    return chosen(rows, np.sort(kept))


def _read(rows: Sequence[Conversation]) -> tuple[NDArray[np.uint64], list[tuple[str, ...]]]:
    """What decides, for each row: the digest of what it says, as four numbers `(4, rows)`, and its strata."""
    import numpy as np

    digests, strata = bytearray(), []
    known: dict[tuple[str, ...], tuple[str, ...]] = {}
    for row in rows:
        digests += bytes.fromhex(json_digest(row.messages))
        # One tuple for all rows of a stratum, not one a row.
        strata.append(known.setdefault(row.origin.strata, row.origin.strata))
    return np.frombuffer(digests, ">u8").reshape(-1, 4).T.astype(np.uint64), strata


def _spread(
    said: NDArray[np.uint64], strata: Sequence[tuple[str, ...]], indices: NDArray[np.int64], depth: int
) -> NDArray[np.int64]:
    """Order indices so that every beginning of the list draws evenly on the strata from `depth` down."""
    import numpy as np

    names: dict[str, int] = {}
    own = (strata[index][depth] if depth < len(strata[index]) else "" for index in indices.tolist())
    group = np.fromiter((names.setdefault(name, len(names)) for name in own), np.int64, len(indices))
    if list(names) == [""]:
        return indices[np.lexsort((indices, *said[::-1, indices]))]
    spread = [
        _spread(said, strata, indices[group == names[name]], depth + 1) for name in sorted(names, key=json_digest)
    ]
    layer = np.concatenate([np.arange(len(each)) for each in spread])
    return np.concatenate(spread)[np.argsort(layer, kind="stable")]
