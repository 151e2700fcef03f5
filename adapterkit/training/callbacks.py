"""Small parts that watch a training: the guard before every step, and the metric history."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from torch.utils.tensorboard import SummaryWriter
from transformers import TrainerCallback
from transformers.integrations import TensorBoardCallback

from adapterkit.stack.adapter_stack import AdapterStack


class GuardCallback(TrainerCallback):
    """Demands the exact trainable set before every optimizer step."""

    def __init__(self, stack: AdapterStack) -> None:
        """Watch one stack."""
        self._stack = stack

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Stop the training when anything but the trainee would be stepped.

        Raises:
            TrainableSetError: the trainable set is not the trainee's.
        """
        self._stack.require_trainable_set()


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


def tensorboard_callback(directory: Path) -> TensorBoardCallback:
    """TensorBoard's callback, writing into the run's `tensorboard/`."""
    return TensorBoardCallback(SummaryWriter(log_dir=str(directory)))
