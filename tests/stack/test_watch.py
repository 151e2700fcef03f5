"""What the look before a step says of each way to take a stack in training apart, and what it lets pass."""

from __future__ import annotations

import pytest
import torch
from peft import LoraConfig

from adapterkit.base.fingerprint import fingerprint
from adapterkit.errors import FrozenChangedError, StackError, TrainableSetError
from adapterkit.stack.adapter_stack import AdapterStack
from adapterkit.stack.blend import Blend
from adapterkit.stack.freeze_guard import FreezeGuard
from adapterkit.stack.layers import lora_layers
from adapterkit.stack.watch import Watch
from tests.stack.kin import Kin, logits

Q = "model.layers.0.self_attn.q_proj"
INSIDE = f"base_model.model.{Q}"


@pytest.fixture(scope="module")
def kin(tiny_base_dir, tmp_path_factory):
    made = Kin(tiny_base_dir, tmp_path_factory.mktemp("kin"))
    made.publish("unified", seed=1, target_modules=["q_proj", "v_proj"])
    return made


@pytest.fixture
def stack(kin):
    made = kin.stack("unified")
    made.add_trainee("child", LoraConfig(r=2, target_modules=["q_proj"]), seed=0)
    return made


@pytest.fixture
def watch(stack):
    made = Watch(stack)
    made.require_in_place()
    return made


def first(stack: AdapterStack) -> torch.nn.Module:
    return stack.model.get_submodule(INSIDE)


def own(stack: AdapterStack) -> dict[str, torch.nn.Parameter]:
    return {name: each for name, each in stack.model.named_parameters() if "1_child" in name}


def frozen(stack: AdapterStack) -> list[str]:
    return [name for name, _ in stack.model.named_parameters() if "1_child" not in name]


def test_a_frozen_parameter_wrapped_anew_passes(stack, watch):
    """As DoRA of PEFT does it to quantized weights, in every forward pass on a CPU."""
    layer = first(stack).base_layer
    for _ in range(2):
        layer.weight = torch.nn.Parameter(layer.weight.data, requires_grad=False)
        watch.require_in_place()
    layer.weight = torch.nn.Parameter(layer.weight.data)
    with pytest.raises(TrainableSetError) as caught:
        watch.require_in_place()
    assert (caught.value.missing, caught.value.unexpected) == ((), (f"{INSIDE}.base_layer.weight",))


@pytest.mark.parametrize(
    "other",
    [
        lambda weight: torch.nn.Parameter(weight.data.clone(), requires_grad=False),
        lambda weight: torch.nn.Parameter(weight.data.T, requires_grad=False),
        lambda weight: torch.nn.Parameter(weight.data[:16], requires_grad=False),
    ],
    ids=["other memory", "other strides", "other shape"],
)
def test_other_memory_is_another_parameter(stack, watch, other):
    layer, count = first(stack).base_layer, len(list(stack.model.parameters()))
    layer.weight = other(layer.weight)
    with pytest.raises(FrozenChangedError) as caught:
        watch.require_in_place()
    name = f"{INSIDE}.base_layer.weight"
    assert (caught.value.changed, caught.value.missing, caught.value.unexpected) == ((name,), (), ())
    assert str(caught.value) == (
        f"Modules or parameters were exchanged in training: of {count} parameters 1 are other objects, 0 are gone, 0 "
        f"are new, first `{name}`. Nothing was written. Something put its own module or Parameter into the model, or "
        "deleted an adapter. Build the stack again with AdapterStack, and switch only through it."
    )


def test_a_trainee_s_parameter_may_not_be_wrapped_anew(stack, watch):
    layer = first(stack).lora_A["1_child"]
    layer.weight = torch.nn.Parameter(layer.weight.data)
    with pytest.raises(FrozenChangedError) as caught:
        watch.require_in_place()
    assert caught.value.changed == (f"{INSIDE}.lora_A.1_child.weight",)


def test_what_is_gone_and_what_is_new_is_told_apart(stack, watch):
    layer = first(stack)
    layer.base_layer.register_parameter("stranger", torch.nn.Parameter(torch.zeros(1), requires_grad=False))
    del layer.lora_A["0_unified"]
    with pytest.raises(FrozenChangedError, match="0 are other objects, 1 are gone, 1 are new, first") as caught:
        watch.require_in_place()
    assert caught.value.missing == (f"{INSIDE}.lora_A.0_unified.weight",)
    assert caught.value.unexpected == (f"{INSIDE}.base_layer.stranger",)


def test_a_module_without_parameters_counts_as_well(stack, watch):
    first(stack).lora_dropout["0_unified"] = torch.nn.Dropout(0.5)
    with pytest.raises(FrozenChangedError, match=r"0 are new\. Nothing was written") as caught:
        watch.require_in_place()
    assert (caught.value.changed, caught.value.missing, caught.value.unexpected) == ((), (), ())


def test_what_trains_besides_and_what_does_not_is_named(stack, watch):
    (one, *_), name = own(stack), f"{INSIDE}.lora_A.0_unified.weight"
    stack.model.get_parameter(name).requires_grad_(True)
    own(stack)[one].requires_grad_(False)
    with pytest.raises(TrainableSetError) as caught:
        watch.require_in_place()
    assert (caught.value.missing, caught.value.unexpected) == ((one,), (name,))


def test_a_frozen_parameter_with_a_gradient_is_named(stack, watch):
    names = [f"{INSIDE}.base_layer.weight", f"{INSIDE}.lora_B.0_unified.weight"]
    for parameter in own(stack).values():
        parameter.grad = torch.zeros_like(parameter)
    watch.require_in_place()
    for name in reversed(names):
        parameter = stack.model.get_parameter(name)
        parameter.grad = torch.zeros_like(parameter)
    with pytest.raises(TrainableSetError) as caught:
        watch.require_in_place()
    assert (caught.value.missing, caught.value.unexpected) == ((), tuple(names))


def test_another_scale_is_told_with_both(stack, watch):
    layer = first(stack)
    before = dict(layer.scaling)
    layer.scaling["0_unified"] *= 2
    with pytest.raises(FrozenChangedError) as caught:
        watch.require_in_place()
    assert caught.value.changed == (INSIDE,)
    assert f"scales by {layer.scaling}, not {before}. Nothing was written." in str(caught.value)


def test_a_merged_adapter_is_told(stack, watch):
    first(stack).merge(adapter_names=["0_unified"])
    with pytest.raises(FrozenChangedError, match=r"q_proj` holds 0_unified merged into its weight\. Nothing"):
        watch.require_in_place()


def test_disabled_adapters_are_told(stack, watch):
    first(stack).enable_adapters(False)
    for parameter in own(stack).values():
        parameter.requires_grad_(True)
    with pytest.raises(StackError, match=r"runs the adapters none \(disabled\), and the stack is 0_unified, 1_child"):
        watch.require_in_place()


def test_other_active_adapters_are_told(stack, watch):
    first(stack)._active_adapter = ["1_child"]
    with pytest.raises(StackError, match="runs the adapters 1_child, and the stack is 0_unified, 1_child"):
        watch.require_in_place()


def test_every_layer_is_looked_at(stack, watch):
    for name, layer in lora_layers(stack.model):
        kept, layer._active_adapter = layer._active_adapter, []
        with pytest.raises(StackError, match=name):
            watch.require_in_place()
        layer._active_adapter = kept
    watch.require_in_place()


def optimizer_of(*parameters: torch.nn.Parameter) -> torch.optim.Optimizer:
    return torch.optim.SGD([*parameters], lr=0.1, momentum=0.9)


def test_an_optimizer_of_the_trainee_alone_passes(stack, watch):
    one, *others = own(stack).values()
    optimizer = optimizer_of(one)
    optimizer.add_param_group({"params": others})
    watch.require_optimizer(optimizer)
    for parameter in (one, *others):
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    assert len(optimizer.state) == 1 + len(others)
    watch.require_optimizer(optimizer)


def test_what_an_optimizer_lacks_or_has_besides_is_named(stack, watch):
    (name, one), *_ = own(stack).items()
    stranger, loose = f"{INSIDE}.base_layer.weight", torch.nn.Parameter(torch.zeros(1))
    others = [each for key, each in own(stack).items() if key != name]
    for given, missing, unexpected in (
        (others, (name,), ()),
        ([*own(stack).values(), stack.model.get_parameter(stranger)], (), (stranger,)),
        ([*others, loose], (name,), ("(not in the model)",)),
    ):
        with pytest.raises(TrainableSetError) as caught:
            watch.require_optimizer(optimizer_of(*given))
        assert (caught.value.missing, caught.value.unexpected) == (missing, unexpected)
    whole = optimizer_of(*own(stack).values())
    whole.state[loose] = {"momentum_buffer": torch.zeros(1)}
    with pytest.raises(TrainableSetError) as caught:
        watch.require_optimizer(whole)
    assert (caught.value.missing, caught.value.unexpected) == ((), ("(not in the model)",))
    twice = optimizer_of(*own(stack).values())
    twice.param_groups[0]["params"].append(one)
    with pytest.raises(TrainableSetError):
        watch.require_optimizer(twice)


def test_a_guard_looks_before_every_step_of_the_optimizer_it_watches(kin, stack):
    guard = FreezeGuard(stack, fingerprint(stack.model))
    guard.require_in_place()
    optimizer = optimizer_of(*own(stack).values())
    guard.before_step(optimizer)
    guard.watch(optimizer)
    guard.require_stepped_by(optimizer)
    with pytest.raises(TrainableSetError, match=r"\(an unwatched SGD\)") as caught:
        guard.require_stepped_by(optimizer_of(*own(stack).values()))
    assert caught.value.missing == ()
    logits(stack.model)
    optimizer.step()
    stack.model.get_parameter(frozen(stack)[0]).requires_grad_(True)
    with pytest.raises(TrainableSetError) as caught:
        optimizer.step()
    assert caught.value.unexpected == (frozen(stack)[0],)


def test_a_guard_tells_of_the_base_that_changed_before_it_raises(stack):
    told, before = [], fingerprint(stack.model)
    guard = FreezeGuard(stack, before, on_change=told.append)
    assert guard.before_write() == before
    assert told == []
    with torch.no_grad():
        first(stack).base_layer.weight[0, 0] += 1
    with pytest.raises(FrozenChangedError) as caught:
        guard.before_write()
    assert caught.value.changed == (f"{Q}.weight",)
    assert [each.digest for each in told] == [fingerprint(stack.model).digest] != [before.digest]
    with pytest.raises(FrozenChangedError):
        FreezeGuard(stack, before).before_write()


def test_a_guard_tells_of_a_frozen_member_and_of_its_place(stack):
    guard = FreezeGuard(stack, fingerprint(stack.model))
    with torch.no_grad():
        first(stack).lora_A["0_unified"].weight[0, 0] += 1
    with pytest.raises(FrozenChangedError, match=r"The frozen adapter unified@1\.0\.0 changed during training: 1 of"):
        guard.before_write()
    first(stack)._active_adapter = ["1_child"]
    with pytest.raises(StackError, match="runs the adapters 1_child"):
        guard.before_write()


def test_a_guard_that_watches_nothing_yet_demands_the_trainable_set(stack):
    guard = FreezeGuard(stack, fingerprint(stack.model))
    guard.require_in_place()
    first(stack).base_layer.weight.requires_grad_(True)
    with pytest.raises(TrainableSetError):
        FreezeGuard(stack, guard.before).require_in_place()


def test_a_stack_that_was_taken_off_blends_nothing(stack):
    stack.detach()
    assert stack.blended == Blend.plain(0)
    assert stack.members == []
