"""Write a model's tensors one after another into safetensors files of a limited size, with their index."""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

from adapterkit.stores import explained, sync_file, write_file

_INDEX = "model.safetensors.index.json"
_OS_ERROR = re.compile(r"\(os error (\d+)\)")


class ShardWriter:
    """Takes tensors in order and keeps no more than one file's worth of them in memory.

    On leaving its block without an error, files are named as transformers names them: `model.safetensors`, or
    `model-00001-of-00003.safetensors` and so on with an index.
    """

    def __init__(self, folder: Path, most_bytes: int) -> None:
        """Write into a folder.

        Args:
            folder: of the model; it exists.
            most_bytes: of a file; a larger tensor has one to itself.
        """
        self._folder, self._most = folder, most_bytes
        self._held: dict[str, torch.Tensor] = {}
        self._bytes = 0
        self._files: list[list[str]] = []
        self.total_bytes = 0

    def add(self, name: str, tensor: torch.Tensor) -> None:
        """Take one tensor.

        Raises:
            RegistryError: the disk refuses the file that is full.
        """
        size = tensor.numel() * tensor.element_size()
        if self._held and self._bytes + size > self._most:
            self._write()
        # What is stored is the tensor alone, and not the storage that it may be a part or a view of.
        self._held[name] = tensor.detach().to("cpu").contiguous().clone() if _is_part(tensor) else tensor.detach()
        self._bytes += size
        self.total_bytes += size

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        """Write what is left, and name the files; after an error nothing of it is done."""
        if error is None:
            if self._held:
                self._write()
            self._name_files()

    def _write(self) -> None:
        path = self._folder / _part(len(self._files))
        with explained(f"Writing {path}"):
            _save(self._held, path)
            # safetensors writes for its own user alone; who may read the folder may read what is in it.
            path.chmod(self._folder.stat().st_mode & 0o666)
            sync_file(path)
        self._files.append(list(self._held))
        self._held, self._bytes = {}, 0

    def _name_files(self) -> None:
        count = len(self._files)
        names = [f"model-{index + 1:05}-of-{count:05}.safetensors" for index in range(count)]
        names = names if count > 1 else ["model.safetensors"] * count
        with explained(f"Naming the files of {self._folder}"):
            for index, name in enumerate(names):
                os.rename(self._folder / _part(index), self._folder / name)
        if count > 1:
            places = {tensor: name for name, held in zip(names, self._files, strict=True) for tensor in held}
            index_json = {"metadata": {"total_size": self.total_bytes}, "weight_map": dict(sorted(places.items()))}
            write_file(self._folder / _INDEX, json.dumps(index_json, indent=2).encode("utf-8"))


def _part(index: int) -> str:
    return f"part-{index:05}.safetensors"


def _is_part(tensor: torch.Tensor) -> bool:
    whole = tensor.untyped_storage().nbytes() == tensor.numel() * tensor.element_size()
    return not (whole and tensor.is_contiguous() and tensor.device.type == "cpu")


def _save(tensors: Mapping[str, torch.Tensor], path: Path) -> None:
    """Write one file.

    Raises:
        OSError: the disk refuses, which safetensors tells in an error of its own.
    """
    try:
        save_file(dict(tensors), path, metadata={"format": "pt"})
    except SafetensorError as error:
        code = int(found[1]) if (found := _OS_ERROR.search(str(error))) else errno.EIO
        raise OSError(code, os.strerror(code), str(path)) from error
