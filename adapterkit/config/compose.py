"""From Hydra's composed config to the typed one, and from a recipe's name to the config it stands for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, cast

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import MissingConfigException
from hydra.types import RunMode
from omegaconf import DictConfig, MissingMandatoryValue, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from adapterkit.config.asked import MERGE, PRIMARY, Asked, asked_for, in_quotes, leaf_overrides
from adapterkit.config.literal import literal
from adapterkit.config.locate import config_root
from adapterkit.config.meant import keys_like
from adapterkit.config.merge_schema import MergeConfig
from adapterkit.config.schema import TrainConfig
from adapterkit.config.search_path import register
from adapterkit.errors import MissingKeyError, UnknownNameError, UsageError
from adapterkit.names import as_name
from adapterkit.texts import first_line_of

# What a parent trained on the way shares with its child; its own name, shape and training come from its recipe.
_INHERITED = ("model", "quantization", "data", "registry", "device", "tracking", "seed")
# Of the data, how many rows of each split are taken is the recipe's, and so is of which style and with what changed.
_ITS_OWN = ("max_train_rows", "max_validation_rows", "max_test_rows", "style", "augment")
# Among what is inherited, what changes the result.
_RECORDED = ("model", "quantization", "data", "seed")
_OF_A_PERSONA = ("name", "suffix", "persona", "description", "intended_use", "tags", "custom", "output_dir")
_NAMES_A_PERSONA = re.compile(r"\$\{[^}]*\b(persona|name|suffix|description|tags)\b")
_PART = re.compile(r"\$\{\.?([A-Za-z_][A-Za-z0-9_.]*)\}")
_SCHEMA_NODE = "train_schema"


def typed(config: DictConfig) -> TrainConfig:
    """The typed form of a composed config; interpolations resolved.

    Raises:
        MissingKeyError: a recipe of one voice was given none, or the name is made of a key that is null.
        UsageError: a mandatory key is missing, or an interpolation fails.
    """
    if OmegaConf.is_interpolation(config, "persona") and config.persona is None:
        told = "This recipe trains one voice, and this data proposes none: say whose with persona=NAME."
        raise MissingKeyError("persona", told)
    _require_whole_names(config)
    return cast(TrainConfig, _object_of(config, "train"))


def typed_merge(config: DictConfig) -> MergeConfig:
    """The typed form of a merge's composed config; raises what `typed` raises."""
    _require_whole_names(config)
    return cast(MergeConfig, _object_of(config, "merge"))


def _object_of(config: DictConfig, door: str) -> Any:
    try:
        found = OmegaConf.to_object(config)
    except MissingMandatoryValue as error:
        raise UsageError(f"A mandatory key has no value: {first_line_of(error)} Set it on the command line.") from error
    except OmegaConfBaseException as error:
        raise UsageError(first_line_of(error)) from error
    _require_known(found, door)
    return found


def _require_known(found: Any, door: str, prefix: str = "") -> None:
    """Refuse a key that only a `+` could bring in, such as a misspelt `+recipie=unified`: nothing would look at it."""
    known = [field.name for field in fields(found)]
    for name, value in vars(found).items():
        if name not in known:
            close = keys_like(prefix + name, door)
            raise UnknownNameError("key", prefix + name, close, hint="A + in front is for recipes alone.")
        if is_dataclass(value):
            _require_known(value, door, f"{prefix}{name}.")


def asked_of_job(config: TrainConfig) -> Asked:
    """How the running Hydra job was asked for.

    Args:
        config: what the job was composed to.
    """
    job = HydraConfig.get()
    arguments = list(job.overrides.task)
    own = [source.path for source in job.runtime.config_sources if source.provider == "command-line"]
    config_dir = _relative(Path(own[0])) if own else None
    return asked_for(arguments, _files([*arguments, *_search(config_dir)]), config_dir=config_dir, suffix=config.suffix)


@contextmanager
def composing() -> Iterator[None]:
    """Make recipes composable outside a Hydra job."""
    register()
    with initialize_config_dir(version_base="1.3", config_dir=str(config_root() / "conf")):
        yield


@dataclass(frozen=True)
class Composition:
    """What an earlier training's command comes to now.

    Attributes:
        config: the config.
        asked: the command, with the config files that take part now.
        shared: whether the config is the same for every persona, names and descriptions aside.
    """

    config: TrainConfig
    asked: Asked
    shared: bool


def compose_asked(asked: Asked) -> Composition:
    """Compose an earlier training's command again; inside `composing`.

    Raises:
        HydraException: the recipe, or a key, is not there any more.
        UsageError: as `typed`; or the folder of configs is not there any more.
    """
    arguments = [*asked.command, *_search(asked.config_dir)]
    composed = _composed(PRIMARY, arguments)
    plain = cast(dict[str, Any], OmegaConf.to_container(composed, resolve=False))
    told = str([value for key, value in plain.items() if key not in _OF_A_PERSONA])
    shared = not _NAMES_A_PERSONA.search(told)
    now = asked_for(asked.command, _files(arguments), config_dir=asked.config_dir)
    return Composition(typed(composed), now, shared)


def compose_command(words: Sequence[str], config_dir: Path | None = None) -> tuple[TrainConfig, Asked]:
    """The config that a training's command line means, and how it is asked for; inside `composing`.

    Args:
        words: overrides in Hydra's grammar, as one writes them behind `adapterkit train`.
        config_dir: the user's own folder of configs.

    Raises:
        HydraException: a word is no override, or there is no such recipe, group or key.
        UsageError: as `typed`; or there is no such folder of configs.
    """
    own = _own(config_dir)
    arguments = [*words, *_search(own)]
    config = typed(_composed(PRIMARY, arguments))
    return config, asked_for(words, _files(arguments), config_dir=own, suffix=config.suffix)


def compose_merge(words: Sequence[str], config_dir: Path | None = None) -> MergeConfig:
    """The config that a merge's command line means; inside `composing`. Arguments and errors as `compose_command`."""
    return typed_merge(_composed(MERGE, [*words, *_search(_own(config_dir))]))


def _composed(primary: str, arguments: Sequence[str]) -> DictConfig:
    # The default of output_dir asks Hydra's running job, and there is none.
    return compose(primary, [*arguments, "output_dir=''"])


def compose_recipe(recipe: str, child: TrainConfig, asked: Asked) -> tuple[TrainConfig, Asked] | None:
    """The config of the recipe that trains a missing parent, with the child's base, data and registry.

    Args:
        recipe: name of a file in `recipes/recipe/`, or in the user's own `--config-dir`.
        child: the training that needs the parent.
        asked: how that was asked for.

    Returns:
        The config and how it would be asked for on its own; None when there is no such recipe.

    Raises:
        UsageError: as `typed`.
    """
    arguments = [f"+recipe={recipe}"]
    try:
        # The default of output_dir asks Hydra's running job, which is the child's.
        composed = _composed(PRIMARY, [*arguments, *_search(asked.config_dir)])
    except MissingConfigException:
        return None
    plain = _plain(typed(composed))
    own = {key: plain["data"][key] for key in _ITS_OWN}
    inherited = asdict(child)
    for key in _INHERITED:
        OmegaConf.update(composed, key, literal(inherited[key]))
    composed.data.update(own)
    if composed.tracking.registered_model is not None:
        # The child's model takes no versions of its parent.
        composed.tracking.registered_model = "auto"
    config = typed(composed)
    config.resume = child.resume if child.resume in ("auto", "never") else "never"
    config.output_dir = str(_beside(Path(child.output_dir), child.full_name, config.name))
    arguments += leaf_overrides(_plain(config), plain)
    files = _files([*arguments[:1], *_search(asked.config_dir)])
    return config, asked_for(arguments, files, config_dir=asked.config_dir)


def _plain(config: TrainConfig) -> dict[str, Any]:
    """The part of a config that a parent's recipe and its child both have a say in."""
    whole = asdict(config)
    return {key: whole[key] for key in _RECORDED}


def _files(arguments: Sequence[str]) -> list[str]:
    """The config files that take part in a composition, by name; Hydra's own left out."""
    defaults = GlobalHydra.instance().config_loader().compute_defaults_list(PRIMARY, list(arguments), RunMode.RUN)
    paths = {entry.config_path for entry in defaults.defaults if entry.config_path is not None}
    return sorted(path for path in paths if not path.startswith("hydra/") and path != _SCHEMA_NODE)


def _search(config_dir: str | None) -> list[str]:
    if config_dir and not Path(config_dir).is_dir():
        # Hydra only warns, and then does not find what lies there.
        raise UsageError(f"There is no folder {config_dir}, where your own configs should lie: name another.")
    return [f"hydra.searchpath=[{in_quotes(f'file://{Path(config_dir).absolute()}')}]"] if config_dir else []


def _own(config_dir: Path | None) -> str | None:
    return _relative(config_dir.absolute()) if config_dir else None


def _relative(folder: Path) -> str:
    here = Path.cwd()
    return str(folder.relative_to(here) if folder.is_relative_to(here) else folder)


def _beside(run: Path, child: str, parent: str) -> Path:
    """`outputs/<parent>/<time>` for a child in `outputs/<child>/<time>`; below a run directory that the user chose."""
    return run.parent.parent / parent / run.name if run.parent.name == as_name(child) else run / parent


def _require_whole_names(config: DictConfig) -> None:
    """OmegaConf writes a null inside a text as `None`, and an adapter would be named after it."""
    plain = cast(dict[str, Any], OmegaConf.to_container(config, resolve=False))
    for name in ("name", "suffix"):
        for key in _PART.findall(str(plain.get(name))):
            if OmegaConf.select(config, key, default="") is None:
                raise MissingKeyError(key, f"{name}={plain[name]} needs {key}, which is null: say it with {key}=VALUE.")
