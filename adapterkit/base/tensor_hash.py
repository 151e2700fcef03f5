"""Hash tensors: streamed from any device, in parallel over the machine's cores (hashlib releases the GIL)."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import torch

from adapterkit.digest import tensor_record

_CHUNK_BYTES = 1 << 26

T = TypeVar("T")
R = TypeVar("R")


def content_sha256(tensor: torch.Tensor) -> str:
    """Hex sha256 of a tensor's values, row-major; at most 64 MiB of a GPU tensor are on the host at once."""
    digest = hashlib.sha256()
    flat = tensor.detach().contiguous().reshape(-1).view(torch.uint8)
    for start in range(0, flat.numel(), _CHUNK_BYTES):
        digest.update(flat[start : start + _CHUNK_BYTES].cpu().numpy().data)
    return digest.hexdigest()


def record_of(tensor: torch.Tensor) -> dict[str, Any]:
    """The record of one tensor in memory: dtype (torch's name without `torch.`), shape, sha256 of its values."""
    return tensor_record(str(tensor.dtype).removeprefix("torch."), tensor.shape, content_sha256(tensor))


def in_parallel(function: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """Map over items on as many threads as this process may use, in order."""
    with ThreadPoolExecutor(max_workers=len(os.sched_getaffinity(0))) as pool:
        return list(pool.map(function, items))
