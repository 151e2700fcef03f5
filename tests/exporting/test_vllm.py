"""`--to vllm`: an adapter within vLLM's documented limits, which plain PEFT loads as the same model."""

from __future__ import annotations

import json

import pytest
from peft import PeftModel
from safetensors.torch import load_file

from adapterkit.errors import ExportError, StackError, UsageError
from adapterkit.merging.export.vllm import RANKS, rank_for, vllm_problems
from adapterkit.workflows.export import export
from adapterkit.workflows.export_request import ExportRequest
from tests.stack.kin import logits


def read(folder):
    config = json.loads((folder / "adapter_config.json").read_text())
    tensors = load_file(folder / "adapter_model.safetensors")
    return config, {name: list(tensor.shape) for name, tensor in tensors.items()}


@pytest.mark.parametrize(("ref", "weights"), [("unified", None), ("grandchild", (1, -0.5, 2))])
def test_it_keeps_to_the_limits_and_is_the_stack(kin, tmp_path, ref, weights):
    done = export(kin.registry, ExportRequest(ref, "vllm", tmp_path / "out", weights=weights))
    config, shapes = read(done.path)
    assert vllm_problems(config, shapes) == []
    assert (config["r"], config["lora_alpha"], config["rank_pattern"], config["alpha_pattern"]) == (8, 8, {}, {})
    assert done.record.facts["rank"] == 8
    assert "--max-lora-rank 8 " in (done.path / "README.md").read_text()
    stack = kin.stack(ref)
    stack.blend(None, weights)
    alone = PeftModel.from_pretrained(kin.base().model, done.path).eval()
    assert (logits(alone) - logits(stack.model)).abs().max() < 1e-3


def test_a_rank_is_padded_up_to_one_that_vllm_may_be_started_with():
    assert [rank_for(rank) for rank in (1, 8, 9, 24, 65, 300, 400)] == [8, 8, 16, 32, 128, 320, 512]
    with pytest.raises(UsageError, match="comes to rank 513, and vLLM takes 512 at most"):
        rank_for(RANKS[-1] + 1)


def test_each_limit_is_seen(kin, tmp_path):
    config, shapes = read(export(kin.registry, ExportRequest("child", "vllm", tmp_path / "out")).path)
    for change, said in (
        ({"r": 7, "lora_alpha": 7}, "r is 7, and max_lora_rank"),
        ({"lora_alpha": 16}, "lora_alpha is 16 and r 8"),
        ({"rank_pattern": {"q_proj": 4}}, "rank_pattern is set"),
        ({"alpha_pattern": {"q_proj": 4}}, "alpha_pattern is set"),
        ({"use_dora": True}, "use_dora is set"),
        ({"use_rslora": True}, "use_rslora is set"),
        ({"modules_to_save": ["lm_head"]}, "modules_to_save is set"),
        ({"bias": "all"}, "bias is all"),
    ):
        assert any(problem.startswith(said) for problem in vllm_problems({**config, **change}, shapes)), said
    layer = "base_model.model.model.layers.0.mlp.up_proj"
    for more, said in (
        ({"base_model.model.lm_head.lora_A.weight": [8, 64]}, "lm_head.lora_A.weight: vLLM's documented layers"),
        ({f"{layer}.lora_magnitude_vector": [128]}, "is not a tensor of a LoRA"),
        ({f"{layer}.lora_B.weight": [128, 4]}, "has shape [128, 4], not of rank 8"),
    ):
        assert any(said in problem for problem in vllm_problems(config, {**shapes, **more})), said


def test_what_vllm_does_not_take_is_refused(kin, tmp_path):
    with pytest.raises(ExportError, match=r"head@1\.0\.0 for what it is(.|\n)*lm_head(.|\n)*--to merged"):
        export(kin.registry, ExportRequest("head", "vllm", tmp_path / "out"))
    with pytest.raises(StackError, match="A DoRA rescales"):
        export(kin.registry, ExportRequest("dora", "vllm", tmp_path / "out"))
    assert list(tmp_path.iterdir()) == []
