"""Freed memory goes back to the system before it piles up: batches of many sizes leave holes of many sizes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from transformers import TrainerCallback

from adapterkit.base.heap import peak_memory, release_freed, resident_memory

# Giving everything back costs the next step some tenths of a second, so it is done when it is worth it.
_GROWN = 1.05


class ReleaseFreed(TrainerCallback):
    """Returns freed memory once the process holds more than at the peak of its first step, which is the largest."""

    def __init__(self, rest: Callable[[], None] | None = None) -> None:
        """No step was taken yet.

        Args:
            rest: lets go of what steps use again and again; called before an evaluation, whose logits need the room.
        """
        self._first: int | None = None
        self._rest = rest

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Look how much is held, and whether anything but a step comes next."""
        if self._rest and (control.should_evaluate or control.should_training_stop):
            self._rest()
        held = resident_memory()
        if self._first is None or held is None:
            self._first = peak_memory()
        elif held > _GROWN * self._first:
            release_freed()
