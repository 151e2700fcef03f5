"""Named choices of a training, and why some that PEFT offers are refused before anything is loaded."""

from __future__ import annotations

from collections.abc import Mapping

from adapterkit.config.schema import TrainConfig
from adapterkit.errors import UnknownNameError, UsageError
from adapterkit.names import nearest

ADAMW, DEFAULT, GAUSSIAN, EVA = "adamw", "default", "gaussian", "eva"

# Ours -> transformers' name. The default is transformers' own default, and is not said.
OPTIMIZERS: Mapping[str, str | None] = {
    ADAMW: None,
    "adamw_8bit": "adamw_8bit",
    "paged_adamw": "paged_adamw_32bit",
    "paged_adamw_8bit": "paged_adamw_8bit",
    "sgd": "sgd",
}
# What becomes of a row that is too long, that cannot be used, or that is nearly another one.
ERROR, DROP, TRUNCATE_PROMPT, QUARANTINE, WARN, IGNORE = (
    "error", "drop", "truncate_prompt", "quarantine", "warn", "ignore",
)  # fmt: skip
ON_LONG_ROW = (ERROR, DROP, TRUNCATE_PROMPT)
ON_BAD_ROW = (ERROR, QUARANTINE)
NEAR_DUPLICATES = (WARN, ERROR, DROP, IGNORE)
# An adapter is trained in float32.
STORED = ("float32", "bfloat16")
STARTS = (DEFAULT, GAUSSIAN, EVA)
# What each would leave in the place of the frozen weight W as the adapter is made.
_REWRITES = {
    "pissa": "W less its largest singular directions, which go into the adapter",
    "olora": "W less the product of the adapter's own start, taken from a QR of W",
    "corda": "W less the directions that matter most for sampled data",
    "loftq": "another quantization of W, chosen together with the adapter",
    "lora_ga": "W less the product of the adapter's own start, taken from its first gradient",
}
_INSTEAD = {
    "corda": "adapter.init_lora_weights=eva, which also looks at the data and starts from the same base",
    "lora_ga": "adapter.init_lora_weights=eva, which also looks at the data and starts from the same base",
    "loftq": "quantization=nf4 with adapter.init_lora_weights=default, as QLoRA does",
}
_OTHERWISE = "adapter.init_lora_weights=eva (it looks at the data), gaussian or default"


def check_choices(config: TrainConfig) -> None:
    """Demand choices that exist, and one start, which leaves the base alone.

    Raises:
        UsageError: the start rewrites the base, or there are two starts.
        UnknownNameError: there is no such optimizer or start, no such way with rows, or no such dtype to store in.
    """
    _require_known("trainer.optimizer", config.trainer.optimizer, tuple(OPTIMIZERS))
    _require_known("adapter.dtype", config.adapter.dtype, STORED)
    _require_known("data.on_long_row", config.data.on_long_row, ON_LONG_ROW)
    _require_known("data.on_bad_row", config.data.on_bad_row, ON_BAD_ROW)
    _require_known("data.near_duplicates", config.data.near_duplicates, NEAR_DUPLICATES)
    start = config.adapter.init_lora_weights
    if rewriting := next((name for name in _REWRITES if start.startswith(name)), None):
        raise UsageError(
            f"adapter.init_lora_weights={start} would rewrite the base: every layer would hold "
            f"{_REWRITES[rewriting]}. Siblings and parents share the base as it was published, so it must not change. "
            f"Use {_INSTEAD.get(rewriting, _OTHERWISE)}."
        )
    _require_known("adapter.init_lora_weights", start, STARTS)
    if config.incremental and start != DEFAULT:
        raise UsageError(
            f"incremental=true starts from the weights of an earlier version, and adapter.init_lora_weights={start} "
            "from other ones: only one of the two can be. To go on from the version: adapter.init_lora_weights="
            f"{DEFAULT}. To train afresh, on all of the data: incremental=false, and without trainer=incremental."
        )


def _require_known(key: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise UnknownNameError(key, value, nearest(value, known), hint=f"Any of {', '.join(known)} will do.")
