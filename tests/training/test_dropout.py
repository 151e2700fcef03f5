from __future__ import annotations

import pytest
import torch
from peft import LoraConfig, PeftModel

from adapterkit.stack.layers import lora_layers
from adapterkit.training.dropout import PackedDropout, use_packed_dropout


@pytest.mark.parametrize("p", [0.05, 0.2, 0.5])
def test_values_are_dropped_at_the_rate_and_the_rest_scaled(p):
    torch.manual_seed(0)
    dropped = PackedDropout(p)(torch.ones(1 << 20))
    values = dropped.unique()
    assert values.numel() == 2
    assert values[0] == 0
    assert values[1].item() == pytest.approx(1 / (1 - p), rel=1e-4)
    sigma = (p * (1 - p) / (1 << 20)) ** 0.5
    assert abs((dropped == 0).float().mean().item() - p) < 5 * sigma + 2**-16


def test_neighbours_from_one_draw_are_independent():
    torch.manual_seed(0)
    lost = (PackedDropout(0.5)(torch.ones(1 << 20)).view(-1, 4) == 0).double()
    correlation = torch.corrcoef(lost.T) - torch.eye(4)
    assert correlation.abs().max() < 0.01


def test_the_same_seed_gives_the_same_mask_and_another_seed_another():
    masks = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        masks.append(PackedDropout(0.3)(torch.ones(3, 5, 7)))
    assert torch.equal(masks[0], masks[1])
    assert not torch.equal(masks[0], masks[2])


def test_evaluation_and_rate_zero_are_the_identity_and_draw_nothing():
    x = torch.randn(5)
    before = torch.get_rng_state()
    assert PackedDropout(0.5).eval()(x) is x
    assert PackedDropout(0.0)(x) is x
    assert torch.equal(torch.get_rng_state(), before)


def test_gradients_pass_where_values_pass():
    torch.manual_seed(0)
    x = torch.ones(101, dtype=torch.bfloat16, requires_grad=True)
    y = PackedDropout(0.5)(x)
    y.sum().backward()
    assert y.dtype == torch.bfloat16
    assert torch.equal(x.grad, y.detach())


def test_only_the_named_adapters_dropout_is_replaced(tiny_model):
    config = LoraConfig(r=2, lora_dropout=0.25, target_modules="all-linear")
    model = PeftModel(tiny_model, config, adapter_name="a")
    model.add_adapter("b", config)
    use_packed_dropout(model, "b")
    kinds = {(type(layer.lora_dropout["a"]), type(layer.lora_dropout["b"])) for _, layer in lora_layers(model)}
    assert kinds == {(torch.nn.Dropout, PackedDropout)}
    assert {layer.lora_dropout["b"].p for _, layer in lora_layers(model)} == {0.25}
