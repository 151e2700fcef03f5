"""Parameters and bytes are foreseen exactly, from the base's config alone; budgets refuse with what would fit."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from adapterkit.base.outline import outline_of, stored_bytes
from adapterkit.config.schema import AdapterConfig
from adapterkit.errors import BudgetError, UsageError
from adapterkit.training.estimate import (
    adapter_size,
    largest_rank,
    rank_suggestion,
    require_budget,
    suggested_rank,
    tensor_shapes,
)

SMALL = {"vocab_size": 96, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
GATED = {**SMALL, "intermediate_size": 48}
CONFIGS: dict[str, tuple[str, dict[str, Any]]] = {
    "grouped": ("LlamaConfig", {**GATED, "num_key_value_heads": 2, "tie_word_embeddings": True}),
    "wide_heads": ("LlamaConfig", {**GATED, "num_key_value_heads": 1, "head_dim": 16, "tie_word_embeddings": False}),
    "biased": ("Qwen2Config", {**GATED, "num_key_value_heads": 2}),
    "neox": ("GPTNeoXConfig", GATED),
    "gpt2": ("GPT2Config", {"vocab_size": 96, "n_embd": 32, "n_layer": 2, "n_head": 4}),
}
SHAPES = {
    "plain": AdapterConfig(r=4, lora_alpha=8),
    "rslora": AdapterConfig(r=3, lora_alpha=8, use_rslora=True, dtype="bfloat16"),
    "dora": AdapterConfig(r=5, lora_alpha=8, use_dora=True),
    "attention": AdapterConfig(r=128, lora_alpha=8, target_modules=["q_proj", "v_proj"]),
    "a name": AdapterConfig(r=2, lora_alpha=8, target_modules="o_proj", use_dora=True, dtype="bfloat16"),
    "one layer": AdapterConfig(r=2, lora_alpha=8, target_modules=["model.layers.1.self_attn.q_proj"]),
}
CASES = [(kind, shape) for kind in ("grouped", "wide_heads", "biased") for shape in SHAPES]
CASES += [(kind, shape) for kind in ("neox", "gpt2") for shape in ("plain", "rslora")]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders with a config and no weights."""
    import transformers

    root = tmp_path_factory.mktemp("configs")
    for name, (kind, settings) in CONFIGS.items():
        getattr(transformers, kind)(**settings).save_pretrained(root / name)
    return {name: root / name for name in CONFIGS}


@pytest.mark.parametrize(("kind", "shape"), CASES)
def test_what_peft_saves_has_exactly_the_foreseen_bytes(
    folders: dict[str, Path], tmp_path: Path, kind: str, shape: str
) -> None:
    from transformers import AutoConfig, AutoModelForCausalLM

    from adapterkit.base.load import Base
    from adapterkit.base.quantization import torch_dtype
    from adapterkit.lineage import BaseIdentity
    from adapterkit.stack.adapter_stack import AdapterStack
    from adapterkit.workflows.train import lora_config

    adapter = SHAPES[shape]
    foreseen = adapter_size(adapter, outline_of(kind, folders[kind]))
    model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(folders[kind])).requires_grad_(False)
    stack = AdapterStack(Base(model, None, BaseIdentity(kind, None, "a" * 64, {"kind": "none"}), folders[kind]))
    peft = lora_config(adapter)
    peft.fan_in_fan_out = kind == "gpt2"
    stack.add_trainee("adapter", peft, seed=0)
    stack.save_trainee(tmp_path, dtype=torch_dtype(adapter.dtype))
    assert foreseen.parameters == sum(parameter.numel() for parameter in stack.trainee_parameters())
    assert foreseen.weights == (tmp_path / "adapter_model.safetensors").stat().st_size
    shapes = {name: tuple(tensor.shape) for name, tensor in stack.trainee_state().items()}
    assert shapes == tensor_shapes(adapter, outline_of(kind, folders[kind]))


def test_an_outline_says_what_memory_depends_on(folders: dict[str, Path], tiny_base_dir: Path) -> None:
    tied, apart = outline_of("a", folders["grouped"]), outline_of("b", folders["wide_heads"])
    assert (tied.tied, tied.head, "lm_head" in tied.blocks) == (True, "lm_head", False)
    assert (apart.tied, apart.dimensions.queries, apart.dimensions.keys) == (False, 64, 16)
    assert tied.parameters == 96 * 32 + 2 * (32 * 32 * 2 + 32 * 16 * 2 + 3 * 32 * 48 + 2 * 32) + 32
    whole = outline_of("tiny", tiny_base_dir).parameters
    assert stored_bytes("tiny", tiny_base_dir) == {"F32": whole * 4}


@pytest.mark.parametrize("targets", [["query"], "query", ["dense", "query"], ["q", "query"]])
def test_targets_that_name_no_layer_are_told_with_those_that_are_there(
    folders: dict[str, Path], targets: list[str] | str
) -> None:
    outline = outline_of("neox", folders["neox"])
    with pytest.raises(UsageError, match=r"no module 'query'.*attention\.query_key_value \(q, k, v\);.* mlp\.dense"):
        adapter_size(AdapterConfig(r=4, lora_alpha=8, target_modules=targets), outline)


def changed(adapter: AdapterConfig, overrides: str) -> AdapterConfig:
    """An adapter's config with overrides as an error proposes them."""
    for word in overrides.split():
        key, _, value = word.removeprefix("adapter.").partition("=")
        number = {"r": int, "lora_alpha": float}.get(key)
        plain: Any = number(value) if number else value.strip("[]").split(",") if key == "target_modules" else value
        adapter = dataclasses.replace(adapter, **{key: plain})
    return adapter


@pytest.mark.parametrize("limit", [0.05, 0.1, 0.2, 0.4])
def test_every_way_that_a_refusal_proposes_fits_and_the_next_rank_does_not(
    folders: dict[str, Path], limit: float
) -> None:
    outline = outline_of("grouped", folders["grouped"])
    adapter = AdapterConfig(r=256, lora_alpha=8)
    with pytest.raises(BudgetError, match=rf"r=256, float32\).*max_artifact_mb={limit} \(1 MB is 10\^6 bytes") as told:
        require_budget(adapter, limit, outline)
    ways = dict(told.value.fits)
    assert any("adapter.r=" in way for way in ways)
    for overrides, size in ways.items():
        smaller = changed(adapter, overrides)
        assert smaller.lora_alpha / smaller.r == adapter.lora_alpha / adapter.r
        require_budget(smaller, limit, outline)
        assert adapter_size(smaller, outline).artifact == pytest.approx(size * 1e6)
        assert f"{overrides} fits ({size:.1f} MB)" in str(told.value)
    rank = next(changed(adapter, way).r for way in ways if "dtype" not in way and "r=" in way)
    with pytest.raises(BudgetError):
        require_budget(dataclasses.replace(adapter, r=2 * rank), limit, outline)


def test_fewer_layers_and_half_the_bytes_are_proposed_where_they_fit(folders: dict[str, Path]) -> None:
    outline = outline_of("grouped", folders["grouped"])
    with pytest.raises(BudgetError) as told:
        require_budget(AdapterConfig(r=256, lora_alpha=8), 0.7, outline)
    ways = [way for way, _ in told.value.fits]
    assert "adapter.target_modules=[q_proj,k_proj,v_proj,o_proj]" in ways
    assert "adapter.dtype=bfloat16" in ways
    assert told.value.exit_code == 2


def test_null_is_no_limit_and_what_fits_passes(folders: dict[str, Path]) -> None:
    outline = outline_of("grouped", folders["grouped"])
    require_budget(AdapterConfig(r=256, lora_alpha=8), None, outline)
    require_budget(AdapterConfig(r=2, lora_alpha=8), 1.0, outline)


def test_where_nothing_fits_that_is_said(folders: dict[str, Path]) -> None:
    with pytest.raises(BudgetError, match=r"Nothing smaller fits either. Allow it: budget.max_artifact_mb=1"):
        require_budget(AdapterConfig(r=1, lora_alpha=8), 0.001, outline_of("grouped", folders["grouped"]))


@pytest.mark.parametrize(("rows", "rank"), [(1, 4), (19, 4), (20, 8), (50, 8), (51, 16), (9999, 16)])
def test_the_rule_of_thumb(rows: int, rank: int) -> None:
    assert suggested_rank(rows) == rank
    assert rank_suggestion(rank, 8.0, rank, rows) is None
    said = rank_suggestion(2 * rank, 8.0, rank, rows) or ""
    assert f"adapter.r={rank} adapter.lora_alpha=4 for {rows} examples, where this trains r={2 * rank}, alpha=8" in said
    assert "alpha / r is kept" in said


@pytest.mark.parametrize(("limit", "rank"), [(None, 16), (0.064, 16), (0.06, 12), (0.05, 8), (0.046, 6), (0.042, 4)])
def test_no_rank_over_the_budget_is_suggested(folders: dict[str, Path], limit: float | None, rank: int) -> None:
    outline, adapter = outline_of("grouped", folders["grouped"]), AdapterConfig(r=4, lora_alpha=8, dtype="bfloat16")
    found = largest_rank(adapter, limit, outline, 16)
    assert found == rank
    if found > adapter.r:
        require_budget(dataclasses.replace(adapter, r=found), limit, outline)
    said = rank_suggestion(4, 8.0, found, 99) or ""
    assert (f"adapter.r={found} adapter.lora_alpha={2 * found} " in said) == (found > 4)
    assert ("the most within the budget" in said) == (4 < found < 16)


def test_a_damaged_header_is_told(tiny_base_dir: Path, tmp_path: Path) -> None:
    from adapterkit.errors import BaseLoadError

    (tmp_path / "model.safetensors").write_bytes((4).to_bytes(8, "little") + json.dumps([1]).encode())
    with pytest.raises(BaseLoadError, match=r"model\.safetensors is damaged"):
        stored_bytes("x", tmp_path)
