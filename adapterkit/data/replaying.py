"""Past rows among those to train on."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from adapterkit.data.conversation import Conversation
from adapterkit.data.replay import Reservoir
from adapterkit.data.row_views import RowChain, as_keys, row_digests
from adapterkit.data.splits import Splits
from adapterkit.digest import sha256_file

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_log = logging.getLogger(__name__)


def with_replay(splits: Splits, path: Path, share: float) -> Splits:
    """The splits, with rows of a reservoir behind those to train on.

    A row that is held out now is not replayed, whatever the system turn of either says.

    Args:
        splits: the new rows.
        path: a reservoir.
        share: of the rows to train on, how many are past ones; fewer where the reservoir holds fewer.

    Raises:
        DataError: the reservoir is missing or damaged.
    """
    import numpy as np

    past = Reservoir.load(path)
    held_out = np.concatenate([_unprompted(splits.validation), _unprompted(splits.test)])
    free = ~np.isin(as_keys(_unprompted(past.rows)), as_keys(held_out))
    usable = replace(past, rows=tuple(row for row, is_free in zip(past.rows, free, strict=True) if is_free))
    drawn = usable.draw(round(len(splits.train) * share / (1 - share)))
    _log.info("data.replay: %d of %d past rows, beside %d new ones", len(drawn), len(past.rows), len(splits.train))
    return replace(
        splits,
        train=RowChain((splits.train, drawn)),
        source=f"{splits.source}; {len(drawn)} past rows",
        origins={**splits.origins, f"file:{path}": sha256_file(path)},
    )


def _unprompted(rows: Sequence[Conversation]) -> NDArray[np.uint8]:
    """Digests of rows without their system turns: `data.system` may have put one before them, or not."""
    return row_digests([replace(row, turns=tuple(turn for turn in row.turns if turn.role != "system")) for row in rows])
