"""Which code computes between the products."""

from __future__ import annotations

import functools
import logging
from typing import Any

import torch

from adapterkit.training.fused import plain
from adapterkit.training.fused.tiles.team import parallel

_log = logging.getLogger(__name__)


@functools.cache
def steps_for(dtype: torch.dtype) -> Any:
    """`compiled` for bfloat16, where numba and PyTorch's OpenMP library are at hand; `plain` for all else."""
    if dtype != torch.bfloat16 or parallel() is None:
        return plain
    try:
        from adapterkit.training.fused import compiled
    # numba tells in many ways that it does not run here: no wheel, no folder for what it compiles, another numpy.
    except Exception as error:
        _log.info("numba does not run here (%s): steps between the products are not compiled", error)
        return plain
    return compiled
