"""The best weights so far, by validation loss: kept in memory, and in every checkpoint, so that no folder is needed."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save

from adapterkit.stores import write_file

_log = logging.getLogger(__name__)

BEST_FILE = "best_model.safetensors"
_ADVICE = (
    "Lower trainer.learning_rate, see whether the validation rows are like the training rows, or keep the last "
    "weights: trainer.keep_best=false"
)


@dataclass(frozen=True)
class BestWeights:
    """A trainee's tensors after some step, and the validation loss they had, in nats a label token."""

    loss: float
    step: int
    tensors: Mapping[str, torch.Tensor]

    @classmethod
    def copied(cls, loss: float, step: int, tensors: Mapping[str, torch.Tensor]) -> BestWeights:
        """A copy on the CPU, which training does not touch."""
        kept = {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in tensors.items()}
        return cls(loss, step, kept)

    def write(self, folder: Path) -> None:
        """Write them into a checkpoint.

        Raises:
            RegistryError: the disk refuses.
        """
        metadata = {"format": "pt", "loss": self.loss.hex(), "step": str(self.step)}
        write_file(folder / BEST_FILE, save(dict(self.tensors), metadata=metadata))

    @classmethod
    def read(cls, folder: Path) -> BestWeights | None:
        """Read them back from a checkpoint that verified; null where none were kept."""
        path = folder / BEST_FILE
        if not path.is_file():
            return None
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata()
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (it is no mapping)
        return cls(float.fromhex(metadata["loss"]), int(metadata["step"]), tensors)


def warn_of_no_gradient(history: Sequence[Mapping[str, float]]) -> None:
    """Say so where no gradient was left in most steps: the weights run away at the first, and learn nothing then.

    Args:
        history: what was logged.
    """
    norms = [entry["grad_norm"] for entry in history if entry.get("grad_norm") is not None]
    if norms and (without := norms.count(0.0)) * 2 > len(norms):
        _log.warning(
            "The gradient was zero in %d of the %d steps that were logged: the first steps went so far that nothing "
            "could be learned after them. Lower trainer.learning_rate", without, len(norms),
        )  # fmt: skip


def warn_of_little_learned(best: BestWeights | None, tensors: Mapping[str, torch.Tensor], steps: int) -> None:
    """Say so where what is published learned nothing, or next to nothing.

    Args:
        best: the weights that were kept, where the best ones were.
        tensors: the trainee's, as they will be published.
        steps: that were taken.
    """
    kept = best is not None and best.step < steps
    if not any(bool(tensor.any()) for name, tensor in tensors.items() if "lora_B" in name):
        which = f"the weights kept are those of step {best.step}, which" if best is not None and kept else "its weights"
        _log.warning(
            "This adapter changes nothing: %s are those it started from (B is zero). %s",
            which, _ADVICE if kept else "Train more steps, or raise trainer.learning_rate",
        )  # fmt: skip
    elif best is not None and kept and best.step <= 1:
        _log.warning(
            "The weights kept are those of step 1: their validation loss, %.4f, was the lowest, and the %d steps after "
            "it only raised it. %s", best.loss, steps - 1, _ADVICE,
        )  # fmt: skip
