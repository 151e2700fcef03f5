"""A stack adds up as its blend says, against a dense float64 reference, and comes back to the very bits it had."""

from __future__ import annotations

import math

import pytest
import torch
from peft import LoraConfig
from safetensors.torch import load_file

import adapterkit
from adapterkit.artifacts import parse_adapter_config
from adapterkit.errors import StackError, UsageError
from adapterkit.stack.blend import Blend, blend_of
from adapterkit.stack.layers import lora_layers
from adapterkit.stack.watch import Watch
from tests.stack.kin import Kin, logits


@pytest.fixture(scope="module")
def kin(tiny_base_dir, tmp_path_factory):
    """unified (rank 4), child (rsLoRA with patterns, on other layers), grandchild; dora on unified, on_dora on that."""
    made = Kin(tiny_base_dir, tmp_path_factory.mktemp("kin"))
    unified = made.publish("unified", seed=1, target_modules=["q_proj", "v_proj", "down_proj"])
    pattern = {"alpha_pattern": {"q_proj": 3}, "rank_pattern": {"up_proj": 2}}
    child = made.publish("child", unified, seed=2, use_rslora=True, target_modules=["q_proj", "up_proj"], **pattern)
    made.publish("grandchild", child, seed=3, r=2)
    dora = made.publish("dora", unified, seed=4, use_dora=True, target_modules=["q_proj"])
    made.publish("on_dora", dora, seed=5)
    return made


def dense(kin, ref, coefficients):
    """The model whose weights hold the sum, in float64: from the files alone, without adapterkit's own factors."""
    model = kin.base(torch.float64).model
    for artifact, coefficient in zip(kin.registry.lineage_artifacts(ref), coefficients, strict=True):
        settings = parse_adapter_config((artifact.path / "adapter_config.json").read_bytes())
        tensors = load_file(artifact.path / "adapter_model.safetensors")
        for name in tensors:
            if not name.endswith("lora_A.weight"):
                continue
            module = name.removeprefix("base_model.model.").removesuffix(".lora_A.weight")
            rank = settings.rank_of(module)
            divisor = math.sqrt(rank) if settings.plain["use_rslora"] else rank
            b, a = tensors[name.replace("lora_A", "lora_B")].double(), tensors[name].double()
            with torch.no_grad():
                model.get_submodule(module).weight += coefficient * settings.alpha_of(module) / divisor * (b @ a)
    return logits(model)


@pytest.mark.parametrize(
    ("kind", "weights", "coefficients"),
    [
        ("additive", (1, 1, 1), (1, 1, 1)),
        ("additive", (0.5, 2, -1), (0.5, 2, -1)),
        ("interpolative", (1, 1, 2), (0.25, 0.25, 0.5)),
        ("interpolative", (3, -1, 0), (1.5, -0.5, 0)),
    ],
)
def test_a_stack_is_the_sum_that_its_blend_says(kin, kind, weights, coefficients):
    stack = kin.stack("grandchild", torch.float64)
    stack.blend(kind, weights)
    expected = dense(kin, "grandchild", coefficients)
    assert (logits(stack.model) - expected).abs().max() < 1e-10


def test_a_thousand_changes_leave_nothing_behind(kin):
    stack = kin.stack("grandchild")
    before = logits(stack.model)
    scaling = [dict(layer.scaling) for _, layer in lora_layers(stack.model)]
    watch_free = [id(parameter) for parameter in stack.model.parameters()]
    for step in range(1000):
        stack.blend("interpolative", (1, 0.1 + step / 7, 1 / 3))
    assert not torch.equal(logits(stack.model), before)
    stack.blend()
    assert [dict(layer.scaling) for _, layer in lora_layers(stack.model)] == scaling
    assert [id(parameter) for parameter in stack.model.parameters()] == watch_free
    assert torch.equal(logits(stack.model), before)
    stack.require_frozen_unchanged()


def test_without_its_top_member_a_blend_is_that_of_its_parents(kin):
    stack, parents = kin.stack("grandchild"), kin.stack("child")
    stack.blend("interpolative", (1, 3, 4))
    parents.blend("interpolative", (1, 3))
    with_top = logits(stack.model)
    with stack.without_top() as model:
        assert torch.equal(logits(model), logits(parents.model))
    assert torch.equal(logits(stack.model), with_top)
    stack.blend("interpolative", (1, -1, 4))
    with pytest.raises(UsageError, match="add up to 0"), stack.without_top():
        pass
    assert stack.model.base_model.active_adapters == ["0_unified", "1_child", "2_grandchild"]


@pytest.mark.parametrize(
    ("kind", "weights", "match"),
    [
        ("interpolative", (1.0, -1.0), "add up to 0, and the interpolative blend divides"),
        ("interpolative", (0.1 + 0.2, -0.3), "add up to"),
        ("interpolative", (1e308, 1e308), "add up to inf"),
        ("additive", (1.0, math.nan), "no finite number"),
        ("interpolative", (math.inf, 1.0), "no finite number"),
        ("additive", (1.0,), "1 weight for a stack of 2 members"),
        ("additive", 1.0, "one for each member, the root.s first: 1.0 is none"),
        ("additive", ("a", "b"), "is none"),
        ("additve", (1.0, 1.0), "Did you mean additive"),
    ],
)
def test_what_is_no_blend_is_refused(kind, weights, match):
    with pytest.raises(UsageError, match=match):
        blend_of(2, kind, weights)


def test_a_lone_member_interpolates_to_itself():
    assert Blend("interpolative", (0.3,)).is_plain
    assert blend_of(3) == Blend.plain(3)
    assert str(blend_of(2, "interpolative", (1, 0.5))) == "interpolative, weights 1, 0.5"
    assert str(blend_of(1, "additive", (0.5,))) == "additive, weight 0.5"


def test_a_session_is_loaded_under_a_blend_and_changed_without_loading(kin):
    path = kin.registry.path
    session = adapterkit.load("child", registry=path, device="cpu", blend="interpolative", weights=[1, 3])
    stack = kin.stack("child")
    stack.blend("interpolative", [1, 3])
    assert torch.equal(logits(session.model), logits(stack.model))
    session.blend()
    stack.blend()
    assert torch.equal(logits(session.model), logits(stack.model))
    with pytest.raises(UsageError, match="3 weights for a stack of 2 members"):
        adapterkit.load("child", registry=path, weights=[1, 2, 3])


def test_a_dora_keeps_its_weight_and_its_parents(kin):
    stack = kin.stack("on_dora")
    for weights in ((1, 0.5, 1), (0.5, 1, 1), (1, 1, 1)):
        with pytest.raises(StackError, match=r"dora@1\.0\.0 is a DoRA"):
            stack.blend("interpolative", weights)
    plain = logits(stack.model)
    stack.blend("additive", (1, 1, 0))
    with kin.stack("on_dora").without_top() as model:
        assert torch.equal(logits(stack.model), logits(model))
    stack.blend()
    assert torch.equal(logits(stack.model), plain)
    with pytest.raises(StackError, match="is a DoRA"):
        adapterkit.load("dora", registry=kin.registry.path, weights=[1, 0.5])


def test_what_is_trained_is_trained_on_the_plain_sum(kin):
    stack = kin.stack("child")
    stack.blend("additive", (1, 0.5))
    for build in (lambda: stack.add_trainee("top", LoraConfig(r=2), seed=0), lambda: stack.attach([])):
        with pytest.raises(StackError, match="built on the plain sum"):
            build()
    stack.blend()
    stack.add_trainee("top", LoraConfig(r=2, target_modules=["q_proj"]), seed=0)
    watch = Watch(stack)
    with pytest.raises(StackError, match="with a trainee adds up plainly"):
        stack.blend("additive", (1, 0.5, 1))
    stack.blend("additive", (1, 1, 1))
    with stack.without_top():
        pass
    watch.require_in_place()
