"""Equal values have equal records in whatever float dtype they are held; different values never do."""

from __future__ import annotations

import hashlib

import pytest
import torch

from adapterkit.base import tensor_hash
from adapterkit.base.tensor_hash import records_of

ROWS = 3 * 4096  # beyond what is only glanced at


def record(tensor: torch.Tensor) -> str:
    return records_of({"t": tensor})["t"]


def halves(dtype: torch.dtype) -> torch.Tensor:
    """Every 16-bit pattern there is, as a float: subnormals, infinities and signed zeros too."""
    return torch.arange(-(2**15), 2**15, dtype=torch.int32).to(torch.int16).view(dtype)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_widening_every_finite_value_there_is_changes_no_record(dtype):
    finite = halves(dtype)[halves(dtype).isfinite()]
    assert record(finite) == record(finite.float())
    assert record(finite).startswith(str(dtype).removeprefix("torch."))
    # One by one: whether others widen too must not matter.
    few = finite[::257]
    assert all(record(value) == record(value.float()) for value in few)


def test_every_16_bit_pattern_has_a_record_of_its_own():
    for dtype in (torch.bfloat16, torch.float16):
        patterns = halves(dtype)[::31]
        assert len({record(pattern) for pattern in patterns}) == len(patterns)


@pytest.mark.parametrize("where", [0, 5000, ROWS - 1])
@pytest.mark.parametrize("held", [torch.float32, torch.float16, torch.bfloat16])
def test_one_bit_anywhere_is_another_record(held, where):
    tensor = torch.randn(ROWS, generator=torch.Generator().manual_seed(1)).bfloat16().to(held)
    before = record(tensor)
    bits = tensor.view({2: torch.int16, 4: torch.int32}[held.itemsize])
    for bit in range(8 * held.itemsize - 1):
        bits[where] ^= 1 << bit
        assert record(tensor) != before, bit
        bits[where] ^= 1 << bit
    assert record(tensor) == before


def test_labels_are_the_narrowest_dtype_that_holds_the_values():
    normal = torch.randn(ROWS, generator=torch.Generator().manual_seed(1))
    labels = {
        "bfloat16": [normal.bfloat16(), normal.bfloat16().float(), torch.zeros(3), torch.zeros(3).half()],
        "float16": [normal.half(), normal.half().float()],
        "float32": [normal, torch.tensor([1e-30, 0.1])],
        "float64": [normal.double()],
        "int8": [torch.zeros(3, dtype=torch.int8)],
    }
    for label, tensors in labels.items():
        assert [record(tensor).split()[0] for tensor in tensors] == [label] * len(tensors)


def test_a_late_value_that_does_not_fit_is_seen():
    tensor = torch.ones(ROWS)
    assert record(tensor).startswith("bfloat16")
    tensor[-1] = 0.1
    assert record(tensor).startswith("float32")


def test_shape_and_layout_count_and_the_way_of_reading_does_not(monkeypatch):
    tensor = torch.randn(96, 64, generator=torch.Generator().manual_seed(1))
    assert record(tensor) != record(tensor.view(64, 96))
    assert record(tensor) != record(tensor.t().contiguous())
    # The same matrix, its columns contiguous instead of its rows.
    other = tensor.t().contiguous().t()
    assert torch.equal(other, tensor)
    assert " strides (1, 96) " in record(other)
    assert record(other).split()[-1] == record(tensor).split()[-1]


@pytest.mark.parametrize("shape", [(1, 1000), (1000, 1), (25, 40), (1, 1, 1000)])
def test_large_tensors_are_hashed_in_pieces_on_every_thread(monkeypatch, shape):
    monkeypatch.setattr(tensor_hash, "_SMALL", 64)
    monkeypatch.setattr(tensor_hash, "_PIECE", 128)
    tensor = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    columns = tensor.transpose(0, -1).contiguous().transpose(0, -1)
    for given in (tensor, columns, tensor.expand(3, *shape)):
        before = record(given)
        assert record(given) == before
        given[(-1,) * given.dim()] += 1
        assert record(given) != before
    assert record(columns) == record(columns.clone(memory_format=torch.preserve_format))
    assert record(tensor.bfloat16()) == record(tensor.bfloat16().float())


def test_pieces_of_different_width_are_told_apart(monkeypatch):
    monkeypatch.setattr(tensor_hash, "_SMALL", 64)
    monkeypatch.setattr(tensor_hash, "_PIECE", 128)
    tensor = torch.zeros(512)
    assert record(tensor).startswith("bfloat16 [512]")
    tensor[300] = 0.1
    assert record(tensor).startswith("float32 [512]")


def test_a_small_record_is_what_sha256_says_of_the_bytes():
    tensor = torch.tensor([0.1, 0.2])
    assert record(tensor) == f"float32 [2] {hashlib.sha256(tensor.numpy().tobytes()).hexdigest()}"
    narrow = torch.tensor([1.0, 2.0])
    assert record(narrow) == f"bfloat16 [2] {hashlib.sha256(bytes.fromhex('803f0040')).hexdigest()}"


@pytest.mark.parametrize(
    "tensor",
    [
        torch.tensor(3), torch.zeros(0, 4, dtype=torch.int8), torch.tensor([True, False]),
        torch.tensor([1 + 2j]).conj(), torch.zeros(4).to(torch.float8_e4m3fn), torch.zeros(2, dtype=torch.float64),
    ],
)  # fmt: skip
def test_every_kind_of_tensor_has_a_record(tensor):
    assert record(tensor).startswith(f"{str(tensor.dtype).removeprefix('torch.')} {list(tensor.shape)} ")


def test_a_tensor_that_cannot_be_read_is_an_error_and_leaves_no_thread_waiting(monkeypatch):
    monkeypatch.setattr(tensor_hash, "_SMALL", 64)
    for large in (2, 10_000):
        with pytest.raises(NotImplementedError, match="meta tensor"):
            record(torch.zeros(large, device="meta"))
