"""The test split of a training: beside the stack without the new adapter, and beside the version it went on from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from adapterkit.data.collate import PadCollator
from adapterkit.data.encode import as_dataset
from adapterkit.evaluation.loss import RowLoss
from adapterkit.evaluation.paired import PairedChange, paired_change
from adapterkit.ranks import here
from adapterkit.stack.adapter_stack import AdapterStack
from adapterkit.training.finite import require_finite_losses
from adapterkit.training.shares import shared_row_losses
from adapterkit.workflows.rows import TokenRows


@dataclass(frozen=True)
class Tested:
    """Losses in nats a token, with paired intervals; null with fewer than two test rows.

    Attributes:
        change: from the stack without the new adapter.
        update: from the version that the run went on from; null for a run that began afresh.
    """

    change: PairedChange | None = None
    update: PairedChange | None = None

    @property
    def metrics(self) -> dict[str, float]:
        """As manifests and summaries tell them."""
        found: dict[str, float] = {}
        if self.change is not None:
            found |= {"test_loss_before": self.change.before, "test_loss": self.change.after}
        if self.update is not None:
            found["test_loss_started_from"] = self.update.before
        return found

    def to_json(self) -> dict[str, Any]:
        """The change, and under `started_from` the update."""
        plain: dict[str, Any] = {} if self.change is None else {**self.change.to_json()}
        return plain if self.update is None else {**plain, "started_from": self.update.to_json()}


def compare_on_test(
    stack: AdapterStack, rows: TokenRows, batch_size: int, *, step: int, earlier: Sequence[RowLoss] | None = None
) -> Tested:
    """The test split, once: the stack without its new member, then with it, row by row.

    Args:
        stack: with its trainee on top.
        rows: whose test split is measured.
        batch_size: rows at once.
        step: after which it is measured.
        earlier: losses of the version that the run went on from, from `losses_on_test`; null for none.

    Raises:
        TrainingError: the loss of a row is not finite.
    """
    if len(rows.test) < 2:
        return Tested()
    with stack.without_top() as model:
        before = _losses(stack, model, rows, batch_size)
    after = losses_on_test(stack, rows, batch_size)
    require_finite_losses(after, "test", step)
    return Tested(paired_change(before, after), paired_change(earlier, after) if earlier is not None else None)


def losses_on_test(stack: AdapterStack, rows: TokenRows, batch_size: int) -> list[RowLoss]:
    """Of every test row, with the whole stack as it is."""
    return _losses(stack, stack.model, rows, batch_size)


def _losses(stack: AdapterStack, model: Any, rows: TokenRows, batch_size: int) -> list[RowLoss]:
    if not rows.test:
        return []
    collate = PadCollator(stack.base.tokenizer.pad_token_id)
    return shared_row_losses(here(), model, list(as_dataset(rows.test)), collate, batch_size=batch_size)
