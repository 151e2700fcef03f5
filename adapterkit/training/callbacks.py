"""Small parts that watch a training: the metric history, and what a person sees."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm
from transformers import TrainerCallback
from transformers.integrations import TensorBoardCallback

_log = logging.getLogger(__name__)

_SHOWN = {"loss": "loss", "eval_loss": "validation loss"}


class HistoryCallback(TrainerCallback):
    """Appends every logged metric to a JSONL file, one object a line, as it comes."""

    def __init__(self, path: Path) -> None:
        """Write to one file; an existing one is continued."""
        self._path = path
        self._started = time.monotonic()

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **_: Any) -> None:
        """Append one line: step, seconds since the start, and the metrics."""
        line = {"step": state.global_step, "seconds": round(time.monotonic() - self._started, 3), **(logs or {})}
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


class EarlyStopping(TrainerCallback):
    """Ends a training after so many evaluations in a row without a lower validation loss.

    It counts in the history of the training, which every checkpoint holds: a resumed one stops where it would have.
    """

    def __init__(self, patience: int) -> None:
        """Wait for so many evaluations."""
        self._patience = patience

    def on_evaluate(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Stop when the patience is at an end, and save, so that nobody trains this again."""
        if self._exhausted(state):
            control.should_training_stop = control.should_save = True

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Stop at once where the training that is resumed had stopped."""
        control.should_training_stop = self._exhausted(state)

    def _exhausted(self, state: Any) -> bool:
        losses = [entry["eval_loss"] for entry in state.log_history if "eval_loss" in entry]
        return bool(losses) and len(losses) - 1 - losses.index(min(losses)) >= self._patience


class LastLoss(TrainerCallback):
    """Logs the last step, so that the loss of a training is that of all its steps, however many are logged at once."""

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Log what was not logged yet."""
        control.should_log |= state.global_step >= state.max_steps


class ProgressCallback(TrainerCallback):
    """A progress bar on a terminal; into a pipe or a file, one line for every logged metric instead."""

    def __init__(self) -> None:
        """Draw nothing yet."""
        self._bar: tqdm[Any] | None = None
        self._shown: dict[str, str] = {}

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Start the bar, at the step that a resumed training goes on from."""
        self._bar = tqdm(total=state.max_steps, initial=state.global_step, unit="step", disable=not sys.stderr.isatty())

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Move the bar."""
        if self._bar is not None:
            self._bar.update(1)

    def on_log(self, args: Any, state: Any, control: Any, logs: Mapping[str, float] | None = None, **_: Any) -> None:
        """Show the training or validation loss just logged."""
        shown = {word: f"{logs[key]:.3f}" for key, word in _SHOWN.items() if logs and key in logs}
        if not shown:
            return
        self._shown |= shown
        if self._bar is not None and not self._bar.disable:
            self._bar.set_postfix(self._shown)
        else:
            _log.info(
                "  step %d of %d: %s", state.global_step, state.max_steps, ", ".join(map(" ".join, shown.items()))
            )

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Leave the bar as it stands."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def tensorboard_callback(directory: Path) -> TensorBoardCallback:
    """TensorBoard's callback, writing into the run's `tensorboard/`."""
    return TensorBoardCallback(SummaryWriter(log_dir=str(directory)))
