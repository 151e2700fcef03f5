"""llama.cpp as a test runs it: small bases written as GGUF, and the log-probabilities that it gives."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
import xllamacpp


@contextmanager
def llama_cpp(base: Path, lora: Path | None = None, *, context: int = 512) -> Iterator[Any]:
    """A server in this process on one thread, its attention cache in float32."""
    params = xllamacpp.CommonParams()
    params.model.path = str(base)
    params.n_ctx, params.n_parallel, params.warmup, params.n_gpu_layers = context, 1, False, 0
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    params.cache_type_k = params.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
    params.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    params.verbosity = 0
    if lora is not None:
        params.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(str(lora), 1.0)]
    server = xllamacpp.Server(params)
    yield server
    del server


def next_tokens(server: Any, ids: Sequence[int], most: int = 1) -> dict[int, float]:
    """The likeliest next tokens after some, with their log-probabilities; none where the first would end the text."""
    asked = {"prompt": list(ids), "n_predict": 1, "n_probs": most, "temperature": 0, "cache_prompt": True}
    answer = server.handle_completions(asked)
    answer = json.loads(answer) if isinstance(answer, str) else answer
    told = answer["choices"][0]["logprobs"]
    if told is None:
        assert answer["choices"][0]["finish_reason"] == "stop", answer
        return {}
    (first,) = told["content"]
    return {each["id"]: each["logprob"] for each in first["top_logprobs"]}


def write_base(model: Any, architecture: str, turned: Sequence[str], path: Path) -> None:
    """A small transformers model as GGUF in float32, with made-up tokens: it is asked in ids.

    Args:
        model: of transformers.
        architecture: llama.cpp's name of it.
        turned: parts of names of tensors whose rows llama.cpp wants in its own order.
        path: of the new file.
    """
    config = model.config
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    if architecture == "olmo":
        writer.add_layer_norm_eps(1e-5)
    else:
        writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_rope_dimension_count(config.hidden_size // config.num_attention_heads)
    _add_tokenizer(writer, config.vocab_size)
    kind = next(key for key, name in gguf.MODEL_ARCH_NAMES.items() if name == architecture)
    names = gguf.get_tensor_name_map(kind, config.num_hidden_layers)
    for name, tensor in model.state_dict().items():
        if name == "lm_head.weight" and config.tie_word_embeddings:
            continue
        values = tensor.float().numpy()
        for part in turned:
            if part in name:
                heads = config.num_key_value_heads if "k_proj" in name else config.num_attention_heads
                values = np.concatenate([_turned(head) for head in np.split(values, heads)])
        writer.add_tensor(names.get_name(name, try_suffixes=(".weight", ".bias")), values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def logits_after(model: Any, ids: Sequence[int]) -> torch.Tensor:
    """Log-probabilities of every next token after some, float64."""
    with torch.no_grad():
        found: torch.Tensor = model(input_ids=torch.tensor([list(ids)])).logits[0, -1].double().log_softmax(dim=0)
    return found


def _turned(head: Any) -> Any:
    """The rows of one head: the first of its first half, the first of its second half, the second of each, ..."""
    first, second = np.split(head, 2)
    rows = [row for pair in zip(first, second, strict=True) for row in pair]
    return np.stack(rows)


def _add_tokenizer(writer: Any, size: int) -> None:
    """Tokens that are words: of half a letter, as byte-level tokens may be, the server tells no probabilities."""
    words = [f"w{index}" for index in range(size)]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(words)
    writer.add_token_types([gguf.TokenType.NORMAL] * size)
    writer.add_token_merges(["w 0"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(size - 1)
    writer.add_add_bos_token(False)
