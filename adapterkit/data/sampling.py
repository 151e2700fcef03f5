"""Fewer rows, drawn evenly over where they came from, and the same ones on every machine."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

from adapterkit.data.conversation import Conversation
from adapterkit.digest import json_digest
from adapterkit.errors import UsageError


def thin(rows: Sequence[Conversation], limit: int | None) -> tuple[Conversation, ...]:
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
        return tuple(rows)
    kept = _spread(rows, list(range(len(rows))), 0)[:limit]
    return tuple(rows[index] for index in sorted(kept))


def _spread(rows: Sequence[Conversation], indices: list[int], depth: int) -> list[int]:
    """Order indices so that every beginning of the list draws evenly on the strata from `depth` down."""
    groups: dict[str, list[int]] = {}
    for index in indices:
        strata = rows[index].origin.strata
        groups.setdefault(strata[depth] if depth < len(strata) else "", []).append(index)
    if list(groups) == [""]:
        return sorted(indices, key=lambda index: (json_digest(rows[index].messages), index))
    spread = [_spread(rows, groups[name], depth + 1) for name in sorted(groups, key=json_digest)]
    return [index for layer in zip_longest(*spread) for index in layer if index is not None]
