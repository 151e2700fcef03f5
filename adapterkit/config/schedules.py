"""The schedules of a learning rate, and which settings each of them takes."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any

from adapterkit.config.schema import TrainerConfig
from adapterkit.errors import UnknownNameError, UsageError
from adapterkit.names import nearest

# transformers' schedules that can do without settings, and ours.
EXPONENTIAL = "exponential"
_TAKEN: Mapping[str, tuple[str, ...]] = {
    "linear": (),
    "cosine": ("num_cycles",),
    "cosine_with_restarts": ("num_cycles",),
    "polynomial": ("power", "lr_end"),
    "constant": (),
    "constant_with_warmup": (),
    "inverse_sqrt": ("timescale",),
    EXPONENTIAL: (),
}
SCHEDULERS = tuple(_TAKEN)
_RULES: Mapping[str, tuple[str, Callable[[Any], bool]]] = {
    "num_cycles": ("a number above 0", lambda value: 0 < value < math.inf),
    "power": ("a number above 0", lambda value: 0 < value < math.inf),
    "lr_end": ("a rate from 0 on, below trainer.learning_rate", lambda value: 0 <= value < math.inf),
    "timescale": ("a whole number of steps from 1 on", lambda value: value >= 1),
}


def schedule_settings(config: TrainerConfig) -> dict[str, Any]:
    """What is said to the schedule."""
    return {key: value for key, value in dataclasses.asdict(config.lr_scheduler_kwargs).items() if value is not None}


def check_schedule(config: TrainerConfig) -> None:
    """Demand a schedule that exists, with settings that it takes.

    Raises:
        UsageError: it does not take one of them, or not this value.
        UnknownNameError: there is no such schedule.
    """
    name = config.lr_scheduler
    if name not in _TAKEN:
        known = f"Any of {', '.join(SCHEDULERS)} will do."
        raise UnknownNameError("trainer.lr_scheduler", name, nearest(name, SCHEDULERS), hint=known)
    for key, value in schedule_settings(config).items():
        said = f"trainer.lr_scheduler_kwargs.{key}={value}"
        if key not in _TAKEN[name]:
            takes = ", ".join(_TAKEN[name]) or "nothing"
            raise UsageError(f"{said} cannot be used: trainer.lr_scheduler={name} takes {takes}.")
        rule, fits = _RULES[key]
        if not fits(value):
            raise UsageError(f"{said} cannot be used: it takes {rule}.")
        if key == "lr_end" and value >= config.learning_rate:
            raise UsageError(f"{said} is not below trainer.learning_rate={config.learning_rate}, from which it falls.")
        if key == "num_cycles" and name == "cosine_with_restarts" and value % 1:
            raise UsageError(f"{said} cannot be used: restarts are counted, so it takes a whole number from 1 on.")
