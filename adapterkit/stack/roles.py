"""Which linear layer of a decoder does what, by the names that model families give them in transformers.

A place is the name of a layer with that of the module around it, indices left out: `self_attn.q_proj`. GPT-2 has one
`c_proj` in its attention and one in its MLP, so a name alone says too little.
"""

from __future__ import annotations

from collections.abc import Mapping

ROLES = ("q", "k", "v", "o", "gate", "up", "down")
# An MLP without a gate is a whole one.
GROUPS: Mapping[str, tuple[str, ...]] = {"attention": ("q", "k", "v", "o"), "mlp": ("gate", "up", "down")}
OPTIONAL = frozenset({"gate"})

_PLAYED: Mapping[tuple[str, ...], tuple[str, ...]] = {
    ("q",): ("self_attn.q_proj", "attn.q_proj", "attention.q_proj"),
    ("k",): ("self_attn.k_proj", "attn.k_proj", "attention.k_proj"),
    ("v",): ("self_attn.v_proj", "attn.v_proj", "attention.v_proj"),
    # One layer for several roles, its outputs side by side.
    ("q", "k", "v"): (
        "attn.c_attn",  # GPT-2, GPT-BigCode
        "attention.query_key_value",  # GPT-NeoX
        "self_attention.query_key_value",  # Falcon, Bloom
        "self_attn.query_key_value",  # Persimmon
        "self_attn.qkv_proj",  # Phi-3
        "attn.qkv_proj",  # CodeGen
        "attn.Wqkv",  # MPT
    ),
    ("o",): (
        "self_attn.o_proj",  # Llama, Mistral, Qwen, Gemma, OLMo, Phi-3
        "self_attn.out_proj",  # OPT, XGLM, LFM2
        "self_attn.dense",  # Phi, Persimmon
        "self_attention.dense",  # Falcon, Bloom
        "attention.dense",  # GPT-NeoX
        "attention.out_proj",  # GPT-Neo
        "attn.out_proj",  # GPT-J, CodeGen, MPT
        "attn.c_proj",  # GPT-2, GPT-BigCode
    ),
    ("gate",): ("mlp.gate_proj", "feed_forward.gate_proj", "feed_forward.w1"),
    ("gate", "up"): ("mlp.gate_up_proj",),  # Phi-3, GLM
    ("up",): (
        "mlp.up_proj",  # Llama, Mistral, Qwen, Gemma, OLMo, Nemotron
        "feed_forward.up_proj",  # Jamba, Falcon-H1
        "feed_forward.w3",  # LFM2
        "ffn.up_proj",  # MPT
        "mlp.c_fc",  # GPT-2, GPT-Neo, StarCoder2
        "mlp.fc_in",  # GPT-J, CodeGen
        "mlp.fc1",  # Phi
        "layers.fc1",  # OPT, XGLM, BioGPT
        "mlp.dense_h_to_4h",  # GPT-NeoX, Falcon, Bloom
    ),
    ("down",): (
        "mlp.down_proj",
        "feed_forward.down_proj",
        "feed_forward.w2",
        "ffn.down_proj",
        "mlp.c_proj",
        "mlp.fc_out",
        "mlp.fc2",
        "layers.fc2",
        "mlp.dense_4h_to_h",
    ),
}
ROLES_OF: Mapping[str, tuple[str, ...]] = {place: roles for roles, places in _PLAYED.items() for place in places}


def place_of(module: str) -> str:
    """`self_attn.q_proj` for `model.layers.3.self_attn.q_proj`, `layers.fc1` for `model.decoder.layers.3.fc1`."""
    return ".".join([part for part in module.split(".") if not part.isdecimal()][-2:])
