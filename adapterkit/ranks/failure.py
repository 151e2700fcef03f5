"""Why a rank stopped, left where the others can read it when nobody answers them any more."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass

_KEY = "adapterkit/failure"


@dataclass(frozen=True)
class Failure:
    """Why a rank stopped: its number, the exit code it leaves with, and what it says."""

    number: int
    code: int
    message: str


def leave_word(failure: Failure) -> None:
    """Write it into the store by which the ranks found each other; the first one stands."""
    from torch.distributed.distributed_c10d import _get_default_store

    try:
        _get_default_store().compare_set(_KEY, "", json.dumps(dataclasses.asdict(failure)))
    except RuntimeError:
        # The process that holds the store is gone; then nobody reads it either.
        return


def word_left() -> Failure | None:
    """What another rank wrote; null where none did, or where the store is gone."""
    from torch.distributed.distributed_c10d import _get_default_store

    try:
        store = _get_default_store()
        return Failure(**json.loads(store.get(_KEY))) if store.check([_KEY]) else None
    except RuntimeError:
        return None
