"""A stack merged into its base answers the same, and leaves the base bit for bit as it was."""

from __future__ import annotations

import pytest
import torch
from peft import LoraConfig

from adapterkit.base.fingerprint import fingerprint
from adapterkit.config.schema import QuantizationConfig
from adapterkit.errors import FrozenChangedError, StackError
from adapterkit.stack.watch import Watch
from tests.stack.kin import Kin, logits

# PEFT warns of a target that is tied to the embedding.
pytestmark = pytest.mark.filterwarnings("ignore:Model .*tie_word_embeddings")
NF4 = QuantizationConfig(kind="nf4", compute_dtype="float32", dtype="float32")


@pytest.fixture(scope="module")
def kin(tiny_base_dir, tmp_path_factory):
    made = Kin(tiny_base_dir, tmp_path_factory.mktemp("kin"))
    unified = made.publish("unified", seed=1, target_modules=["q_proj", "v_proj", "down_proj"])
    made.publish("child", unified, seed=2, use_rslora=True)
    dora = made.publish("dora", unified, seed=3, use_dora=True)
    made.publish("on_dora", dora, seed=4, use_dora=True, target_modules=["q_proj", "down_proj"])
    made.publish("head", seed=5, target_modules=["q_proj", "lm_head"])
    return made


@pytest.mark.parametrize("name", ["unified", "child", "dora", "on_dora", "head"])
def test_merged_it_answers_the_same_and_unmerged_it_is_what_it_was(kin, name):
    stack = kin.stack(name, torch.float64)
    before, answered = fingerprint(stack.model), logits(stack.model)
    storages = {parameter.data_ptr() for parameter in stack.base.model.parameters()}
    assert before.aliases  # The head is tied to the embedding.
    losses = stack.merge()
    assert (logits(stack.model) - answered).abs().max() < 1e-10
    assert len(losses) == sum(hasattr(module, "lora_A") for module in stack.model.modules())
    assert max(losses.values()) < 1e-14
    with pytest.raises(FrozenChangedError):
        before.require_equal(fingerprint(stack.model))
    stack.unmerge()
    before.require_equal(fingerprint(stack.model))
    assert {parameter.data_ptr() for parameter in stack.base.model.parameters()} == storages
    assert torch.equal(logits(stack.model), answered)
    stack.unmerge()  # Nothing happens.


@pytest.mark.parametrize("mark", ["quant_state", "full_tensor"])
def test_a_weight_that_bears_the_mark_of_one_packed_or_cut_is_refused(kin, mark):
    """Whatever its dtype is: packed weights may be stored as floats, and parts of weights are."""
    stack = kin.stack("unified")
    setattr(stack.model.get_submodule("base_model.model.model.layers.0.self_attn.v_proj").weight, mark, object())
    with pytest.raises(StackError, match=r"quantized, or cut among ranks \(`.*layers.0.self_attn.v_proj` is a Param"):
        stack.merge()


def test_bf16_comes_back_and_does_not_in_plain_peft(kin):
    stack = kin.stack("child", torch.bfloat16)
    before = fingerprint(stack.model)
    losses = stack.merge()
    assert 1e-4 < max(losses.values()) < 1  # It says what rounding took.
    stack.unmerge()
    before.require_equal(fingerprint(stack.model))
    stack.model.merge_adapter()
    stack.model.unmerge_adapter()
    with pytest.raises(FrozenChangedError):  # trap 12
        before.require_equal(fingerprint(stack.model))


def test_an_embedding_that_is_tied_to_the_merged_head_stays(kin):
    stack = kin.stack("head")
    embedding = stack.base.model.get_input_embeddings().weight
    held = embedding.clone()
    stack.merge()
    assert torch.equal(stack.base.model.get_input_embeddings().weight, held)
    assert stack.base.model.get_output_embeddings().get_base_layer().weight is not embedding
    stack.unmerge()
    assert stack.base.model.get_output_embeddings().get_base_layer().weight is embedding


def test_a_blend_is_merged_as_it_is(kin):
    stack = kin.stack("child", torch.float64)
    stack.blend("interpolative", (1, 3))
    answered = logits(stack.model)
    stack.merge()
    assert (logits(stack.model) - answered).abs().max() < 1e-10


def test_while_it_is_merged_nothing_else_is_done(kin):
    stack = kin.stack("child")
    before = fingerprint(stack.base.model)
    stack.merge()
    for forbidden in (
        stack.merge,
        stack.blend,
        lambda: stack.attach([]),
        lambda: stack.add_trainee("top", LoraConfig(r=2), seed=0),
        lambda: stack.without_top().__enter__(),
        lambda: stack.with_zero_delta().__enter__(),
    ):
        with pytest.raises(StackError, match=r"call unmerge\(\) first"):
            forbidden()
    stack.detach()
    before.require_equal(fingerprint(stack.base.model))


def test_the_guard_sees_a_merge(kin):
    stack = kin.stack("unified")
    stack.add_trainee("top", LoraConfig(r=2, target_modules=["q_proj"]), seed=0)
    watch = Watch(stack)
    stack.merge()
    with pytest.raises(FrozenChangedError):
        watch.require_in_place()
    stack.unmerge()
    watch.require_in_place()


def test_a_four_bit_base_is_refused_untouched(tiny_base_dir, tmp_path):
    kin = Kin(tiny_base_dir, tmp_path, NF4)
    kin.publish("unified")
    stack = kin.stack("unified")
    before = fingerprint(stack.model)
    with pytest.raises(StackError, match="would have to quantize the sum again"):
        stack.merge()
    before.require_equal(fingerprint(stack.model))
    stack.blend("additive", [0.5])
