"""Trap: the first evaluation forward on a CPU with AVX512-BF16 repacks a 4-bit base in place."""

import pytest
import torch
from bitsandbytes.functional import has_avx512bf16

from adapterkit.base.fingerprint import fingerprint
from adapterkit.base.load import identify, load_base
from adapterkit.config.groups import quantization_named
from adapterkit.config.schema import ModelConfig
from adapterkit.errors import FrozenChangedError


@pytest.fixture
def four_bit(tiny_base_dir):
    return _load(tiny_base_dir, "nf4")


def _load(folder, quantization):
    held = quantization_named(quantization)
    identity, path = identify(ModelConfig(id=str(folder)), held)
    return load_base(identity, path, held, device=torch.device("cpu"))


def _evaluate(model):
    with torch.inference_mode():
        model(input_ids=torch.arange(8)[None])


def test_quantization_state_is_part_of_the_fingerprint(four_bit):
    before = fingerprint(four_bit.model)
    names = [name for name in before.tensors if "q_proj" in name and "layers.0" in name]
    assert {name.rpartition("weight")[2] for name in names} == {
        "", ".absmax", ".code", ".offset", ".state2.absmax", ".state2.code",
    }  # fmt: skip
    layer = "model.layers.0.self_attn.q_proj"
    assert before.structure[layer].startswith("Linear4bit(in_features=64")
    assert "quant_type=nf4" in before.structure[f"{layer}.weight.settings"]
    assert "blocksize=256" in before.structure[f"{layer}.weight.state2.settings"]
    four_bit.model.model.layers[0].self_attn.q_proj.weight.quant_state.state2.absmax[0] += 1.0
    with pytest.raises(FrozenChangedError, match=r"q_proj.weight.state2.absmax"):
        before.require_equal(fingerprint(four_bit.model))


def test_layers_that_share_a_table_of_levels_are_not_tied_by_it(four_bit):
    before = fingerprint(four_bit.model)
    first, second = (four_bit.model.model.layers[at].mlp.up_proj.weight.quant_state for at in (0, 1))
    assert torch.equal(first.code, second.code)
    first.code = second.code if first.code is not second.code else second.code.clone()
    before.require_equal(fingerprint(four_bit.model))


def test_evaluation_and_generation_leave_a_four_bit_base_bit_stable(four_bit):
    before = fingerprint(four_bit.model)
    _evaluate(four_bit.model)
    four_bit.model.generate(torch.arange(4)[None], max_new_tokens=3, do_sample=False, pad_token_id=0)
    before.require_equal(fingerprint(four_bit.model))


@pytest.mark.skipif(not has_avx512bf16(), reason="needs a CPU with AVX512-BF16: only there does bitsandbytes repack")
def test_upstream_alone_rewrites_the_base_and_the_fingerprint_says_so(four_bit):
    for module in four_bit.model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = True
    before = fingerprint(four_bit.model)
    _evaluate(four_bit.model)
    with pytest.raises(FrozenChangedError, match="tensors differ"):
        before.require_equal(fingerprint(four_bit.model))


def test_eight_bit_scales_are_covered_and_survive_the_first_forward(tiny_base_dir):
    base = _load(tiny_base_dir, "int8")
    before = fingerprint(base.model)
    assert sum(name.endswith(".SCB") for name in before.tensors) == 14
    _evaluate(base.model)
    before.require_equal(fingerprint(base.model))
    layer = base.model.model.layers[0].mlp.up_proj
    (layer.state.SCB if layer.state.SCB is not None else layer.weight.SCB)[0] += 1
    with pytest.raises(FrozenChangedError, match=r"up_proj\.weight\.SCB"):
        before.require_equal(fingerprint(base.model))
