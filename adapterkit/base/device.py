"""Which device a model lives on."""

from __future__ import annotations

import torch

from adapterkit.errors import UsageError


def resolve_device(wanted: str) -> torch.device:
    """Turn `auto` into the best device here, or check the one asked for.

    Args:
        wanted: `auto`, `cpu`, `cuda`, `cuda:1`, `mps`, ...

    Raises:
        UsageError: the name is no device, or this machine has none of that kind.
    """
    if wanted == "auto":
        return torch.device("cuda", torch.cuda.current_device()) if torch.cuda.is_available() else torch.device("cpu")
    try:
        device = torch.device(wanted)
    except RuntimeError as error:
        raise UsageError(f"'{wanted}' is not a device. Write device=auto, device=cpu or device=cuda.") from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UsageError(
            f"device={wanted} asks for a GPU, and torch {torch.__version__} sees {torch.cuda.device_count()} here. "
            "Write device=cpu, or install a CUDA build of torch and check with: nvidia-smi"
        )
    return device
