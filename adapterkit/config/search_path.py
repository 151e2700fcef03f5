"""Make Hydra know our schema and our recipes, without a `hydra_plugins` folder and without instantiating anything."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import OmegaConf

from adapterkit.config.door_help import door_help
from adapterkit.config.locate import config_root
from adapterkit.config.merge_schema import MergeConfig
from adapterkit.config.schema import TrainConfig
from adapterkit.names import as_name


class RecipesSearchPath(SearchPathPlugin):
    """Appends `recipes/` behind `conf/`, so that `+recipe=NAME` finds `recipes/recipe/NAME.yaml`."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Append the folder; a user's own `--config-dir` comes behind it, and must not repeat its names."""
        search_path.append("adapterkit-recipes", f"file://{config_root() / 'recipes'}")


def register() -> None:
    """Register schemas, search path, and the resolvers that `conf/` uses; calling it again changes nothing."""
    OmegaConf.register_new_resolver("as_name", lambda value: as_name(str(value)), replace=True)
    OmegaConf.register_new_resolver("folder_name", _folder_name, replace=True)
    OmegaConf.register_new_resolver("names_of", _names_of, replace=True)
    OmegaConf.register_new_resolver("door_help", door_help, replace=True)
    ConfigStore.instance().store(name="train_schema", node=TrainConfig)
    ConfigStore.instance().store(name="merge_schema", node=MergeConfig)
    Plugins.instance().register(RecipesSearchPath)


def _folder_name(path: object) -> str:
    """What a folder is called, as a name may be: `packs/Dance Pop/` is `dance_pop`; of none it is `pack`."""
    return (as_name(Path(str(path)).absolute().name) if path is not None else "") or "pack"


def _names_of(refs: Iterable[object]) -> str:
    """The names of several adapters as one: `coder@1.0.0` and `security` are `coder_security`."""
    return as_name("_".join(str(ref).partition("@")[0] for ref in refs)) or "merged"
