"""Adapters in 8 and 4 bits: what comes back, what it cost, and files that are not what they must be."""

from __future__ import annotations

import json

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file

from adapterkit.errors import ArtifactError, RegistryError, UsageError
from adapterkit.merging.export.low_bit import GROUP, Coded, decode, encode
from adapterkit.merging.export.low_bit_file import load_low_bit, restore_low_bit, write_low_bit
from adapterkit.merging.factors import Factors
from adapterkit.workflows.export import export
from adapterkit.workflows.export_request import ExportRequest
from adapterkit.workflows.flatten import FlattenRequest, flatten
from tests.stack.kin import logits


@pytest.mark.parametrize(("bits", "most"), [(8, 127), (4, 7)])
@pytest.mark.parametrize("features", [1, 63, 64, 65, 200])
def test_each_number_is_off_by_half_a_step_at_most(bits, most, features):
    rows = torch.randn(5, features, generator=torch.Generator().manual_seed(features), dtype=torch.float64)
    rows[2] *= 1e-6
    rows[3] = 0
    coded = encode(rows, bits)
    back = decode(coded, bits, features)
    assert coded.values.shape == (5, features if bits == 8 else (features + 1) // 2)
    assert coded.scales.shape == (5, -(-features // GROUP))
    assert torch.equal(back[3], torch.zeros(features))
    for start in range(0, features, GROUP):
        block, got = rows[:, start : start + GROUP], back[:, start : start + GROUP].double()
        step = block.abs().amax(dim=1, keepdim=True) / most
        # The largest scale that is tried is the step, and whichever is taken leaves no larger squared error.
        assert ((block - got).norm(dim=1) <= (0.51 * step * block.shape[1] ** 0.5)[:, 0] + 1e-12).all()


def test_four_bits_cut_a_lonely_peak_off_where_that_pays():
    rows = torch.full((1, GROUP), 0.5)
    rows[0, ::2] = 0.39
    rows[0, 0] = 1.0
    plain = (rows * 7).round() / 7
    assert torch.dist(decode(encode(rows, 4), 4, GROUP), rows) < 0.9 * torch.dist(plain, rows)


@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize("factor", [1e39, 1e-44])
def test_what_no_scale_can_hold_is_refused(bits, factor):
    rows = torch.ones(2, GROUP, dtype=torch.float64)
    rows[1] *= factor
    with pytest.raises(UsageError, match=f"written in {bits} bits"):
        encode(rows, bits)


def test_every_pair_of_halves_comes_back():
    whole = torch.arange(-7, 8, dtype=torch.float32).repeat(2)[None]
    coded = encode(torch.cat([whole, whole.roll(1, dims=1)]), 4)
    assert coded.values.dtype == torch.uint8
    assert torch.equal(decode(coded, 4, 30), torch.cat([whole, whole.roll(1, dims=1)]))


def test_a_b_that_is_not_contiguous_comes_back_as_it_was(kin, tmp_path):
    """B turned over is a view; its memory, taken as it lies, would be another matrix."""
    a, b = torch.randn(3, 70, dtype=torch.float64), torch.randn(3, 90, dtype=torch.float64).T
    assert not b.is_contiguous()
    assert b.T.is_contiguous()
    for factors in (Factors(a, b), Factors(a, b.contiguous()), Factors(a.T.contiguous().T, b)):
        rows = decode(encode(factors.b.T, 8), 8, 90).T
        assert (rows - b).abs().max() < 0.02
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        lost = write_low_bit(folder, {"layer": factors}, 8)
        assert lost["layer"] < 0.01


@pytest.mark.parametrize(("dtype", "bits", "most"), [("int8", 8, 0.01), ("int4", 4, 0.2)])
def test_it_is_read_back_to_the_plain_lora_within_what_was_measured(kin, tmp_path, dtype, bits, most):
    done = export(kin.registry, ExportRequest("child", "hub", tmp_path / "out", dtype=dtype, base_id="example/tiny"))
    names = {path.name for path in done.path.iterdir()}
    assert names == {"adapter_config.json", f"adapter_model.int{bits}.safetensors", "README.md", "export.json"}
    exact = load_file(flatten(kin.registry, FlattenRequest("child")).path / "adapter_model.safetensors")
    _, tensors = load_low_bit(done.path)
    assert {name: value.shape for name, value in tensors.items()} == {n: v.shape for n, v in exact.items()}
    for layer, lost in done.record.losses.in_storage.items():
        ours, truth = (
            found[f"base_model.model.{layer}.lora_B.weight"].double()
            @ found[f"base_model.model.{layer}.lora_A.weight"].double()
            for found in (tensors, exact)
        )
        assert lost == pytest.approx((torch.dist(ours, truth) / truth.norm()).item(), rel=1e-3)
    assert 1e-4 < done.record.losses.worst_in_storage < most
    plain = restore_low_bit(done.path, tmp_path / "plain")
    model = PeftModel.from_pretrained(kin.base().model, plain).eval()
    ours, stack = logits(model), logits(kin.stack("child").model)
    assert (ours - stack).abs().mean() < 3 * most * stack.abs().mean()
    with pytest.raises(RegistryError, match="nothing is written over"):
        restore_low_bit(done.path, tmp_path / "plain")


def test_eight_bits_are_a_quarter_and_four_an_eighth(kin, tmp_path):
    sizes = {}
    for dtype in ("float32", "int8", "int4"):
        request = ExportRequest("child", "hub", tmp_path / dtype, dtype=dtype, base_id="example/tiny")
        (weights,) = export(kin.registry, request).path.glob("*.safetensors")
        header = 8 + int.from_bytes(weights.read_bytes()[:8], "little")
        sizes[dtype] = weights.stat().st_size - header
    assert sizes["int8"] < 0.27 * sizes["float32"]
    assert sizes["int4"] < 0.145 * sizes["float32"]


def test_what_is_no_such_file_is_refused(kin, tmp_path):
    out = export(
        kin.registry, ExportRequest("child", "hub", tmp_path / "out", dtype="int4", base_id="example/tiny")
    ).path
    path = out / "adapter_model.int4.safetensors"
    tensors, metadata = load_file(path), {"format": "adapterkit-low-bit", "version": "1", "bits": "4", "group": "64"}
    sizes = {name.removeprefix("base_model.model.").rpartition(".lora_A")[0] for name in tensors if "lora_A" in name}
    good = json.dumps({layer: [64, 64] for layer in sizes})

    def refused(match, changes, **told):
        save_file({**tensors, **changes}, path, metadata={**metadata, **told})
        with pytest.raises(ArtifactError, match=match):
            load_low_bit(out)

    some = next(name for name in tensors if name.endswith("q_proj.lora_A.values"))
    scales = some.replace("values", "scales")
    refused("version='2', which is not known here", {}, version="2", sizes=good)
    refused("is not strict JSON", {}, sizes="{")
    refused("no pairs of whole numbers", {}, sizes='{"q": [1, -1]}')
    refused(r"must be torch\.uint8", {}, sizes=good.replace("[64, 64]", "[6400, 64]"))
    whole = json.dumps({layer: _size(tensors, layer) for layer in sizes})
    refused(r"\.values is torch\.int8", {some: tensors[some].to(torch.int8)}, sizes=whole)
    refused("holds NaN or an infinity", {scales: torch.full_like(tensors[scales], torch.inf)}, sizes=whole)
    refused("which have four each", {"stray": torch.zeros(1)}, sizes=whole)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ArtifactError, match="cut or carries extra bytes"):
        load_low_bit(out)
    path.unlink()
    with pytest.raises(ArtifactError, match=r"int8\.safetensors or adapter_model\.int4\.safetensors: is missing"):
        load_low_bit(out)


def test_decoding_needs_no_more_than_the_file_says():
    coded = Coded(torch.tensor([[0x9F]], dtype=torch.uint8), torch.tensor([[2.0]], dtype=torch.bfloat16))
    assert decode(coded, 4, 1).tolist() == [[14.0]]
    assert decode(coded, 4, 2).tolist() == [[14.0, 2.0]]


def _size(tensors, layer):
    prefix = f"base_model.model.{layer}"
    return [2 * tensors[f"{prefix}.{part}.values"].shape[1] for part in ("lora_A", "lora_B")]
