"""What is said where a training stops because a number is not finite."""

from __future__ import annotations

from collections.abc import Sequence

from adapterkit.errors import TrainingError


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
