"""From Hydra's composed config to the typed one, and from a recipe's name to the config it stands for."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from hydra import compose
from hydra.errors import MissingConfigException
from omegaconf import DictConfig, MissingMandatoryValue, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from adapterkit.config.schema import TrainConfig
from adapterkit.errors import UsageError
from adapterkit.names import as_name

# What a parent trained on the way shares with its child; its own name, shape and training come from its recipe.
_INHERITED = ("model", "quantization", "data", "registry", "device", "tracking", "seed")
# Of the data, how many rows of each split are taken is the recipe's.
_SIZES = ("max_train_rows", "max_validation_rows", "max_test_rows")


def typed(config: DictConfig) -> TrainConfig:
    """The typed form of a composed config; interpolations resolved.

    Raises:
        UsageError: a mandatory key is missing, an interpolation fails, or a recipe of one voice was given none.
    """
    if OmegaConf.is_interpolation(config, "persona") and config.persona is None:
        raise UsageError("This recipe trains one voice, and this data proposes none: say whose with persona=NAME.")
    try:
        return cast(TrainConfig, OmegaConf.to_object(config))
    except MissingMandatoryValue as error:
        raise UsageError(f"A mandatory key has no value: {_first_line(error)} Set it on the command line.") from error
    except OmegaConfBaseException as error:
        raise UsageError(_first_line(error)) from error


def compose_recipe(recipe: str, child: TrainConfig) -> TrainConfig | None:
    """The config of the recipe that trains a missing parent, with the child's base, data and registry.

    Args:
        recipe: name of a file in `recipes/recipe/`, or in the user's own `--config-dir`.
        child: the training that needs the parent.

    Returns:
        None when there is no such recipe.
    """
    try:
        # The default of output_dir asks Hydra's running job, which is the child's.
        composed = compose("train", [f"+recipe={recipe}", "output_dir=''"])
    except MissingConfigException:
        return None
    sizes = {size: composed.data[size] for size in _SIZES}
    for key in _INHERITED:
        composed[key] = getattr(child, key)
    composed.data.update(sizes)
    config = typed(composed)
    config.resume = child.resume if child.resume in ("auto", "never") else "never"
    config.output_dir = str(_beside(Path(child.output_dir), child.name + child.suffix, config.name))
    return config


def _beside(run: Path, child: str, parent: str) -> Path:
    """`outputs/<parent>/<time>` for a child in `outputs/<child>/<time>`; below a run directory that the user chose."""
    return run.parent.parent / parent / run.name if run.parent.name == as_name(child) else run / parent


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
