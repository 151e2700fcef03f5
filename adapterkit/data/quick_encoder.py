"""Rows of known orders of roles as tokens: nothing here needs more than a tokenizer's backend.

So it runs as well in a process that has never imported transformers.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from adapterkit.data.orders import Order, Planned, Run
from adapterkit.data.said import Said
from adapterkit.data.token_rows import TokenBatch

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass
class QuickEncoder:
    """Encodes rows whose order of roles it knows.

    Attributes:
        backend: a `tokenizers.Tokenizer`, without truncation and padding.
        control: finds a control token in a text.
        orders: the orders of roles; null for one whose rows have to be rendered.
    """

    backend: Any
    control: re.Pattern[str]
    orders: dict[tuple[str, ...], Order | None] = field(default_factory=dict)

    def planned(self, rows: Sequence[Said]) -> list[Planned | None]:
        """The text of each row and where its answers lie; null where that is not known."""
        # Of all rows at once, for hardly any says one.
        suspect = self.control.search("\n".join([content for row in rows for content in row.contents])) is not None
        return [self._plan(row, suspect) for row in rows]

    def _plan(self, row: Said, suspect: bool) -> Planned | None:
        order = self.orders.get(row.roles)
        if order is None:
            return None
        contents = row.contents
        # A blank content may be one that a template leaves out.
        if not all(contents) or any(map(str.isspace, contents)):
            return None
        if suspect and any(map(self.control.search, contents)):
            return None
        return order.planned(contents)

    def tokens(self, planned: Sequence[Planned | None]) -> list[Any]:
        """The encodings of texts, made without Python's lock."""
        texts = [each.text for each in planned if each is not None]
        made: list[Any] = self.backend.encode_batch(texts, add_special_tokens=False) if texts else []
        return made


class GrowingBatch:
    """A `TokenBatch` while it grows."""

    def __init__(self) -> None:
        """Begin without a row."""
        self._ids: list[int] = []
        self._lengths: list[int] = []
        self._runs: list[Run] = []

    def add(self, ids: Sequence[int], runs: Sequence[Run], lead: Sequence[int] = ()) -> None:
        """Add a row: its tokens, and which of them are labelled; `lead` comes before both."""
        before = len(self._ids) + len(lead)
        self._runs += [(before + first, before + after) for first, after in runs]
        self._ids += lead
        self._ids += ids
        self._lengths.append(len(lead) + len(ids))

    def leave_out(self) -> None:
        """Leave a row to somebody else: its length is -1."""
        self._lengths.append(-1)

    def done(self, weights: NDArray[np.float64]) -> TokenBatch:
        """All rows."""
        import numpy as np

        steps = np.zeros(len(self._ids) + 1, np.int8)
        np.add.at(steps, [first for first, _ in self._runs], 1)
        np.add.at(steps, [after for _, after in self._runs], -1)
        labelled = (np.cumsum(steps[:-1], dtype=np.int64) > 0).astype(np.uint8)
        return TokenBatch(np.array(self._ids, np.int32), labelled, np.array(self._lengths, np.int64), weights)
