"""What the types of a config cannot say: the range of every number, before anything is read or loaded."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from adapterkit.config.choices import check_choices
from adapterkit.config.schedules import check_schedule
from adapterkit.config.schema import AdapterConfig, TrainConfig
from adapterkit.config.told import check_told
from adapterkit.errors import UsageError
from adapterkit.names import as_name

_Rule = tuple[str, Callable[[Any], bool]]
_WHOLE: _Rule = ("a whole number from 1 on", lambda value: value >= 1)
_WHOLE_OR_NULL: _Rule = ("a whole number from 1 on, or null", lambda value: value is None or value >= 1)
_POSITIVE: _Rule = ("a number above 0", lambda value: 0 < value < math.inf)
_POSITIVE_OR_NULL: _Rule = ("a number above 0, or null", lambda value: value is None or 0 < value < math.inf)
_NOT_NEGATIVE: _Rule = ("a number from 0 on", lambda value: 0 <= value < math.inf)
_SHARE: _Rule = ("a number from 0 to below 1", lambda value: 0 <= value < 1)
_RULES: dict[str, _Rule] = {
    "seed": ("a whole number from 0 to 4294967295", lambda value: 0 <= value < 2**32),
    "adapter.r": _WHOLE,
    "adapter.lora_alpha": _POSITIVE,
    "adapter.lora_dropout": _SHARE,
    "adapter.epochs": _POSITIVE,
    "adapter.learning_rate": _NOT_NEGATIVE,
    "adapter.max_steps": _WHOLE_OR_NULL,
    "adapter.max_artifact_mb": _POSITIVE_OR_NULL,
    "budget.max_artifact_mb": (
        "a number of MB (10^6 bytes) above 0, or null for no limit",
        lambda value: value is None or 0 < value < math.inf,
    ),
    "data.max_length": _WHOLE,
    "data.max_train_rows": _WHOLE_OR_NULL,
    "data.max_validation_rows": _WHOLE_OR_NULL,
    "data.max_test_rows": _WHOLE_OR_NULL,
    "data.max_bad_ratio": _SHARE,
    "data.replay_share": _SHARE,
    "data.rows": _WHOLE,
    "data.seed": _NOT_NEGATIVE,
    "trainer.epochs": _POSITIVE,
    "trainer.max_steps": ("-1 (until the epochs are through) or a whole number from 1 on", lambda v: v == -1 or v >= 1),
    "trainer.step_limit": _WHOLE_OR_NULL,
    "trainer.learning_rate": _NOT_NEGATIVE,
    "trainer.batch_size": _WHOLE,
    "trainer.gradient_accumulation_steps": _WHOLE,
    "trainer.warmup_ratio": _SHARE,
    "trainer.weight_decay": _NOT_NEGATIVE,
    "trainer.max_grad_norm": _NOT_NEGATIVE,
    "trainer.logging_steps": _WHOLE,
    "trainer.eval_steps": _NOT_NEGATIVE,
    "trainer.save_steps": _NOT_NEGATIVE,
    "trainer.keep_checkpoints": _WHOLE,
    "trainer.early_stopping_patience": _WHOLE_OR_NULL,
    "trainer.loraplus_lr_ratio": _POSITIVE_OR_NULL,
}


def check_values(config: TrainConfig) -> None:
    """Demand that every number is one that a training can use.

    Raises:
        UsageError: one is not, or a start would rewrite the base; the message names the key and what it takes.
        UnknownNameError: there is no such schedule, or no such choice of another key.
    """
    for key, (takes, fits) in _RULES.items():
        value: Any = config
        for part in key.split("."):
            value = getattr(value, part)
        if not fits(value):
            raise UsageError(f"{key}={value} cannot be used: it takes {takes}.")
    if config.persona is not None and config.name == config.data.unified:
        raise UsageError(
            f"'{config.name}' is what all voices of this data share, so it takes no persona. Leave persona out, or "
            f"train the one voice as an adapter of its own: name=persona_{as_name(config.persona)}"
        )
    if config.resume not in ("auto", "never") and not Path(config.resume).is_dir():
        raise UsageError(
            f"resume={config.resume} is not a folder. Write resume=auto, resume=never or a checkpoint-N folder."
        )
    check_told(config)
    if not _are_targets(config.adapter):
        raise UsageError(
            f"adapter.target_modules={config.adapter.target_modules} cannot be used: it takes all-linear, a module's "
            "name or role, or a list of these, such as [attention,down_proj]."
        )
    check_choices(config)
    check_schedule(config.trainer)


def _are_targets(adapter: AdapterConfig) -> bool:
    if not isinstance(adapter.target_modules, str | list | tuple):
        return False
    names: list[Any] = adapter.targets
    return bool(names) and all(isinstance(name, str) and name for name in names)
