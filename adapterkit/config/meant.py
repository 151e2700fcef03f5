"""What a misspelt group, file or key of a config was probably meant to be."""

from __future__ import annotations

import re
from typing import Any, cast

from hydra.errors import ConfigCompositionException, MissingConfigException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from adapterkit.config.doors import RECIPES, groups_of, keys_of
from adapterkit.config.flat import flat
from adapterkit.names import nearest

# What other libraries call what is called otherwise here; no likeness of letters finds these.
_CALLED_HERE = {
    "rank": "r",
    "lora_r": "r",
    "lora_rank": "r",
    "lr": "learning_rate",
    "num_train_epochs": "epochs",
    "per_device_train_batch_size": "batch_size",
    "lr_scheduler_type": "lr_scheduler",
    "optim": "optimizer",
    "max_seq_length": "max_length",
    "output": "output_dir",
    "base": "model",
}
# Hydra's own advice, and ours in its place: a `+` in front is for recipes, and for nothing else.
_ADVICE = (
    (re.compile(r"To append to your config .*"), ""),
    (re.compile(rf"To append to your default list use \+(?!(?:{'|'.join(RECIPES.values())})=).*"), ""),
    (re.compile(r"To append to your default list use (\S+)"), r"A recipe is chosen with a + in front: \1"),
    (re.compile(r"To override a value use 'override (\S+): (.*)'"), r"To choose another one, leave out the +: \1=\2"),
    (re.compile(r"missing EQUAL at '<EOF>'"), "A word is written KEY=VALUE, such as persona=lincoln"),
    (re.compile(r"\s*(?:full_key: |object_type=|reference_type=).*"), ""),
    (re.compile(r"See https://hydra\S+ for details"), ""),
)
_NO_MATCH = re.compile(r"Could not override '(\w+)'\.\s+No match in the defaults list")


def advised(line: str) -> str:
    """A line of what Hydra says, with advice that fits here; empty where none of it does."""
    for hydras, ours in _ADVICE:
        line = hydras.sub(ours, line)
    return line.rstrip()


def keys_like(key: str, door: str) -> list[str]:
    """What a door has that looks like a key which it has not: recipes, groups, keys; best first."""
    return nearest(key, dict.fromkeys([f"+{RECIPES[door]}", *groups_of(door), *keys_of(door)]))


def meant_by(error: BaseException) -> list[str]:
    """The files of a group, or the keys of a config, that look like one which is not there; best first."""
    if isinstance(error, MissingConfigException):
        return nearest(str(error.missing_cfg_file).rpartition("/")[2], error.options or ())
    if isinstance(error, OmegaConfBaseException) and isinstance(error.parent_node, DictConfig):
        return _keys_meant(str(error.key), str(error.full_key or error.key), error.parent_node)
    if isinstance(error, ConfigCompositionException) and (found := _NO_MATCH.match(str(error))):
        # A group of the other door: it is never called as it was.
        known = {key: None for door in RECIPES for key in (*groups_of(door), *keys_of(door)) if key != found[1]}
        return [] if found[1] in RECIPES.values() else nearest(found[1], known)
    return []


def _keys_meant(key: str, full_key: str, table: DictConfig) -> list[str]:
    """The same key of another table goes before one of this table that only looks like it."""
    known = [*map(str, table.keys())]
    if key in known:
        return []
    before = full_key.rpartition(".")[0]
    here = f"{before}." if before else ""
    wanted = _CALLED_HERE.get(key, key)
    if wanted in known:
        return [here + wanted]
    elsewhere = [each for each in _paths(cast(DictConfig, table._get_root())) if each.rpartition(".")[2] == wanted]
    return elsewhere or [here + each for each in nearest(key, known)]


def _paths(config: DictConfig) -> list[str]:
    """Every key of a config that has a value, by its path."""
    plain = cast(dict[str, Any], OmegaConf.to_container(config, resolve=False))
    return [path for path, _ in flat(plain) if not path.startswith("hydra.")]
