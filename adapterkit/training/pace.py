"""Tokens a second while training: evaluations, checkpoints and pauses between steps are not counted."""

from __future__ import annotations

import time
from typing import Any

from transformers import TrainerCallback


class Pace(TrainerCallback):
    """Measures the time inside optimizer steps, from the first of its batches to its end."""

    def __init__(self) -> None:
        """Nothing was trained yet."""
        self._began, self._seconds, self._told = 0.0, 0.0, 0

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Start the clock."""
        self._began = time.perf_counter()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Stop the clock."""
        self._seconds += time.perf_counter() - self._began

    def added_to(self, logs: dict[str, float], tokens_seen: int) -> dict[str, float]:
        """The metrics, with `tokens_per_second` where they tell a training loss.

        Args:
            logs: what is about to be logged.
            tokens_seen: tokens trained on so far by this process, padding not counted.
        """
        if "loss" not in logs or self._seconds == 0.0:
            return logs
        pace = (tokens_seen - self._told) / self._seconds
        self._seconds, self._told = 0.0, tokens_seen
        return {**logs, "tokens_per_second": round(pace, 1)}
