"""A stack trains its top member and nothing else. Each test names the upstream trap that it would fall into."""

from __future__ import annotations

import shutil

import pytest
import torch
from peft import LoraConfig, PeftModel
from safetensors import safe_open
from safetensors.torch import load_file

from adapterkit.artifacts import read_verified
from adapterkit.base.fingerprint import fingerprint
from adapterkit.base.load import Base, identify, load_base
from adapterkit.config.schema import ModelConfig
from adapterkit.errors import (
    ArtifactError,
    BaseMismatchError,
    FrozenChangedError,
    StackError,
    TrainableSetError,
    UsageError,
)
from adapterkit.stack.adapter_stack import AdapterStack
from adapterkit.workflows.train import train
from tests.workflows.tiny import FP32, Workshop

IDS = torch.arange(3, 35).view(2, 16)
PLAIN = {"r": 2, "lora_alpha": 4, "target_modules": "all-linear", "task_type": "CAUSAL_LM"}


@pytest.fixture(scope="module")
def workshop(tiny_base_dir, tmp_path_factory):
    """unified, child on unified, grandchild on child: each with dropout 0.5, each away from its start."""
    made = Workshop(tiny_base_dir, tmp_path_factory.mktemp("family"))
    train(made.config("unified"))
    train(made.config("child", "unified"))
    train(made.config("grandchild", "child"))
    return made


def tiny_base(folder) -> Base:
    identity, where = identify(ModelConfig(id=str(folder)), FP32)
    return load_base(identity, where, FP32, device=torch.device("cpu"))


@pytest.fixture
def base(tiny_base_dir) -> Base:
    return tiny_base(tiny_base_dir)


def logits(model) -> torch.Tensor:
    with torch.no_grad():
        return model(input_ids=IDS).logits


def lineage(workshop, name):
    return workshop.registry.lineage_artifacts(name)


def stacked(workshop, base, name="child", *, dropout=0.0, b_scale=0.1) -> AdapterStack:
    stack = AdapterStack(base)
    stack.attach(lineage(workshop, name))
    stack.add_trainee("top", LoraConfig(**PLAIN, lora_dropout=dropout), seed=3)
    with torch.no_grad():
        for name, tensor in stack.model.named_parameters():
            if "lora_B.2_top" in name:
                tensor.fill_(b_scale)
    return stack


def trainable(model) -> set[str]:
    return {name for name, parameter in model.named_parameters() if parameter.requires_grad}


def test_a_grandchild_alone_is_trainable_though_plain_peft_would_train_all_three(workshop, base):
    stack = stacked(workshop, base)
    names = trainable(stack.model)
    assert len(names) == 2 * 2 * 7  # A and B of seven linear layers in each of two blocks
    assert all(".2_top." in name for name in names)
    assert stack.model.base_model.active_adapters == ["0_unified", "1_child", "2_top"]

    stack.model.base_model.set_adapter(["0_unified", "1_child", "2_top"])  # trap 1
    assert len(trainable(stack.model)) == 3 * len(names)
    with pytest.raises(TrainableSetError, match="56 frozen parameters would be trained"):
        stack.require_trainable_set()


def test_deleting_an_adapter_behind_the_stack_is_found(workshop, base):
    stack = stacked(workshop, base)
    stack.model.delete_adapter("2_top")  # trap 4: gradients come back on all that remain
    assert len(trainable(stack.model)) > 0
    with pytest.raises(TrainableSetError):
        stack.require_trainable_set()


def test_every_published_generation_differs_from_the_one_below(workshop, base):
    found = []
    for name in ("unified", "child", "grandchild"):
        stack = AdapterStack(base)
        stack.attach(lineage(workshop, name))
        found.append(logits(stack.model))
        stack.detach()
    found.append(logits(base.model))
    assert all(not torch.equal(a, b) for i, a in enumerate(found) for b in found[:i])


def test_a_new_trainee_changes_no_logit(workshop, base):
    stack = AdapterStack(base)
    stack.attach(lineage(workshop, "child"))
    before = logits(stack.model)
    stack.add_trainee("top", LoraConfig(**PLAIN), seed=3)
    assert torch.equal(logits(stack.model), before)


def test_a_trainee_starts_from_its_seed_whatever_the_global_generator_says(workshop, base):
    states = []
    for noise, seed in ((1, 3), (2, 3), (2, 4)):
        torch.manual_seed(noise)
        stack = AdapterStack(base)
        before = torch.get_rng_state()
        stack.add_trainee("top", LoraConfig(**PLAIN), seed=seed)
        assert torch.equal(torch.get_rng_state(), before)
        states.append({name: tensor.clone() for name, tensor in stack.trainee_state().items()})
        stack.detach()
    first, same, other = states
    assert all(torch.equal(first[name], same[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


def test_frozen_members_are_a_constant_in_train_mode_and_are_not_in_plain_peft(workshop, base, tiny_model):
    stack = stacked(workshop, base)
    stack.model.train()
    assert torch.equal(logits(stack.model), logits(stack.model))

    plain = PeftModel.from_pretrained(tiny_model, lineage(workshop, "unified")[0].path, adapter_name="u")
    plain.train()
    assert not torch.equal(logits(plain), logits(plain))  # trap 6


def test_the_trainee_keeps_its_own_dropout(workshop, base):
    stack = stacked(workshop, base, dropout=0.5)
    stack.model.train()
    assert not torch.equal(logits(stack.model), logits(stack.model))


def test_without_top_is_the_parents_exactly_and_is_undone(workshop, base):
    parents = AdapterStack(base)
    parents.attach(lineage(workshop, "child"))
    expected = logits(parents.model)
    parents.detach()
    stack = stacked(workshop, base)
    with_top, names = logits(stack.model), trainable(stack.model)
    assert not torch.equal(with_top, expected)
    with stack.without_top() as model:
        assert torch.equal(logits(model), expected)
    assert torch.equal(logits(stack.model), with_top)
    assert trainable(stack.model) == names


def test_without_the_only_member_it_is_the_bare_base_and_is_undone_after_an_error(base):
    expected = logits(base.model)
    stack = AdapterStack(base)
    stack.add_trainee("top", LoraConfig(**PLAIN), seed=3)
    with torch.no_grad():
        for parameter in stack.trainee_parameters():
            parameter.fill_(0.1)
    with_top = logits(stack.model)

    def look_and_fail():
        with stack.without_top() as model:
            assert torch.equal(logits(model), expected)
            raise RuntimeError("boom")

    with pytest.raises(RuntimeError, match="boom"):
        look_and_fail()
    assert torch.equal(logits(stack.model), with_top)
    stack.require_trainable_set()


def test_detaching_leaves_the_base_bit_identical_and_frozen(workshop, base):
    before, expected, modules = fingerprint(base.model), logits(base.model), [type(m) for m in base.model.modules()]
    stack = stacked(workshop, base)
    stack.model.train()
    stack.model(input_ids=IDS, labels=IDS).loss.backward()
    stack.detach()
    before.require_equal(fingerprint(base.model))
    assert [type(m) for m in base.model.modules()] == modules
    assert trainable(base.model) == set()
    assert not base.model.training
    assert torch.equal(logits(base.model), expected)
    with pytest.raises(StackError, match="empty"):
        _ = stack.model


def test_only_the_trainee_is_saved_and_comes_back(workshop, base, tmp_path):
    stack = stacked(workshop, base)
    stack.save_trainee(tmp_path / "ours")
    assert sorted(p.name for p in (tmp_path / "ours").iterdir()) == ["adapter_config.json", "adapter_model.safetensors"]
    saved = load_file(tmp_path / "ours" / "adapter_model.safetensors")
    assert {name: tuple(t.shape) for name, t in saved.items()} == {
        name: tuple(t.shape) for name, t in stack.trainee_state().items()
    }
    assert len(saved) == 28
    with safe_open(tmp_path / "ours" / "adapter_model.safetensors", "pt") as file:
        assert file.metadata() == {"format": "pt"}  # Without it, transformers does not know whose tensors they are.

    stack.model.save_pretrained(tmp_path / "plain")  # trap 5
    assert {p.name for p in (tmp_path / "plain").iterdir() if p.is_dir()} == {"0_unified", "1_child", "2_top"}

    expected = logits(stack.model)
    with torch.no_grad():
        for parameter in stack.trainee_parameters():
            parameter.zero_()
    stack.load_trainee(tmp_path / "ours")
    assert torch.equal(logits(stack.model), expected)
    stack.require_frozen_unchanged()


def test_a_checkpoint_of_another_shape_is_refused(workshop, base, tmp_path):
    stack = stacked(workshop, base)
    stack.save_trainee(tmp_path)
    stack.detach()
    narrow = AdapterStack(base)
    narrow.add_trainee("top", LoraConfig(**PLAIN | {"r": 1}), seed=0)
    with pytest.raises(StackError, match="28 tensors are missing, unexpected or of another shape"):
        narrow.load_trainee(tmp_path)


def test_the_one_tensor_that_does_not_fit_is_named(workshop, base):
    stack = stacked(workshop, base)
    held = stack.trainee_state()
    first = min(held)
    with pytest.raises(StackError, match=f"1 tensor is missing, unexpected or of another shape, first `{first}`"):
        stack.put_trainee({**held, first: held[first][:1]})


def test_members_out_of_order_are_refused(workshop, base):
    unified, child, grandchild = lineage(workshop, "grandchild")
    for members in ([child], [unified, grandchild], [unified, unified]):
        stack = AdapterStack(base)
        with pytest.raises(StackError, match="was built on"):
            stack.attach(members)
        stack.detach()


def test_frozen_members_go_below_the_trainee(workshop, base):
    stack = stacked(workshop, base)
    with pytest.raises(StackError, match="before add_trainee"):
        stack.attach(lineage(workshop, "unified"))
    with pytest.raises(StackError, match="already trains"):
        stack.add_trainee("second", LoraConfig(**PLAIN), seed=0)


def test_another_base_is_refused(workshop, tiny_base_dir, tiny_model, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(tiny_base_dir, other)
    with torch.no_grad():
        tiny_model.model.norm.weight[0] += 1e-3
    tiny_model.save_pretrained(other)
    with pytest.raises(BaseMismatchError, match="was trained on another base"):
        AdapterStack(tiny_base(other)).attach(lineage(workshop, "unified"))


def test_targets_that_fit_nothing_are_refused(base):
    with pytest.raises(UsageError, match="does not fit the base"):
        AdapterStack(base).add_trainee("top", LoraConfig(r=2, target_modules=["no_such_layer"]), seed=0)


def test_a_changed_frozen_tensor_is_found_by_name(workshop, base):
    stack = stacked(workshop, base)
    stack.require_frozen_unchanged()
    weight = dict(stack.model.named_modules())["base_model.model.model.layers.1.mlp.up_proj"].lora_B["1_child"].weight
    weight.data[0, 0] += 1e-7  # what tensor._version misses
    with pytest.raises(FrozenChangedError, match=r"frozen adapter child@1\.0\.0 changed") as caught:
        stack.require_frozen_unchanged()
    assert [name for name in caught.value.changed if "layers.1.mlp.up_proj.lora_B" in name] == list(
        caught.value.changed
    )


def test_weights_exchanged_after_verification_are_refused(workshop, base, tmp_path):
    copy = tmp_path / "unified" / "1.0.0"
    shutil.copytree(lineage(workshop, "unified")[0].path, copy)
    copy.chmod(0o755)
    artifact = read_verified(copy)
    weights = copy / "adapter_model.safetensors"
    weights.chmod(0o644)
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    with pytest.raises(ArtifactError, match="changed since"):
        AdapterStack(base).attach([artifact])
