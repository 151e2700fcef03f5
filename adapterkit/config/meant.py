"""What a misspelt group, file or key of a config was probably meant to be."""

from __future__ import annotations

from typing import Any, cast

from hydra.errors import MissingConfigException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

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


def meant_by(error: BaseException) -> list[str]:
    """The files of a group, or the keys of a config, that look like one which is not there; best first."""
    if isinstance(error, MissingConfigException):
        return nearest(str(error.missing_cfg_file).rpartition("/")[2], error.options or ())
    if isinstance(error, OmegaConfBaseException) and isinstance(error.parent_node, DictConfig):
        return _keys_meant(str(error.key), str(error.full_key or error.key), error.parent_node)
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
