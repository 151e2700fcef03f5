"""Trap: without AVX512-BF16 or AMX, products of bfloat16 take PyTorch four to ten times as long as those of float32."""

import time

import pytest
import torch

from adapterkit.base import precision
from adapterkit.base.fingerprint import fingerprint
from adapterkit.base.load import identify, load_base
from adapterkit.config.groups import quantization_named
from adapterkit.config.schema import ModelConfig
from adapterkit.training.fused.weight import FrozenWeight

_CPU = torch.device("cpu")


@pytest.fixture
def loaded(tiny_base_dir, monkeypatch):
    def load(quantization="nf4", *, multiplies):
        monkeypatch.setattr(precision, "multiplies_bfloat16", lambda: multiplies)
        held = quantization_named(quantization)
        identity, path = identify(ModelConfig(id=str(tiny_base_dir)), held)
        return load_base(identity, path, held, device=_CPU)

    return load


def _logits(base):
    with torch.inference_mode():
        return base.model(input_ids=torch.arange(24)[None]).logits.double()


def test_a_four_bit_base_is_the_same_base_on_a_processor_without_bfloat16(loaded):
    with_it, without = loaded(multiplies=True), loaded(multiplies=False)
    assert (with_it.model.dtype, without.model.dtype) == (torch.bfloat16, torch.float32)
    assert fingerprint(with_it.model) == fingerprint(without.model)
    assert with_it.identity == without.identity
    assert without.model.lm_head.weight is without.model.model.embed_tokens.weight


def test_it_evaluates_with_the_weights_that_it_trains_with(loaded):
    without, plain = loaded(multiplies=False), loaded("bf16", multiplies=False)
    assert plain.model.dtype == torch.bfloat16
    for name, layer in without.model.named_modules():
        if hasattr(layer, "compute_dtype"):
            plain.model.get_submodule(name).weight.data = FrozenWeight(layer).dense(torch.float32)
    wanted = plain.model.float()(input_ids=torch.arange(24)[None]).logits.double()
    assert (_logits(without) - wanted).abs().max() < 1e-5 * wanted.abs().max()


@pytest.mark.parametrize(("multiplies", "quantization"), [(True, "nf4"), (False, "fp32"), (False, "bf16")])
def test_what_is_asked_for_stays(multiplies, quantization, monkeypatch):
    monkeypatch.setattr(precision, "multiplies_bfloat16", lambda: multiplies)
    asked = quantization_named(quantization)
    assert precision.as_computed(asked, _CPU) == asked
    assert precision.as_computed(quantization_named("nf4"), torch.device("cuda")) == quantization_named("nf4")


def test_the_answer_is_that_of_a_clock():
    def seconds(dtype):
        left, right = torch.ones(384, 576, dtype=dtype), torch.ones(1536, 576, dtype=dtype)
        best = float("inf")
        for _ in range(20):
            started = time.perf_counter()
            torch.nn.functional.linear(left, right)
            best = min(best, time.perf_counter() - started)
        return best

    # Without the instructions it was 4.4 times as much, on one thread with torch 2.13.
    assert precision.multiplies_bfloat16() == (seconds(torch.bfloat16) < 2 * seconds(torch.float32))
