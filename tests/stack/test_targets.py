"""Roles come to exactly the layers that play them, on real architectures; a name that fits nothing is told."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig
from peft.tuners.lora import LoraLayer
from transformers import AutoConfig, AutoModelForCausalLM

from adapterkit.artifacts import measure_sound
from adapterkit.base.load import Base
from adapterkit.errors import UsageError
from adapterkit.lineage import BaseIdentity
from adapterkit.stack.adapter_stack import AdapterStack
from adapterkit.stack.roles import place_of
from adapterkit.stack.targets import real_targets

SIZES = {
    "vocab_size": 64, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24,
    "max_position_embeddings": 32, "pad_token_id": 0, "bos_token_id": 0, "eos_token_id": 0,
}  # fmt: skip
GROUPED = {**SIZES, "num_key_value_heads": 1}
ENDS = {"bos_token_id": 0, "eos_token_id": 0}
GPT = {"vocab_size": 64, "n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 32, **ENDS}
CONFIGS: dict[str, dict[str, Any]] = {
    **dict.fromkeys(["llama", "mistral", "qwen2", "qwen3", "gemma", "gemma2", "olmo", "starcoder2"], GROUPED),
    **dict.fromkeys(["glm", "nemotron", "mixtral", "deepseek_v3"], GROUPED),
    **dict.fromkeys(["gpt_neox", "phi", "phi3", "falcon", "persimmon"], SIZES),
    **dict.fromkeys(["gpt2", "gpt_bigcode"], GPT),
    "gptj": {**GPT, "rotary_dim": 4},
    "codegen": {**GPT, "n_embd": 32, "n_head": 4, "rotary_dim": 4},
    "bloom": {"vocab_size": 64, "hidden_size": 16, "n_layer": 2, "n_head": 2, **ENDS},
    "mpt": {"vocab_size": 64, "d_model": 16, "n_layers": 2, "n_heads": 2},
    "opt": {
        "vocab_size": 64, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "ffn_dim": 24,
        "word_embed_proj_dim": 8, "max_position_embeddings": 32, "pad_token_id": 0,
    },
}  # fmt: skip
LLAMA = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj"), ("mlp.gate_proj", "mlp.up_proj", "mlp.down_proj")  # fmt: skip # noqa: E501
# What attention and MLP are in each family, by place.
LAYERS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    **dict.fromkeys(["llama", "mistral", "qwen2", "qwen3", "gemma", "gemma2", "olmo"], LLAMA),
    "nemotron": (LLAMA[0], ("mlp.up_proj", "mlp.down_proj")),
    "glm": (LLAMA[0], ("mlp.gate_up_proj", "mlp.down_proj")),
    "starcoder2": (LLAMA[0], ("mlp.c_fc", "mlp.c_proj")),
    **dict.fromkeys(["gpt2", "gpt_bigcode"], (("attn.c_attn", "attn.c_proj"), ("mlp.c_fc", "mlp.c_proj"))),
    "gptj": (("attn.q_proj", "attn.k_proj", "attn.v_proj", "attn.out_proj"), ("mlp.fc_in", "mlp.fc_out")),
    "codegen": (("attn.qkv_proj", "attn.out_proj"), ("mlp.fc_in", "mlp.fc_out")),
    "gpt_neox": (("attention.query_key_value", "attention.dense"), ("mlp.dense_h_to_4h", "mlp.dense_4h_to_h")),
    **dict.fromkeys(
        ["falcon", "bloom"],
        (("self_attention.query_key_value", "self_attention.dense"), ("mlp.dense_h_to_4h", "mlp.dense_4h_to_h")),
    ),
    "persimmon": (("self_attn.query_key_value", "self_attn.dense"), ("mlp.dense_h_to_4h", "mlp.dense_4h_to_h")),
    "phi": (("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.dense"), ("mlp.fc1", "mlp.fc2")),
    "phi3": (("self_attn.qkv_proj", "self_attn.o_proj"), ("mlp.gate_up_proj", "mlp.down_proj")),
    "opt": (
        ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.out_proj"),
        ("layers.fc1", "layers.fc2"),
    ),
    "mpt": (("attn.Wqkv", "attn.out_proj"), ("ffn.up_proj", "ffn.down_proj")),
}


def model_of(kind: str) -> Any:
    config = AutoConfig.for_model(kind, **CONFIGS[kind])
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(config).requires_grad_(False)


def stack_on(model: Any) -> AdapterStack:
    return AdapterStack(Base(model, None, BaseIdentity("tiny", None, "a" * 64, {"kind": "none"}), None))  # type: ignore[arg-type]


def adapted(model: Any, *targets: str) -> dict[str, int]:
    """How many layers of each place bear an adapter, once a stack has put it there."""
    stack = stack_on(model)
    stack.add_trainee("top", LoraConfig(r=2, target_modules=list(targets), task_type="CAUSAL_LM"), seed=0)
    found: dict[str, int] = {}
    for name, module in model.named_modules():
        if isinstance(module, LoraLayer):
            found[place_of(name)] = found.get(place_of(name), 0) + 1
    return found


@pytest.mark.parametrize("kind", sorted(LAYERS))
def test_attention_and_mlp_are_exactly_these_layers(kind: str) -> None:
    attention, mlp = LAYERS[kind]
    assert adapted(model_of(kind), "attention") == dict.fromkeys(attention, 2)
    assert adapted(model_of(kind), "mlp") == dict.fromkeys(mlp, 2)
    assert adapted(model_of(kind), "attention", "mlp") == dict.fromkeys(attention + mlp, 2)


@pytest.mark.parametrize(
    ("kind", "wanted", "found"),
    [
        ("llama", ["q", "v"], ["q_proj", "v_proj"]),
        ("llama", ["attention", "down_proj"], ["down_proj", "k_proj", "o_proj", "q_proj", "v_proj"]),
        ("gpt2", ["attention"], ["attn.c_proj", "c_attn"]),
        ("gpt2", ["mlp"], ["c_fc", "mlp.c_proj"]),
        ("gpt2", ["attention", "mlp"], ["c_attn", "c_fc", "c_proj"]),
        ("gpt2", ["o", "down"], ["c_proj"]),
        ("gpt2", ["c_proj"], ["c_proj"]),
        ("gpt2", ["h.0.attn.c_proj"], ["h.0.attn.c_proj"]),
        ("gpt_neox", ["o"], ["dense"]),
        ("opt", ["up", "o"], ["fc1", "out_proj"]),
        ("phi3", ["gate"], ["gate_up_proj"]),
    ],
)
def test_roles_become_the_shortest_names_that_mean_them_alone(kind: str, wanted: list[str], found: list[str]) -> None:
    assert real_targets(wanted, model_of(kind)) == found


def test_where_no_ending_means_them_alone_they_are_named_in_full() -> None:
    model = torch.nn.Module()
    for place, of in (("text.self_attn", torch.nn.Linear(4, 4)), ("sight.self_attn", torch.nn.Conv1d(4, 4, 1))):
        model.add_module(
            place.partition(".")[0], torch.nn.ModuleDict({"self_attn": torch.nn.ModuleDict({"q_proj": of})})
        )
    assert real_targets(["q"], model) == ["text.self_attn.q_proj"]


def test_what_is_saved_of_a_gpt2_names_its_layers_and_is_sound(tmp_path: Path) -> None:
    stack = stack_on(model_of("gpt2"))
    stack.add_trainee("top", LoraConfig(r=2, target_modules=["attention"], task_type="CAUSAL_LM"), seed=0)
    stack.save_trainee(tmp_path)
    measured = measure_sound(tmp_path)
    assert measured.settings.targets == ("attn.c_proj", "c_attn")
    assert measured.shape.targets == ("c_attn", "c_proj")
    assert measured.shape.parameters == 2 * 2 * (16 + 48 + 16 + 16)


def test_names_come_out_the_same_under_adapters_that_are_there_already() -> None:
    model = model_of("gpt2")
    stack = stack_on(model)
    stack.add_trainee("below", LoraConfig(r=2, target_modules="all-linear", task_type="CAUSAL_LM"), seed=0)
    assert real_targets(["attention"], model) == ["attn.c_proj", "c_attn"]
    assert real_targets(["c_fc"], model) == ["c_fc"]


def test_a_name_that_a_module_under_an_adapter_bears_is_none_of_the_models() -> None:
    model = model_of("llama")
    stack_on(model).add_trainee("below", LoraConfig(r=2, target_modules=["q"], task_type="CAUSAL_LM"), seed=0)
    with pytest.raises(UsageError, match="no module 'base_layer'"):
        real_targets(["base_layer"], model)


@pytest.mark.parametrize(
    ("kind", "wanted", "said"),
    [
        ("gpt2", ["gate"], r"GPT2LMHeadModel has no .* 'gate'\. .*attn\.c_attn \(q, k, v\).*mlp\.c_fc \(up\)"),
        ("opt", ["q", "gate"], "role 'gate'"),
        ("gpt2", ["gate", "mlp"], r"role 'gate'\."),
        ("mixtral", ["mlp"], r"'up' of 'mlp'.*self_attn\.o_proj \(o\)"),
        ("deepseek_v3", ["q"], r"role 'q'.*self_attn\.q_a_proj;"),
        # PEFT takes what fits, and passes over the rest in silence.
        ("llama", ["q_proj", "k_prj"], "no module 'k_prj'"),
        ("llama", ["q", "k_prj"], "no module 'k_prj'"),
        ("llama", ["q_proj", "all-linear"], "no module 'all-linear'"),
        ("llama", ["embed_tokens"], r"model\.embed_tokens, which is no linear layer but of the class Embedding"),
        ("llama", ["self_attn"], "no linear layer but of the class LlamaAttention"),
    ],
)  # fmt: skip
def test_what_the_model_does_not_have_is_said_with_what_it_has(kind: str, wanted: list[str], said: str) -> None:
    model = model_of(kind)
    with pytest.raises(UsageError, match=said):
        adapted(model, *wanted)
    assert not any(isinstance(module, LoraLayer) for module in model.modules())


def test_peft_alone_passes_over_a_name_that_fits_nothing() -> None:
    from peft import get_peft_model

    model = model_of("llama")
    get_peft_model(model, LoraConfig(r=2, target_modules=["q_proj", "k_prj"], task_type="CAUSAL_LM"))
    assert {place_of(n) for n, m in model.named_modules() if isinstance(m, LoraLayer)} == {"self_attn.q_proj"}


def test_a_role_in_a_fused_layer_is_told(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="adapterkit.stack.targets"):
        assert adapted(model_of("gpt2"), "q", "v") == {"attn.c_attn": 2}
        assert adapted(model_of("gpt2"), "q") == {"attn.c_attn": 2}
        assert adapted(model_of("gpt2"), "q", "k", "v") == {"attn.c_attn": 2}
    one_layer = "q, k and v are one layer in this model, attn.c_attn"
    assert caplog.messages == [
        f"{one_layer}, so k is adapted as well",
        f"{one_layer}, so k and v are adapted as well",
        one_layer,
    ]


def test_a_role_that_only_some_layers_have_is_told(caplog: pytest.LogCaptureFixture) -> None:
    config = AutoConfig.for_model("deepseek_v3", **GROUPED, first_k_dense_replace=1, n_routed_experts=4)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    with caplog.at_level(logging.INFO, logger="adapterkit.stack.targets"):
        assert real_targets(["down"], model) == ["mlp.down_proj"]  # Not those of the experts that are shared.
    assert caplog.messages == ["mlp.down_proj stands in 1 of 2 layers alone"]


def test_no_router_of_experts_is_taken_for_a_gate() -> None:
    config = AutoConfig.for_model("qwen2_moe", **GROUPED, num_experts=4, num_experts_per_tok=2)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    with pytest.raises(UsageError, match=r"mlp\.shared_expert_gate"):
        real_targets(["gate"], model)
    assert real_targets(["attention"], model) == ["k_proj", "o_proj", "q_proj", "v_proj"]


def test_settings_that_name_no_role_are_given_to_peft_as_they_are() -> None:
    model = model_of("llama")
    stack = stack_on(model)
    stack.add_trainee("all", LoraConfig(r=2, target_modules="all-linear", task_type="CAUSAL_LM"), seed=0)
    assert len([m for m in model.modules() if isinstance(m, LoraLayer)]) == 14
    pattern = LoraConfig(r=2, target_modules=r".*\.0\.self_attn\.q_proj", task_type="CAUSAL_LM")
    other = model_of("llama")
    stack_on(other).add_trainee("one", pattern, seed=0)
    assert len([m for m in other.modules() if isinstance(m, LoraLayer)]) == 1
    assert pattern.target_modules == r".*\.0\.self_attn\.q_proj"
