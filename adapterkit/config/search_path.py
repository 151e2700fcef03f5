"""Make Hydra know our schema and our recipes, without a `hydra_plugins` folder and without instantiating anything."""

from __future__ import annotations

from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import OmegaConf

from adapterkit.config.locate import config_root
from adapterkit.config.schema import TrainConfig
from adapterkit.names import as_name


class RecipesSearchPath(SearchPathPlugin):
    """Appends `recipes/` behind `conf/`, so that `+recipe=NAME` finds `recipes/recipe/NAME.yaml`."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Append the folder; a user's own `--config-dir` comes behind it, and must not repeat its names."""
        search_path.append("adapterkit-recipes", f"file://{config_root() / 'recipes'}")


def register() -> None:
    """Register schema, search path and `${as_name:...}` with Hydra; calling it again changes nothing."""
    OmegaConf.register_new_resolver("as_name", lambda value: as_name(str(value)), replace=True)
    ConfigStore.instance().store(name="train_schema", node=TrainConfig)
    Plugins.instance().register(RecipesSearchPath)
