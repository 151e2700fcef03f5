"""SIGTERM, or Ctrl-C once: a training stops after the step under way, saved, to be resumed. Ctrl-C twice: at once."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from transformers import TrainerCallback


class TrainingInterrupted(KeyboardInterrupt):
    """A training stopped because it was asked to, and was saved. Ends a whole sweep, as Ctrl-C does.

    Attributes:
        step: the last optimizer step that was taken.
        checkpoint: where it goes on from.
    """

    def __init__(self, step: int, checkpoint: Path) -> None:
        self.step, self.checkpoint = step, checkpoint
        super().__init__(f"stopped after step {step}, and saved in {checkpoint}")


class Stopping(TrainerCallback):
    """Saves and ends a training at the end of the optimizer step, or of the evaluation, in which a signal came.

    Args:
        alone: whether to stop for a signal that came here; one of several ranks stops when it is told that all do.

    Attributes:
        heard: whether a signal came to this process.
        asked: whether to stop.
    """

    def __init__(self, *, alone: bool = True) -> None:
        """Nobody has asked yet."""
        self._alone = alone
        self.heard = self.asked = False

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Save and stop, once asked."""
        if self.asked:
            control.should_save = control.should_training_stop = True

    def on_evaluate(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """The same, where it came during an evaluation, which comes after the end of its step."""
        self.on_step_end(args, state, control)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take signals while a training runs; only the main thread is given any."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self._hear) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _hear(self, number: int, _frame: FrameType | None) -> None:
        if self.heard and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.heard = True
        self.asked = self.asked or self._alone
        leave = " Ctrl-C once more leaves at once." if number == signal.SIGINT else ""
        # The signal may come in the middle of a print, and Python's own streams cannot be entered twice.
        os.write(2, f"\nStopping after this step, or evaluation, which is saved then.{leave}\n".encode())
