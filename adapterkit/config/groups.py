"""Read one file of a `conf/` group without Hydra, for code that is not a door."""

from __future__ import annotations

from typing import cast

from omegaconf import OmegaConf

from adapterkit.config.locate import config_root
from adapterkit.config.schema import QuantizationConfig
from adapterkit.errors import UnknownNameError
from adapterkit.names import nearest


def quantization_named(name: str) -> QuantizationConfig:
    """The settings of `conf/quantization/<name>.yaml`.

    Raises:
        UnknownNameError: there is no such file.
    """
    folder = config_root() / "conf" / "quantization"
    known = sorted(file.stem for file in folder.glob("*.yaml"))
    if name not in known:
        raise UnknownNameError("quantization", name, nearest(name, known), hint=f"Known: {', '.join(known)}.")
    plain = OmegaConf.load(folder / f"{name}.yaml")
    return cast(
        QuantizationConfig, OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(QuantizationConfig), plain))
    )
