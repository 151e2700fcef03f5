"""`--to gguf`: every kind of base for which it is written, run in llama.cpp beside transformers."""

from __future__ import annotations

import json
import shutil

import gguf
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, OlmoConfig, OlmoForCausalLM, Qwen2Config, Qwen2ForCausalLM

from adapterkit.errors import ExportError, StackError
from adapterkit.merging.export import gguf_bases
from adapterkit.workflows.export import export
from adapterkit.workflows.export_request import ExportRequest
from tests.exporting.llama_cpp import llama_cpp, logits_after, next_tokens, write_base
from tests.stack.kin import Kin

SIZES = {
    "vocab_size": 512, "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 256, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 2,
}  # fmt: skip
KINDS = {
    "llama": (LlamaForCausalLM, LlamaConfig, True),
    "qwen2": (Qwen2ForCausalLM, Qwen2Config, False),
    "olmo": (OlmoForCausalLM, OlmoConfig, False),
}
PROMPTS = ([5, 70, 300, 8, 9, 10, 200, 17], [44, 45], [400, 3, 3, 99, 250])


def family_of(architecture, tiny_base_dir, folder):
    """A base of a kind, and a stack of two on it; of unequal ranks, with rsLoRA."""
    base = folder / "base"
    shutil.copytree(tiny_base_dir, base)
    model_class, config_class, tied = KINDS[architecture]
    torch.manual_seed(3)
    model = model_class(config_class(**SIZES, tie_word_embeddings=tied))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.normal_(std=0.3 if "proj" in name else 0.5).add_(1.0 if "norm" in name else 0.0)
    model.save_pretrained(base)
    family = Kin(base, folder)
    unified = family.publish("unified", seed=1, target_modules=["q_proj", "k_proj", "v_proj"], size=0.3)
    family.publish("child", unified, seed=2, use_rslora=True, r=3, lora_alpha=5, size=0.3)
    return family, model.eval()


@pytest.mark.parametrize("architecture", KINDS)
def test_llama_cpp_gives_our_probabilities(architecture, tiny_base_dir, tmp_path):
    family, model = family_of(architecture, tiny_base_dir, tmp_path)
    turned = gguf_bases.gguf_base(model.config.to_dict()).turned
    write_base(model, architecture, turned, tmp_path / "base.gguf")
    done = export(family.registry, ExportRequest("child", "gguf", tmp_path / "out"))
    ours = family.stack("child").model
    for lora, expected in ((None, model), (done.path / "adapter.gguf", ours)):
        with llama_cpp(tmp_path / "base.gguf", lora) as server:
            for prompt in PROMPTS:
                found, truth = next_tokens(server, prompt, 20), logits_after(expected, prompt)
                assert set(found) == set(truth.topk(20).indices.tolist())
                assert max(abs(truth[token].item() - value) for token, value in found.items()) < 2e-3
    with torch.no_grad():
        assert (logits_after(ours, PROMPTS[0]) - logits_after(model, PROMPTS[0])).abs().max() > 0.5


@pytest.mark.parametrize("architecture", ["llama", "qwen2"])
def test_the_order_of_the_rows_decides(architecture, tiny_base_dir, tmp_path, monkeypatch):
    """With the other order llama.cpp loads the file as well, and is another model: what the test above would see."""
    family, model = family_of(architecture, tiny_base_dir, tmp_path)
    right = gguf_bases.gguf_base(model.config.to_dict())
    write_base(model, architecture, right.turned, tmp_path / "base.gguf")
    wrong = gguf_bases.GgufBase(architecture, () if right.turned else ("q_proj", "k_proj"))
    monkeypatch.setitem(gguf_bases._BASES, type(model).__name__, wrong)
    done = export(family.registry, ExportRequest("child", "gguf", tmp_path / "out"))
    truth = logits_after(family.stack("child").model, PROMPTS[0])
    with llama_cpp(tmp_path / "base.gguf", done.path / "adapter.gguf") as server:
        found = next_tokens(server, PROMPTS[0], 20)
    assert max(abs(truth[token].item() - value) for token, value in found.items()) > 0.05


def test_what_the_file_says(kin, tmp_path):
    done = export(kin.registry, ExportRequest("grandchild", "gguf", tmp_path / "out", dtype="fp16"))
    reader = gguf.GGUFReader(done.path / "adapter.gguf")
    fields = {name: field.contents() for name, field in reader.fields.items() if not name.startswith("GGUF.")}
    assert fields == {
        "general.architecture": "llama",
        "general.type": "adapter",
        "general.name": "grandchild@1.0.0",
        "adapter.type": "lora",
        "adapter.lora.alpha": 7.0,
    }
    shapes = {tensor.name: tuple(tensor.shape) for tensor in reader.tensors}
    assert shapes["blk.0.ffn_down.weight.lora_a"] == (128, 5)
    assert shapes["blk.0.ffn_down.weight.lora_b"] == (5, 64)
    assert len(shapes) == 2 * 7 * 2
    assert {tensor.tensor_type.name for tensor in reader.tensors} == {"F16"}
    assert 1e-5 < done.record.losses.worst_in_storage < 1e-3
    written = json.loads((done.path / "export.json").read_text())
    assert set(written["files"]) == {"adapter.gguf", "README.md"}
    assert [each["ref"] for each in written["members"]] == ["unified@1.0.0", "child@1.0.0", "grandchild@1.0.0"]
    assert "llama-server -m BASE.gguf --lora adapter.gguf" in (done.path / "README.md").read_text()


def test_what_nobody_verified_is_refused(kin, tmp_path):
    with pytest.raises(ExportError, match=r"a GemmaForCausalLM, and .* verified for LlamaForCausalLM"):
        gguf_bases.gguf_base({"architectures": ["GemmaForCausalLM"]})
    with pytest.raises(ExportError, match="shares the embedding's weights, and a GGUF of this base has no such tensor"):
        export(kin.registry, ExportRequest("head", "gguf", tmp_path / "out"))
    with pytest.raises(StackError, match=r"dora@1\.0\.0 cannot be flattened.*--to merged"):
        export(kin.registry, ExportRequest("dora", "gguf", tmp_path / "out"))
    assert list(tmp_path.iterdir()) == []


def test_numbers_beyond_float16_are_refused(kin, tmp_path):
    kin.publish("loud", seed=6, size=3e4)
    with pytest.raises(ExportError, match=r"is beyond torch\.float16: write it with --dtype float32"):
        export(kin.registry, ExportRequest("loud", "gguf", tmp_path / "out", dtype="float16"))
