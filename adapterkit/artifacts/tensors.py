"""The tensors of a safetensors file: what identifies each, and whether every number in it is finite."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from adapterkit.artifacts.header import Header, TensorEntry, read_header
from adapterkit.digest import tensor_record

_CHUNK = 1 << 22
# A float is infinite or NaN exactly when all of its exponent bits are set; that also serves bfloat16, unknown to numpy.
_EXPONENT: Mapping[str, tuple[str, int]] = {
    "F16": ("<u2", 0x7C00),
    "BF16": ("<u2", 0x7F80),
    "F32": ("<u4", 0x7F800000),
    "F64": ("<u8", 0x7FF0000000000000),
}


@dataclass(frozen=True)
class TensorScan:
    """What one pass over a file found.

    Attributes:
        header: the checked header.
        records: a `tensor_record` for each tensor, by name.
        not_finite: the names of float tensors that hold NaN or an infinity, in the order of their bytes.
    """

    header: Header
    records: Mapping[str, Mapping[str, Any]]
    not_finite: tuple[str, ...]


def scan_tensors(path: Path) -> TensorScan:
    """Hash every tensor in chunks of 4 MiB and look for numbers that are not finite.

    Raises:
        ArtifactError: the header does not describe the file.
    """
    header = read_header(path)
    records, not_finite = {}, []
    with path.open("rb") as file:
        for name, entry in header.tensors.items():
            content, finite = _scan(file, entry)
            records[name] = tensor_record(entry.dtype, entry.shape, content)
            if not finite:
                not_finite.append(name)
    return TensorScan(header, records, tuple(not_finite))


def _scan(file: BinaryIO, entry: TensorEntry) -> tuple[str, bool]:
    digest, finite = hashlib.sha256(), True
    for chunk in _chunks(file, entry):
        digest.update(chunk)
        finite = finite and _all_finite(entry.dtype, chunk)
    return digest.hexdigest(), finite


def _chunks(file: BinaryIO, entry: TensorEntry) -> Iterator[bytes]:
    file.seek(entry.begin)
    left = entry.end - entry.begin
    while left > 0 and (chunk := file.read(min(_CHUNK, left))):
        left -= len(chunk)
        yield chunk


def _all_finite(dtype: str, chunk: bytes) -> bool:
    if dtype not in _EXPONENT:
        return True
    import numpy as np

    kind, mask = _EXPONENT[dtype]
    unsigned = np.dtype(kind)
    bits = np.frombuffer(chunk, dtype=unsigned, count=len(chunk) // unsigned.itemsize)
    wanted = unsigned.type(mask)
    return not bool(((bits & wanted) == wanted).any())
