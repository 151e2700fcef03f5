"""Loss scaling for a base that computes in float16, whose gradients would otherwise round to zero.

The LoRA weights stay float32, as over any base; what is small is the gradient that flows back through the frozen
float16 layers. The loss is multiplied before the backward pass and the gradients divided before they are used. Where a
scaled gradient overflows the step is skipped and the scale halved: at a large scale that is how the scale is found, and
no error. At scale 1 nothing was scaled up, and an infinite gradient is the model's own.

Source: Micikevicius et al., Mixed Precision Training, arXiv:1710.03740.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar

import torch

from adapterkit.base.load import Base
from adapterkit.errors import TrainingError
from adapterkit.stores import write_file

SKIPPED_FILE = "skipped_steps.json"
_SMALLEST = 1.0


class LossScaling:
    """A GradScaler with a count of the steps that it had skipped.

    Attributes:
        scaler: for accelerate, which multiplies losses, skips steps, and saves its state in checkpoints.
        skipped: steps of the training that were skipped.
    """

    ADVICE: ClassVar[str] = "What overflows in float16 may not in bfloat16: quantization=nf4 or bf16."

    def __init__(self, device: torch.device) -> None:
        """Begin at torch's own first scale, 65536."""
        self.scaler = torch.amp.GradScaler(device.type)
        self.skipped = 0

    @classmethod
    def of(cls, base: Base) -> LossScaling | None:
        """One for a base that computes in float16; null for any other."""
        held = base.identity.quantization
        return cls(base.device) if "float16" in (held.get("dtype"), held.get("compute_dtype")) else None

    @property
    def scale(self) -> float:
        """What the loss is multiplied by."""
        return float(self.scaler.get_scale())

    def unscale(self, optimizer: torch.optim.Optimizer) -> None:
        """Divide the gradients of an optimizer, once before each of its steps."""
        self.scaler.unscale_(optimizer)

    @property
    def overflow_is_normal(self) -> bool:
        """Whether gradients that are not finite may be the scale's doing; at scale 1 they are the model's own."""
        return self.scale > _SMALLEST

    def may_skip(self) -> bool:
        """Whether a step whose gradients are not finite may be skipped; counts it."""
        if not self.overflow_is_normal:
            return False
        self.skipped += 1
        return True

    def write(self, folder: Path) -> None:
        """Write the count into a checkpoint, beside the scaler that accelerate saves.

        Raises:
            RegistryError: the disk refuses.
        """
        write_file(folder / SKIPPED_FILE, json.dumps({"skipped": self.skipped}).encode("ascii"))

    def read(self, folder: Path) -> None:
        """Go on counting where a checkpoint stands that verified."""
        self.skipped = int(json.loads((folder / SKIPPED_FILE).read_text("ascii"))["skipped"])

    def require_steps(self, steps: int) -> None:
        """Demand that a training took at least one step.

        Args:
            steps: of the whole training, those included that were skipped.

        Raises:
            TrainingError: every one was skipped, so nothing was learnt.
        """
        if self.skipped == steps:
            raise TrainingError(
                f"All {steps} steps were skipped: float16 gradients overflowed while the loss scale was still being "
                "found. Nothing was published. Train for more steps, or in bfloat16 (quantization=nf4 or bf16).",
                step=steps,
            )
