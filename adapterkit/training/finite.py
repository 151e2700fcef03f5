"""What is said where a training stops because a number is not finite."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import torch

from adapterkit.errors import TrainingError
from adapterkit.evaluation.loss import RowLoss
from adapterkit.texts import counted


def not_finite(
    what: str, value: float, step: int, taken: int, batches: Sequence[Sequence[int]], advice: str
) -> TrainingError:
    """The error that names what, when and from which rows.

    Args:
        what: became NaN or infinite.
        value: what it became.
        step: of the optimizer, from 1 on.
        taken: batches of this step so far.
        batches: those that it came from, as row numbers.
        advice: more of it, beginning with a space; or nothing.
    """
    rows = ", ".join(str(row) for batch in batches for row in batch)
    which = f"batch {taken}" if len(batches) == 1 else f"batches 1 to {len(batches)}"
    return TrainingError(
        f"{what} became {value:g} at step {step}, in its {which}: rows {rows} of the training split, from 0 on. "
        f"Nothing was published. Lower trainer.learning_rate, or look for what is odd in these rows.{advice}",
        step=step,
    )


def require_finite_losses(losses: Sequence[RowLoss], split: str, step: int) -> None:
    """Demand that every row of a held-out split has a loss: with NaN among them, no weights are the best.

    Args:
        losses: of the rows, in their order.
        split: `validation` or `test`.
        step: of the optimizer, after which they were measured.

    Raises:
        TrainingError: one is NaN or infinite.
    """
    odd = [row for row, loss in enumerate(losses) if not math.isfinite(loss.nats)]
    if odd:
        shown = ", ".join(map(str, odd[:5])) + (", ..." if len(odd) > 5 else "")
        raise TrainingError(
            f"After step {step} the {split} loss is NaN or infinite for {counted(len(odd), 'row')} of {len(losses)}: "
            f"{shown}, from 0 on. Nothing was published. Lower trainer.learning_rate, or look for what is odd in "
            "these rows.",
            step=step,
        )


def require_finite_weights(parameters: Iterable[torch.Tensor], step: int) -> None:
    """Demand that no weight is NaN or infinite: the last step of all has no loss after it.

    Args:
        parameters: the trainee's.
        step: of the optimizer, the last.

    Raises:
        TrainingError: one is.
    """
    if not all(bool(torch.isfinite(parameter).all()) for parameter in parameters):
        raise TrainingError(
            f"Step {step}, the last, left weights that are NaN or infinite. Nothing was published. Lower "
            "trainer.learning_rate.",
            step=step,
        )
