"""From Hydra's composed config to the typed one, and from a recipe's name to the config it stands for."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from hydra import compose
from hydra.core.hydra_config import HydraConfig
from hydra.errors import MissingConfigException
from omegaconf import DictConfig, MissingMandatoryValue, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from adapterkit.config.schema import TrainConfig
from adapterkit.errors import UsageError

# What a parent trained on the way shares with its child; its own name, shape and training come from its recipe.
_INHERITED = ("model", "quantization", "data", "registry", "device", "tracking", "seed")
# Sizes of a child's splits are the child's: a parent keeps its recipe's.
_CHILDS_OWN = ("data.max_train_rows", "data.max_validation_rows", "data.max_test_rows")


def typed(config: DictConfig) -> TrainConfig:
    """The typed form of a composed config; interpolations resolved.

    Raises:
        UsageError: a mandatory key is missing or an interpolation fails.
    """
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
    given = HydraConfig.get().overrides.task
    inherited = [
        override
        for override in given
        if _key(override).split(".")[0] in _INHERITED and _key(override) not in _CHILDS_OWN
    ]
    try:
        # The default asks Hydra's running job, which is the child's.
        composed = compose("train", [f"+recipe={recipe}", *inherited, "output_dir=''"])
    except MissingConfigException:
        return None
    config = typed(composed)
    outputs = Path(child.output_dir).parent.parent
    config.output_dir = str(outputs / config.name / Path(child.output_dir).name)
    return config


def _key(override: str) -> str:
    return override.partition("=")[0].lstrip("+~")


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
