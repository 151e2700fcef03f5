import pytest
import torch
from peft import LoraConfig, PeftModel, prepare_model_for_kbit_training
from transformers import AutoModelForCausalLM

from adapterkit.base.fingerprint import fingerprint
from adapterkit.errors import FrozenChangedError

CONFIG = LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM")


def test_every_changed_bit_is_found_and_named(tiny_model):
    before = fingerprint(tiny_model)
    weight = tiny_model.model.layers[0].self_attn.q_proj.weight
    weight.data.view(torch.int32)[0, 0] ^= 1
    with pytest.raises(FrozenChangedError, match=r"1 of \d+ tensors differ: model.layers.0.self_attn.q_proj.weight"):
        before.require_equal(fingerprint(tiny_model))


def test_non_persistent_buffers_are_covered(tiny_model):
    before = fingerprint(tiny_model)
    name, buffer = next((name, buffer) for name, buffer in tiny_model.named_buffers() if "inv_freq" in name)
    assert name not in tiny_model.state_dict()
    buffer[0] += 1.0
    with pytest.raises(FrozenChangedError) as caught:
        before.require_equal(fingerprint(tiny_model))
    assert name in caught.value.changed


def test_untying_the_head_shows_although_every_value_is_equal(tiny_model):
    before = fingerprint(tiny_model)
    assert before.aliases == (("lm_head.weight", "model.embed_tokens.weight"),)
    tiny_model.lm_head.weight = torch.nn.Parameter(tiny_model.lm_head.weight.detach().clone())
    with pytest.raises(FrozenChangedError, match="retied"):
        before.require_equal(fingerprint(tiny_model))


def test_attaching_adapters_and_training_them_changes_nothing(tiny_model):
    before = fingerprint(tiny_model)
    peft = PeftModel(tiny_model, CONFIG)
    for parameter in peft.parameters():
        if parameter.requires_grad:
            parameter.data += 1.0
    assert fingerprint(peft) == before


def test_merging_an_adapter_in_place_is_found(tiny_model):
    before = fingerprint(tiny_model)
    peft = PeftModel(tiny_model, CONFIG)
    peft.base_model.model.model.layers[0].self_attn.q_proj.lora_B["default"].weight.data += 0.1
    peft.merge_adapter()
    with pytest.raises(FrozenChangedError) as caught:
        before.require_equal(fingerprint(peft))
    assert caught.value.changed == ("model.layers.0.self_attn.q_proj.weight",)


def test_a_writer_that_bypasses_the_version_counter_is_found(tiny_model):
    before = fingerprint(tiny_model)
    weight = tiny_model.model.norm.weight
    version = weight._version
    weight.detach().numpy()[0] = 7.0
    assert weight._version == version
    with pytest.raises(FrozenChangedError, match=r"model\.norm\.weight"):
        before.require_equal(fingerprint(tiny_model))


def test_missing_and_new_tensors_are_listed_apart(tiny_model):
    before = fingerprint(tiny_model)
    del tiny_model.model.norm
    tiny_model.model.register_buffer("extra", torch.zeros(1))
    with pytest.raises(FrozenChangedError) as caught:
        before.require_equal(fingerprint(tiny_model))
    assert (caught.value.missing, caught.value.unexpected) == (
        ("model.norm", "model.norm.weight"),
        ("model.extra",),
    )


def test_preparing_for_k_bit_training_widens_every_tensor_and_changes_no_record(tiny_base_dir):
    for dtype in (torch.bfloat16, torch.float16):
        model = AutoModelForCausalLM.from_pretrained(tiny_base_dir, dtype=dtype)
        before = fingerprint(model)
        assert {str(parameter.dtype) for parameter in model.parameters()} == {str(dtype)}
        prepare_model_for_kbit_training(model)
        assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
        before.require_equal(fingerprint(model))
        assert fingerprint(model).digest == before.digest


def test_another_activation_or_epsilon_is_found_although_no_tensor_moved(tiny_model):
    before = fingerprint(tiny_model)
    tiny_model.model.layers[1].mlp.act_fn = torch.nn.GELU()
    with pytest.raises(FrozenChangedError, match=r"1 of \d+ modules differ: model.layers.1.mlp.act_fn") as caught:
        before.require_equal(fingerprint(tiny_model))
    assert "-> GELU(" in str(caught.value)
    tiny_model.model.layers[1].mlp.act_fn = torch.nn.SiLU()
    tiny_model.model.norm.variance_epsilon = 1.0
    with pytest.raises(FrozenChangedError) as caught:
        before.require_equal(fingerprint(tiny_model))
    assert "model.norm" in caught.value.changed


def test_a_module_that_peft_wrapped_is_the_bare_one_under_its_own_name(tiny_model):
    before = fingerprint(tiny_model)
    config = LoraConfig(r=2, target_modules=["q_proj"], modules_to_save=["norm"], task_type="CAUSAL_LM")
    peft = PeftModel(tiny_model, config)
    assert fingerprint(peft) == before
    peft.base_model.model.model.norm.modules_to_save["default"].weight.data += 1.0
    assert fingerprint(peft) == before
