"""After ten steps, a better prediction of the time, and what is left of it."""

from __future__ import annotations

import logging
import time
from typing import Any

from transformers import TrainerCallback

from adapterkit.texts import duration
from adapterkit.training.estimate.duration import Clock, Pace, paced
from adapterkit.training.estimate.work import Work

_log = logging.getLogger(__name__)

AFTER = 10


class RemainingTime(TrainerCallback):
    """Times ten optimizer steps, and says in the log how long the whole takes.

    A resumed training is timed from where it goes on.

    Attributes:
        predicted: seconds from the start of the run to its end; null before ten steps.
    """

    def __init__(self, work: Work, *, compiled: bool, clock: Clock = time.monotonic) -> None:
        """Start the clock of the run.

        Args:
            work: what the training has to compute.
            compiled: whether compiled passes compute it.
            clock: seconds; they only have to go on.
        """
        self._work, self._compiled, self._clock = work, compiled, clock
        self._run, self._step = clock(), 0.0
        self._first, self._seconds = 0, list[float]()
        self.predicted: float | None = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Note from which step on it trains."""
        self._first = state.global_step

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Start the clock of a step."""
        self._step = self._clock()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Stop it; after the tenth, say how long the whole takes, unless that was the last."""
        if self.predicted is not None or self._first + AFTER >= self._work.steps:
            return
        self._seconds.append(self._clock() - self._step)
        if len(self._seconds) == AFTER:
            self._predict(self._first + AFTER)

    def _predict(self, done: int) -> None:
        pace: Pace = paced(self._work.step_tokens[self._first :], self._seconds, compiled=self._compiled)
        left = pace.training(self._work, done=done) + pace.test(self._work)
        self.predicted = self._clock() - self._run + left
        whole, rest = duration(self.predicted), duration(left)
        _log.info("After %d steps: about %s in all, of which %s are left", AFTER, whole, rest)
