"""Freed memory goes back to the system before it piles up: batches of many sizes leave holes of many sizes."""

from __future__ import annotations

from typing import Any

from transformers import TrainerCallback

from adapterkit.base.heap import peak_memory, release_freed, resident_memory

# Giving everything back costs the next step some tenths of a second, so it is done when it is worth it.
_GROWN = 1.05


class ReleaseFreed(TrainerCallback):
    """Returns freed memory once the process holds more than at the peak of its first step, which is the largest."""

    def __init__(self) -> None:
        """No step was taken yet."""
        self._first: int | None = None

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Look how much is held."""
        held = resident_memory()
        if self._first is None or held is None:
            self._first = peak_memory()
        elif held > _GROWN * self._first:
            release_freed()
