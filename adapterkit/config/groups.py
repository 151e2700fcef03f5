"""Read the files of a `conf/` group without Hydra, for code that is not a door."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from adapterkit.config.locate import config_root
from adapterkit.errors import UnknownNameError
from adapterkit.names import nearest

if TYPE_CHECKING:
    from adapterkit.config.schema import QuantizationConfig

_Schema = TypeVar("_Schema")


def quantization_named(name: str) -> QuantizationConfig:
    """The settings of `conf/quantization/<name>.yaml`.

    Raises:
        UnknownNameError: there is no such file.
    """
    from adapterkit.config.schema import QuantizationConfig

    return typed_file(preset_file("quantization", name, kind="quantization"), QuantizationConfig)


def names_in(group: str) -> list[str]:
    """What may be chosen in a group, in the order of the alphabet."""
    return sorted(file.stem for file in (config_root() / "conf" / group).glob("*.yaml"))


def quantization_said(recorded: Mapping[str, Any]) -> str:
    """How a base is held, as `quantization=` says it; where no preset is that, its kind."""
    kind, dtype = str(recorded.get("kind")), str(recorded.get("dtype"))
    names = {("none", "bfloat16"): "bf16", ("none", "float32"): "fp32", ("none", "float16"): "fp16"}
    return {**names, ("nf4", "float16"): "nf4_fp16"}.get((kind, dtype), kind)


def preset_file(group: str, name: str, *, kind: str) -> Path:
    """`conf/<group>/<name>.yaml`.

    Args:
        group: of configs.
        name: of the file.
        kind: what the name should have been, for the message.

    Raises:
        UnknownNameError: there is no such file.
    """
    known = names_in(group)
    if name not in known:
        raise UnknownNameError(kind, name, nearest(name, known), hint=f"Known: {', '.join(known)}.")
    return config_root() / "conf" / group / f"{name}.yaml"


def typed_file(file: Path, schema: type[_Schema]) -> _Schema:
    """What a file of a group says, with the schema's defaults for what it does not say."""
    # OmegaConf takes a twentieth of a second to come, and the names of files do not need it.
    from omegaconf import OmegaConf

    return cast(_Schema, OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(schema), OmegaConf.load(file))))


def plain_file(file: Path) -> dict[str, Any]:
    """What a file of a group says and no more; interpolations stay as they are written."""
    from omegaconf import DictConfig, OmegaConf

    return cast(dict[str, Any], OmegaConf.to_container(cast(DictConfig, OmegaConf.load(file)), resolve=False))


def purpose_of(file: Path) -> str:
    """What a file of a group says of itself: the comment that it begins with, on one line."""
    lines = []
    for line in file.read_text("utf-8").splitlines():
        if not line.startswith("#"):
            break
        # A recipe says there the command that runs it, and what comes first.
        if not line.startswith(("# @package", "# python -m ", "# adapterkit ")):
            lines.append(line.lstrip("# "))
    return " ".join(lines)
