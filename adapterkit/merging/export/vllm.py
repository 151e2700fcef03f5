"""What vLLM takes of a LoRA, from its documentation (docs.vllm.ai, LoRA adapters; `LoRAConfig`; `PEFTHelper`)."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from adapterkit.errors import UsageError

# What `--max-lora-rank` may be, but for 1.
RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
# The linear layers of decoders under the names that transformers and vLLM share; what vLLM fuses (q, k and v; gate and
# up) it takes apart like this.
_KINDS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
_TENSOR = re.compile(r"base_model\.model\.(?P<layer>.+)\.lora_[AB]\.weight")


def rank_for(rank: int) -> int:
    """The smallest rank that vLLM may be started with and that holds a given one.

    Raises:
        UsageError: none does.
    """
    fitting = [each for each in RANKS if each >= rank]
    if not fitting:
        raise UsageError(
            f"A layer comes to rank {rank}, and vLLM takes {RANKS[-1]} at most: cut it down, e.g. --rank {RANKS[-1]}"
        )
    return fitting[0]


def vllm_problems(config: Mapping[str, Any], shapes: Mapping[str, Collection[int]]) -> list[str]:
    """Say, one line each, why vLLM would refuse an adapter, or take it for another one.

    Args:
        config: of adapter_config.json.
        shapes: of the tensors of adapter_model.safetensors, by name.
    """
    return [*_config_problems(config), *_tensor_problems(int(config["r"]), shapes)]


def _config_problems(config: Mapping[str, Any]) -> Iterator[str]:
    rank, alpha = config["r"], config["lora_alpha"]
    if rank not in RANKS:
        yield f"r is {rank}, and max_lora_rank is one of {', '.join(map(str, RANKS))}"
    if alpha != rank:
        yield f"lora_alpha is {alpha} and r {rank}: here every scaling is in the weights, so both are the same"
    for key in ("rank_pattern", "alpha_pattern"):
        if config.get(key):
            yield f"{key} is set, which vLLM does not read: each layer it names would have another scaling"
    for key in ("use_dora", "use_rslora", "modules_to_save"):
        if config.get(key):
            yield f"{key} is set, which vLLM refuses, or which scales what is scaled already"
    if config.get("bias", "none") != "none":
        yield f"bias is {config['bias']}: vLLM refuses trained biases"


def _tensor_problems(rank: int, shapes: Mapping[str, Collection[int]]) -> Iterator[str]:
    for name, shape in sorted(shapes.items()):
        found = _TENSOR.fullmatch(name)
        if found is None:
            yield f"{name} is not a tensor of a LoRA"
        elif found["layer"].rpartition(".")[2] not in _KINDS:
            yield f"{name}: vLLM's documented layers are {', '.join(_KINDS)}"
        elif tuple(shape)[0 if ".lora_A." in name else 1] != rank:
            yield f"{name} has shape {list(shape)}, not of rank {rank}"
