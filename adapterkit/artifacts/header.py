"""The header of a safetensors file, read strictly and without touching a tensor."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapterkit.artifacts.strict_json import parse_json
from adapterkit.errors import ArtifactError
from adapterkit.problem import Problem
from adapterkit.texts import excerpt

# A LoRA on every linear layer of a model with 128 experts in 60 layers has a header of 6 MB.
MAX_HEADER_BYTES = 16_000_000
# Names are taken apart at their dots later on, at a cost that grows with the square of their length.
MAX_TENSOR_NAME = 512
_LENGTH_BYTES = 8
_MAX_DIMENSIONS = 8
_MAX_NUMBER = 2**63 - 1
_BITS = {
    "BOOL": 8,
    "U8": 8,
    "I8": 8,
    "F8_E5M2": 8,
    "F8_E4M3": 8,
    "U16": 16,
    "I16": 16,
    "F16": 16,
    "BF16": 16,
    "U32": 32,
    "I32": 32,
    "F32": 32,
    "U64": 64,
    "I64": 64,
    "F64": 64,
}


@dataclass(frozen=True)
class TensorEntry:
    """Where one tensor lies: its dtype (safetensors' name), its shape, and its bytes as `[begin, end)` in the file."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int

    @property
    def elements(self) -> int:
        """How many numbers the tensor holds."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class Header:
    """The tensors of a file by name, in the order of their bytes, and its free text metadata."""

    tensors: Mapping[str, TensorEntry]
    metadata: Mapping[str, str]


def read_header(path: Path) -> Header:
    """Read and check the header of a safetensors file.

    Raises:
        ArtifactError: the file is shorter than it says, the header is not strict JSON or above 16 MB, a name is too
            long, a dtype is unknown, a shape does not fill its span, or the spans overlap, leave a hole or do not end
            with the file.
    """
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            length = int.from_bytes(file.read(_LENGTH_BYTES), "little")
            if size < _LENGTH_BYTES or length > min(size - _LENGTH_BYTES, MAX_HEADER_BYTES):
                raise _refusal(
                    path, f"a header of {length} bytes cannot stand in a file of {size}; it is cut or damaged"
                )
            text = file.read(length)
    except OSError as error:
        raise _refusal(path, f"cannot be read: {error.strerror or error}") from error
    return _header(path, parse_json(text, path.name), _LENGTH_BYTES + length, size)


def _header(path: Path, plain: Any, start: int, size: int) -> Header:
    if not isinstance(plain, dict):
        raise _refusal(path, "the header is not a JSON object")
    metadata = plain.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise _refusal(path, "__metadata__ is not a table of texts")
    found = {name: _entry(path, name, entry, start) for name, entry in plain.items()}
    tensors = dict(sorted(found.items(), key=lambda item: (item[1].begin, item[1].end)))
    _check_spans(path, tensors, start, size)
    return Header(tensors, metadata)


def _entry(path: Path, name: str, plain: Any, start: int) -> TensorEntry:
    if len(name) > MAX_TENSOR_NAME:
        raise _refusal(path, f"the name {excerpt(name)} has {len(name)} characters, more than {MAX_TENSOR_NAME}")
    if not isinstance(plain, dict) or set(plain) != {"dtype", "shape", "data_offsets"}:
        raise _refusal(path, f"{name} needs exactly dtype, shape and data_offsets")
    dtype, shape, span = plain["dtype"], plain["shape"], plain["data_offsets"]
    if not isinstance(dtype, str) or dtype not in _BITS:
        raise _refusal(path, f"{name} has the unknown dtype {excerpt(dtype)}")
    if not _whole_numbers(shape) or len(shape) > _MAX_DIMENSIONS:
        raise _refusal(path, f"{name} has the impossible shape {excerpt(shape)}")
    if not _whole_numbers(span) or len(span) != 2:
        raise _refusal(path, f"{name} has the impossible data_offsets {excerpt(span)}")
    needed = math.prod(shape) * _BITS[dtype] // 8
    if span[1] - span[0] != needed:
        raise _refusal(path, f"{name} of shape {shape} needs {needed} bytes, and its data_offsets give {span}")
    return TensorEntry(dtype, tuple(shape), start + span[0], start + span[1])


def _check_spans(path: Path, tensors: Mapping[str, TensorEntry], start: int, size: int) -> None:
    """Refuse overlaps, holes, and an end that is not the file's."""
    at = start
    for name, entry in tensors.items():
        if entry.begin != at:
            kind = "overlaps the tensor before it" if entry.begin < at else "leaves a hole before it"
            raise _refusal(path, f"{name} {kind}: it begins at byte {entry.begin}, not {at}")
        at = entry.end
    if at != size:
        raise _refusal(path, f"the tensors end at byte {at} and the file at {size}; it is cut or carries extra bytes")


def _whole_numbers(value: Any) -> bool:
    return isinstance(value, list) and all(type(number) is int and 0 <= number <= _MAX_NUMBER for number in value)


def _refusal(path: Path, what: str) -> ArtifactError:
    return ArtifactError(f"{path}: {what}", [Problem(path.name, what)])
