"""Learning-rate schedules that transformers does not bring."""

from __future__ import annotations

import math

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

# What is left of the rate at the end; half of it is gone after 15 % of the way.
_LEFT = 0.01


def exponential(optimizer: Optimizer, *, warmup: int, steps: int) -> LambdaLR:
    """Warm up linearly, then lose the same share of the rate at every step, until 1 % is left at the last.

    Args:
        optimizer: whose rate is the peak.
        warmup: steps until the peak.
        steps: of the whole training.
    """

    def factor(step: int) -> float:
        if step < warmup:
            return step / warmup
        return math.exp(math.log(_LEFT) * (step - warmup) / max(1, steps - warmup))

    return LambdaLR(optimizer, factor)
