"""Train from Python what a command would train: a recipe, presets, and whatever else differs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from adapterkit import presets
from adapterkit.base.quiet import quiet_libraries
from adapterkit.config.compose import compose_recipe, composing

if TYPE_CHECKING:
    from adapterkit.workflows.train import TrainOutcome


def train_recipe(
    recipe: str | None = None,
    *,
    adapter: presets.AdapterPreset | str | None = None,
    trainer: presets.TrainerPreset | str | None = None,
    registry: str | os.PathLike[str] | None = None,
    overrides: Sequence[str] = (),
    config_dir: str | None = None,
    outputs: str | Path = "outputs",
) -> TrainOutcome:
    """Compose a training and train it; a missing parent first, when its recipe is known.

    The manifest records the command that comes to the same, so that `status`, `rebuild` and `reproduce` know it. What
    that command prints, the estimate first, goes to the logger `adapterkit`; to see it:
    `logging.basicConfig(level=logging.INFO, format="%(message)s")`.

    Args:
        recipe: a file in `recipes/recipe/`, or in your own `config_dir`; null: a plain training.
        adapter: a preset, or the name of one; null: the recipe's.
        trainer: a preset, or the name of one; null: the recipe's.
        registry: the folder of published adapters; None: what `overrides` say, `$ADAPTERKIT_REGISTRY` or `adapters`.
        overrides: whatever else a command may say, such as `data=chat` or `resume=auto`.
        config_dir: a folder of your own configs.
        outputs: where run directories go.

    Returns:
        `artifact`, the published adapter; `trained`, which is False when it was there already; and `test`, the paired
        change of the test loss, or None without test rows.

    Raises:
        TrainingInterrupted: SIGTERM or Ctrl-C came. It is a KeyboardInterrupt; the same call with `resume=auto` among
            its overrides goes on.
        UsageError: a preset, a recipe or a key is unknown, or a value cannot be used.
        AdapterKitError: as `workflows.train.train`; nothing is published then.
    """
    quiet_libraries()
    # Brings PEFT and bitsandbytes, which are told to be quiet.
    from adapterkit.workflows.train import train

    with composing():
        found = presets.compose(
            recipe, adapter=adapter, trainer=trainer, overrides=overrides, config_dir=config_dir, outputs=outputs
        )
        if registry is not None:
            # A place, and no part of the command that is recorded.
            found.config.registry = os.fspath(registry)
        return train(found.config, asked=found.asked, compose_parent=compose_recipe)
