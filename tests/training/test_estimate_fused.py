"""An estimate asks the same of a base's config as the training does that it foresees."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch

from adapterkit.base.outline import outline_of
from adapterkit.config.schema import AdapterConfig, QuantizationConfig, TrainerConfig
from adapterkit.training.estimate import is_fused
from adapterkit.training.fused.reasons import why_not_fused
from tests.training.test_fused import model_of, stack_of

CPU = torch.device("cpu")
TRAINER = TrainerConfig(epochs=1, learning_rate=1e-3)
FP32 = QuantizationConfig(kind="none", dtype="float32")


def foreseen(model: Any, folder: Path, trainer: TrainerConfig = TRAINER, **asked: Any) -> bool:
    model.config.save_pretrained(folder)
    where = {"device": asked.pop("device", CPU), "sharded": asked.pop("sharded", False)}
    adapter = AdapterConfig(r=4, lora_alpha=8, **asked)
    return is_fused(outline_of("tiny", folder), adapter, FP32, trainer, **where)


@pytest.mark.parametrize(
    ("kind", "changes", "asked", "fused"),
    [
        ("Llama", {}, {}, True),
        ("Llama", {"num_hidden_layers": 1, "attention_bias": True}, {"target_modules": ["q_proj"]}, True),
        ("Mistral", {"sliding_window": None}, {}, True),
        ("Mistral", {"sliding_window": 4}, {}, False),
        ("Qwen2", {"use_sliding_window": True, "sliding_window": 4, "max_window_layers": 2}, {}, True),
        ("Qwen2", {"use_sliding_window": True, "sliding_window": 4, "max_window_layers": 1}, {}, False),
        ("Llama", {"attention_dropout": 0.1}, {}, False),
        ("Llama", {"hidden_act": "gelu"}, {}, False),
        ("Llama", {"tie_word_embeddings": False}, {"target_modules": ["q_proj", "lm_head"]}, False),
        ("Llama", {}, {"use_dora": True}, False),
        ("Gemma", {"head_dim": 8}, {}, False),
    ],
)
def test_it_foresees_what_computes(kind: str, changes: Any, asked: Any, fused: bool, tmp_path: Path) -> None:
    model = model_of(kind, **changes)
    assert foreseen(model, tmp_path, **asked) == fused
    assert (why_not_fused(stack_of(model, **asked)) is None) == fused


def test_checkpointing_a_gpu_and_a_base_cut_among_ranks_are_foreseen(tmp_path: Path) -> None:
    checkpointing = dataclasses.replace(TRAINER, gradient_checkpointing=True)
    assert not foreseen(model_of("Llama"), tmp_path, checkpointing)
    assert not foreseen(model_of("Llama"), tmp_path, device=torch.device("cuda"))
    assert not foreseen(model_of("Llama"), tmp_path, sharded=True)
