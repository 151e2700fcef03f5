from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from adapterkit.artifacts import measure, measure_sound, scan_tensors
from adapterkit.digest import sha256_bytes
from adapterkit.errors import ArtifactError
from adapterkit.manifest import WEIGHTS_FILE
from artifacts.samples import lora_tensors, write_adapter

NAN = {"F16": 0x7E00, "BF16": 0x7FC0, "F32": 0x7FC00000, "F64": 0x7FF8 << 48}
INFINITY = {"F16": 0xFC00, "BF16": 0xFF80, "F32": 0xFF800000, "F64": 0xFFF0 << 48}
LARGEST = {"F16": 0x7BFF, "BF16": 0x7F7F, "F32": 0x7F7FFFFF, "F64": (0x7FF0 << 48) - 1}
WIDTH = {"F16": 2, "BF16": 2, "F32": 4, "F64": 8}


def one_tensor(path: Path, dtype: str, numbers: list[int]) -> Path:
    """A file with one tensor of the given bit patterns; numpy has no bfloat16."""
    data = b"".join(number.to_bytes(WIDTH[dtype], "little") for number in numbers)
    entry = {"x": {"dtype": dtype, "shape": [len(numbers)], "data_offsets": [0, len(data)]}}
    text = json.dumps(entry).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)
    return path


def test_the_digest_ignores_times_paths_and_orders(tmp_path: Path) -> None:
    first = write_adapter(tmp_path / "a", target_modules=["q_proj", "v_proj"], base_model_name_or_path="x")
    second = write_adapter(tmp_path / "b" / "c", target_modules=["v_proj", "q_proj"], lora_dropout=0.5)
    assert measure(first).digest == measure(second).digest


@pytest.mark.parametrize("change", [{"lora_alpha": 9}, {"use_rslora": True}, {"alpha_pattern": {"q_proj": 4}}])
def test_the_digest_sees_the_shape(tmp_path: Path, change: dict[str, Any]) -> None:
    assert measure(write_adapter(tmp_path / "a")).digest != measure(write_adapter(tmp_path / "b", **change)).digest


def test_the_digest_sees_one_changed_number(tmp_path: Path) -> None:
    tensors = lora_tensors()
    before = measure(write_adapter(tmp_path / "a", tensors=tensors)).digest
    next(iter(tensors.values()))[0, 0] += 1e-3
    assert measure(write_adapter(tmp_path / "b", tensors=tensors)).digest != before


def test_a_record_names_dtype_shape_and_bytes(tmp_path: Path) -> None:
    tensors = lora_tensors()
    records = scan_tensors(write_adapter(tmp_path, tensors=tensors) / WEIGHTS_FILE).records
    for name, tensor in tensors.items():
        assert records[name] == {"dtype": "F32", "shape": list(tensor.shape), "sha256": sha256_bytes(tensor.tobytes())}


@pytest.mark.parametrize("dtype", list(WIDTH))
@pytest.mark.parametrize("bad", [NAN, INFINITY], ids=["nan", "infinity"])
def test_numbers_that_are_not_finite_are_found(tmp_path: Path, dtype: str, bad: dict[str, int]) -> None:
    finite = [0, 1, LARGEST[dtype]]
    assert scan_tensors(one_tensor(tmp_path / "good", dtype, finite)).not_finite == ()
    assert scan_tensors(one_tensor(tmp_path / "bad", dtype, [*finite, bad[dtype]])).not_finite == ("x",)


def test_a_number_in_a_later_chunk_is_seen(tmp_path: Path) -> None:
    numbers = np.zeros((2, 1_500_000), np.float32)
    numbers[1, -1] = np.nan
    save_file({"x": numbers}, tmp_path / "f")
    scan = scan_tensors(tmp_path / "f")
    assert scan.not_finite == ("x",)
    assert scan.records["x"]["sha256"] == sha256_bytes(numbers.tobytes())


def test_an_adapter_with_nan_cannot_be_measured_as_sound(tmp_path: Path) -> None:
    tensors = lora_tensors()
    next(iter(tensors.values()))[0, 0] = np.nan
    with pytest.raises(ArtifactError, match="holds NaN or an infinity") as caught:
        measure_sound(write_adapter(tmp_path, tensors=tensors))
    assert caught.value.problems[0].file == WEIGHTS_FILE


@pytest.mark.parametrize("file", ["adapter_config.json", WEIGHTS_FILE])
def test_a_missing_file_is_named(tmp_path: Path, file: str) -> None:
    (write_adapter(tmp_path) / file).unlink()
    with pytest.raises(ArtifactError, match=f"{file}.*cannot be read"):
        measure(tmp_path)
