"""The tensors of a model folder, each read when it is asked for and not kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from adapterkit.errors import BaseLoadError


class StoredTensors(Mapping[str, torch.Tensor]):
    """A model folder's safetensors by name, in the order of the files; one tensor is in memory at a time."""

    def __init__(self, folder: Path) -> None:
        """Read the headers.

        Args:
            folder: of a model.

        Raises:
            BaseLoadError: it holds no safetensors, or a damaged one.
        """
        self._files: dict[str, Path] = {}
        for path in sorted(folder.glob("*.safetensors")):
            try:
                with safe_open(path, framework="pt") as tensors:
                    self._files |= dict.fromkeys(tensors.keys(), path)
            except (SafetensorError, OSError) as error:
                raise BaseLoadError(str(folder), f"{path.name} is damaged ({error}). Download it again.") from error
        if not self._files:
            raise BaseLoadError(str(folder), "no *.safetensors file in it")

    def __getitem__(self, name: str) -> torch.Tensor:
        """The tensor, as it is stored."""
        with safe_open(self._files[name], framework="pt") as tensors:
            found: torch.Tensor = tensors.get_tensor(name)
            return found

    def __iter__(self) -> Iterator[str]:
        """The names."""
        return iter(self._files)

    def __len__(self) -> int:
        """How many there are."""
        return len(self._files)
