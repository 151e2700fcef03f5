from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from adapterkit.artifacts import read_header
from adapterkit.errors import ArtifactError

TWO = {
    "a": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]},
    "b": {"dtype": "F16", "shape": [4], "data_offsets": [16, 24]},
}


def raw(path: Path, header: Any, *, data: int = 24, length: int | None = None) -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes((len(text) if length is None else length).to_bytes(8, "little") + text + bytes(data))
    return path


def changed(name: str, **changes: Any) -> dict[str, Any]:
    return {**TWO, name: {**TWO[name], **changes}}


def test_a_file_of_the_safetensors_library_is_read(tmp_path: Path) -> None:
    tensors = {"x": np.zeros((3, 5), np.float32), "y": np.zeros(7, np.int64), "empty": np.zeros((0, 2), np.float32)}
    save_file(tensors, tmp_path / "f.safetensors", metadata={"format": "pt"})
    header = read_header(tmp_path / "f.safetensors")
    assert {name: entry.shape for name, entry in header.tensors.items()} == {n: t.shape for n, t in tensors.items()}
    assert header.metadata == {"format": "pt"}
    assert header.tensors["x"].elements == 15


@pytest.mark.parametrize(
    ("header", "match"),
    [
        (changed("b", data_offsets=[12, 20]), "overlaps"),
        (changed("b", data_offsets=[17, 25]), "leaves a hole"),
        (changed("b", data_offsets=[16, 20]), "needs 8 bytes"),
        (changed("b", data_offsets=[24, 16]), "needs 8 bytes"),
        (changed("b", data_offsets=[-8, 0]), "impossible data_offsets"),
        (changed("a", shape=[2, 2, 2]), "needs 32 bytes"),
        (changed("a", shape=[-2, -2]), "impossible shape"),
        (changed("a", shape=[4.0]), "impossible shape"),
        (changed("a", shape=[True, 4]), "impossible shape"),
        (changed("a", shape=[1] * 9 + [4]), "impossible shape"),
        (changed("a", shape=[10**18]), "needs 4"),
        (changed("a", shape=[10**30]), "impossible shape"),
        # A product of 8000 digits: more than Python turns into text without an error of its own.
        (changed("a", shape=[10**4000, 10**4000]), "impossible shape"),
        (changed("a", data_offsets=[0, 10**4000]), "impossible data_offsets"),
        (changed("a", dtype="F" * 10_000_000), "unknown dtype 'FFF"),
        ({"a" * 513: TWO["a"], "b": TWO["b"]}, "has 513 characters"),
        (changed("a", dtype="F4"), "unknown dtype"),
        (changed("a", dtype=["F32"]), "unknown dtype"),
        (changed("a", extra=1), "exactly dtype, shape and data_offsets"),
        ({**TWO, "__metadata__": {"a": 1}}, "table of texts"),
        ([1], "not a JSON object"),
        (b'{"a": 1, "a": 2}', "stands twice"),
        (b"{", "not strict JSON"),
        (b"[" * 100_000, "not strict JSON"),
        (b"\xff\xff", "not strict JSON"),
    ],
)
def test_a_header_that_lies_is_refused(tmp_path: Path, header: Any, match: str) -> None:
    with pytest.raises(ArtifactError, match=match):
        read_header(raw(tmp_path / "f.safetensors", header))


@pytest.mark.parametrize("data", [23, 25])
def test_data_must_end_with_the_file(tmp_path: Path, data: int) -> None:
    with pytest.raises(ArtifactError, match="cut or carries extra bytes"):
        read_header(raw(tmp_path / "f.safetensors", TWO, data=data))


@pytest.mark.parametrize("length", [10_000, 2**63, 2**64 - 1])
def test_a_header_longer_than_the_file_is_not_read(tmp_path: Path, length: int) -> None:
    with pytest.raises(ArtifactError, match="cannot stand in a file"):
        read_header(raw(tmp_path / "f.safetensors", TWO, length=length))


@pytest.mark.parametrize("size", [0, 7])
def test_a_file_too_short_for_a_length_is_refused(tmp_path: Path, size: int) -> None:
    (tmp_path / "f.safetensors").write_bytes(bytes(size))
    with pytest.raises(ArtifactError, match="cut or damaged"):
        read_header(tmp_path / "f.safetensors")
