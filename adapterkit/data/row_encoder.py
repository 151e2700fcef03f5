"""Rows as tokens, each equal to what `encode` gives for it, in a fraction of the time.

Where the chat template provably writes contents between fixed pieces (see `glue`), no row is rendered. The first rows
of each order of roles are compared with `encode`; whatever does not fit is left to it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from adapterkit.data.control_tokens import pattern_of
from adapterkit.data.conversation import Conversation
from adapterkit.data.glue import GlueFinder
from adapterkit.data.lead import is_local, with_lead
from adapterkit.data.orders import Order, Planned, Run, find_order
from adapterkit.data.quick_encoder import GrowingBatch, QuickEncoder
from adapterkit.data.said import Said
from adapterkit.data.template import EncodedRow, encode
from adapterkit.data.token_rows import TokenBatch

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_COMPARED = 8
_Found = tuple[list[int], list[Run]]


class RowEncoder:
    """Plans, tokenizes and labels some of many rows for one tokenizer.

    Attributes:
        quick: encodes the rows of known orders.
    """

    def __init__(self, rows: Sequence[Conversation], tokenizer: PreTrainedTokenizerBase) -> None:
        """Take all rows, and the tokenizer."""
        self._rows, self._tokenizer = rows, tokenizer
        self._compare: dict[tuple[str, ...], int] = {}
        self._glue = GlueFinder(tokenizer) if tokenizer.is_fast and tokenizer.chat_template is not None else None
        if self._glue is not None:
            # Leaves the backend without truncation and padding, as `encode` has it.
            tokenizer("", add_special_tokens=False)
        self.quick = QuickEncoder(getattr(tokenizer, "backend_tokenizer", None), pattern_of(tokenizer))

    def plan(self, rows: Sequence[Said]) -> list[Planned | None]:
        """Their texts and where their answers lie; null where only `encode` knows."""
        for roles in {row.roles for row in rows} - self.quick.orders.keys():
            self.quick.orders[roles] = self._order(roles)
            self._compare[roles] = _COMPARED
        return self.quick.planned(rows)

    def tokens(self, planned: Sequence[Planned | None]) -> list[Any]:
        """The encodings of those that have a plan."""
        return self.quick.tokens(planned)

    def trusted(self) -> dict[tuple[str, ...], Order]:
        """The orders of which enough rows were compared."""
        return {roles: order for roles, order in self.quick.orders.items() if order and not self._compare[roles]}

    def batch(self, places: Sequence[int], rows: Sequence[Said]) -> TokenBatch:
        """Encode these rows, here and now.

        Args:
            places: their numbers among all rows.
            rows: what they say.

        Raises:
            DataError: as `encode`.
        """
        planned = self.plan(rows)
        return self.finish(places, rows, planned, self.tokens(planned), idle=lambda: None)

    def finish(
        self,
        places: Sequence[int],
        rows: Sequence[Said],
        planned: Sequence[Planned | None],
        encodings: Sequence[Any],
        *,
        idle: Callable[[], object],
    ) -> TokenBatch:
        """Label rows, and leave to `encode` what did not fit; `idle` waits until nobody else uses the tokenizer."""
        import numpy as np

        batch, made = GrowingBatch(), iter(encodings)
        for place, row, plan in zip(places, rows, planned, strict=True):
            encoding: Any = next(made) if plan is not None else None
            # The comparison of an earlier row may have ended the trust in what was planned before.
            runs = plan.labelled(encoding) if plan is not None and self.quick.orders[row.roles] is not None else None
            if plan is None or runs is None:
                idle()
                batch.add(*_parts(encode(self._rows[place], self._tokenizer)))
            elif self._compare[row.roles]:
                idle()
                batch.add(*self._compared(place, row.roles, plan, encoding.ids, runs))
            else:
                batch.add(encoding.ids, runs, plan.lead)
        return batch.done(np.array([row.weight for row in rows], np.float64))

    def _compared(self, place: int, roles: tuple[str, ...], plan: Planned, ids: list[int], runs: list[Run]) -> _Found:
        """What `encode` gives; where that is something else, the order is given up."""
        self._compare[roles] -= 1
        right, before = _parts(encode(self._rows[place], self._tokenizer)), len(plan.lead)
        if right != ([*plan.lead, *ids], _joined([(before + first, before + after) for first, after in runs])):
            self.quick.orders[roles] = None
        return right

    def _order(self, roles: tuple[str, ...]) -> Order | None:
        order = find_order(roles, self._glue, self._tokenizer) if self._glue is not None else None
        if order is None or not self._is_local:
            return order
        return with_lead(order, self.quick.backend)

    @cached_property
    def _is_local(self) -> bool:
        return is_local(self.quick.backend)


def _parts(row: EncodedRow) -> _Found:
    """The ids, and the runs of labelled tokens."""
    runs: list[Run] = []
    for place, label in enumerate(row.labels):
        if label >= 0:
            runs.append((place, place + 1))
    return list(row.input_ids), _joined(runs)


def _joined(runs: Sequence[Run]) -> list[Run]:
    """The same tokens in as few runs as there can be."""
    joined: list[Run] = []
    for first, after in runs:
        if joined and joined[-1][1] == first:
            joined[-1] = joined[-1][0], after
        elif first < after:
            joined.append((first, after))
    return joined
