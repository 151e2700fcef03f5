"""The best weights so far, by validation loss: kept in memory, and in every checkpoint, so that no folder is needed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save

from adapterkit.stores import write_file

BEST_FILE = "best_model.safetensors"


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
