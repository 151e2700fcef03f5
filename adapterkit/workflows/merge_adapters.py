"""Merge from Python what a command would merge: published adapters, a method, and whatever else differs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from adapterkit.base.quiet import quiet_libraries
from adapterkit.config.asked import quoted
from adapterkit.config.compose import compose_merge, composing
from adapterkit.config.outcome import as_usage_error
from adapterkit.config.run_folder import run_folder
from adapterkit.names import AdapterRef

if TYPE_CHECKING:
    from adapterkit.workflows.merge import MergeOutcome


def merge_adapters(
    adapters: Sequence[str | AdapterRef] = (),
    *,
    recipe: str | None = None,
    method: str | None = None,
    weights: Sequence[float] | str | None = None,
    name: str | None = None,
    registry: str | os.PathLike[str] | None = None,
    overrides: Sequence[str] = (),
    config_dir: str | Path | None = None,
    outputs: str | Path = "outputs",
) -> MergeOutcome:
    """Merge published adapters of one base into one, and publish it with its evidence.

    What the command prints goes to the logger `adapterkit`, as with `train_recipe`.

    Args:
        adapters: what is merged, by ref; empty: what the recipe merges.
        recipe: a file in `recipes/merge/`, or in your own `config_dir`; None: a plain merge.
        method: a file in `conf/method/`, such as `ties` or `slerp`; None: the recipe's, or `weighted`.
        weights: one for each adapter, or `performance`; None: the recipe's, or equal ones that add up to 1.
        name: of the result; None: the recipe's, or the sources' names.
        registry: the folder of published adapters; `$ADAPTERKIT_REGISTRY` or `adapters` when not given.
        overrides: whatever else a command may say, such as `density=0.3` or `held_out.max_rows=20`; goes last.
        config_dir: a folder of your own configs.
        outputs: where run directories go.

    Returns:
        `artifact`, the published adapter, and `merged`, which is False when it was there already.

    Raises:
        UsageError: a recipe, a method or a key is unknown, or a value cannot be used.
        AdapterKitError: as `workflows.merge.merge`; nothing is published then.
    """
    quiet_libraries()
    from adapterkit.workflows.merge import merge

    words = [f"+merge={recipe}"] if recipe is not None else []
    # A file of a group is named bare: Hydra takes no quotes there.
    words += [f"method={method}"] if method is not None else []
    given = {
        "adapters": [str(ref) for ref in adapters] or None,
        "weights": weights,
        "name": name,
        "registry": None if registry is None else os.fspath(registry),
    }
    words += [f"{key}={quoted(value)}" for key, value in given.items() if value is not None]
    with composing(), as_usage_error():
        config = compose_merge([*words, *overrides], Path(config_dir) if config_dir is not None else None)
    config.output_dir = str(run_folder(outputs, config.full_name))
    return merge(config)
