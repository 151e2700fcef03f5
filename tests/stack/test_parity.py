"""A child whose change is zero is its parent, number for number; what else acts on the model is found."""

from __future__ import annotations

import json
import math

import pytest
import torch

from adapterkit.config.schema import QuantizationConfig
from adapterkit.errors import ParityError, UsageError
from adapterkit.evaluation.parity import Departure, Parity, decode_parity
from adapterkit.stack.layers import lora_layers
from adapterkit.workflows.parity import parity, proven_parity
from tests.driving import printed
from tests.stack.kin import Kin, logits

NF4 = QuantizationConfig(kind="nf4")


@pytest.fixture(scope="module")
def kin(tiny_base_dir, tmp_path_factory):
    return family(Kin(tiny_base_dir, tmp_path_factory.mktemp("kin")))


def family(made):
    unified = made.publish("unified", seed=1, target_modules=["q_proj", "v_proj"])
    child = made.publish("child", unified, seed=2, use_rslora=True)
    made.publish("grandchild", child, seed=3)
    dora = made.publish("dora", child, seed=4, use_dora=True)
    made.publish("on_dora", dora, seed=5, use_dora=True)
    return made


@pytest.mark.parametrize("ref", ["unified", "child", "grandchild", "dora", "on_dora"])
def test_without_its_change_it_is_its_parent_and_with_it_it_is_not(kin, ref):
    stack = kin.stack(ref)
    before = logits(stack.model)
    addresses = [parameter.data_ptr() for parameter in stack.model.parameters()]
    found = decode_parity(stack, stack.base.tokenizer)
    assert found.proven
    assert found.zero == Departure(0.0, 0.0, 1.0, (None, None, None))
    assert found.child.largest > found.child.mean > 0
    assert found.child.agreement < 1
    assert ref == "unified" or any(place is not None for place in found.child.first_differing)
    assert torch.equal(logits(stack.model), before)
    assert [parameter.data_ptr() for parameter in stack.model.parameters()] == addresses
    stack.require_frozen_unchanged()


def test_the_numbers_are_those_of_plain_logits(kin):
    found = parity("child", registry=kin.registry.path, device="cpu", prompts=["Say fox."], new_tokens=3)
    stack, tokenizer = kin.stack("child"), kin.stack("child").base.tokenizer
    turn = [{"role": "user", "content": "Say fox."}]
    ids = tokenizer.apply_chat_template(turn, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    with torch.no_grad(), stack.without_top() as parent:
        text = parent.generate(**ids, max_new_tokens=3, do_sample=False, pad_token_id=2)
        before = parent(input_ids=text).logits
    with torch.no_grad():
        gap = (stack.model(input_ids=text).logits - before).abs()
    assert found.positions == text.shape[1]
    assert found.child.largest == pytest.approx(gap.max().item(), rel=1e-5)
    assert found.child.mean == pytest.approx(gap.mean().item(), rel=1e-5)


def test_on_a_four_bit_base_in_bf16_too(tiny_base_dir, tmp_path):
    kin = family(Kin(tiny_base_dir, tmp_path, NF4))
    for ref in ("child", "dora", "on_dora"):
        assert parity(ref, registry=kin.registry.path, device="cpu").proven


def test_under_the_interpolative_blend_the_statement_is_about_its_weight(kin):
    found = parity("child", registry=kin.registry.path, blend="interpolative", weights=(0.3, 1.7))
    assert found.proven
    stack = kin.stack("child")
    stack.blend("interpolative", (0.3, 1.7))
    with stack.with_zero_delta() as model, kin.stack("child").without_top() as parent:
        assert torch.equal(logits(model), logits(parent))
    # A change of zero under that blend is another model than the parent: it weakens it.
    for _, layer in lora_layers(stack.model):
        if "1_child" in layer.lora_B:
            torch.nn.init.zeros_(layer.lora_B["1_child"].weight)
    with kin.stack("child").without_top() as parent:
        assert not torch.equal(logits(stack.model), logits(parent))
    with pytest.raises(UsageError, match="add up to 0"):
        parity("unified", registry=kin.registry.path, blend="interpolative")


def test_what_acts_besides_the_adapter_is_found(kin):
    stack = kin.stack("child")
    # A hook that only acts while the child is there: what a forgotten module of a library would do.
    layer = dict(lora_layers(stack.model))["base_model.model.model.layers.1.mlp.up_proj"]
    layer.lora_B["1_child"].register_forward_hook(lambda module, given, output: output + 1e-3)
    found = decode_parity(stack, stack.base.tokenizer)
    assert not found.proven
    assert 0 < found.zero.largest < found.child.largest
    with pytest.raises(ParityError, match="Nothing was published") as caught:
        proven_parity(stack, stack.base.tokenizer, "child")
    assert caught.value.largest == found.zero.largest
    layer.lora_B["1_child"].register_forward_hook(lambda module, given, output: output * math.nan)
    broken = decode_parity(stack, stack.base.tokenizer)
    assert (broken.proven, broken.zero.largest) == (False, math.inf)
    assert broken.to_json()["zero"]["largest"] is None


def test_the_mode_of_the_model_is_put_back(kin):
    stack = kin.stack("child")
    stack.model.train()
    assert decode_parity(stack, stack.base.tokenizer, new_tokens=1).proven
    assert stack.model.training


def test_the_verb(kin, monkeypatch):
    where = ("--registry", kin.registry.path)
    found = json.loads(printed("parity", "child", "--prompt", "Say fox.", "--new-tokens", "2", *where, "--json"))
    assert (found["ref"], found["proven"], found["prompts"]) == ("child", True, 1)
    assert found["zero"] == {"largest": 0.0, "mean": 0.0, "agreement": 1.0, "first_differing": [None]}
    told = printed("parity", "child", *where)
    assert "child without its change is its parent, to the last bit: 3 prompts" in told
    assert "first differ at: token" in told

    bad = Departure(0.25, 0.125, 0.5, (None, 1))
    monkeypatch.setattr("adapterkit.workflows.parity.decode_parity", lambda *a, **k: Parity(bad, bad, 2, 40))
    told = printed("parity", "child", *where, code=1)
    assert "is NOT its parent: 2 prompts, 40 places" in told
    assert "differ by 0.25 at most, 0.125 on average" in told
    assert "the same, token 2" in told
