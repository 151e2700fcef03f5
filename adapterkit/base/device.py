"""Which device a model lives on."""

from __future__ import annotations

import platform
from pathlib import Path

import torch

from adapterkit.errors import UsageError


def device_name(device: torch.device) -> str:
    """What the maker calls it, such as `NVIDIA H200` or `Intel(R) Xeon(R) Processor @ 2.90GHz`; else its type."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    # platform.processor() is empty on most Linux distributions.
    listed = Path("/proc/cpuinfo")
    lines = listed.read_text(encoding="utf-8").splitlines() if device.type == "cpu" and listed.is_file() else []
    found = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(found, platform.processor() or device.type)


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
