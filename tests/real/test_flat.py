"""On the real model: a flattened stack, alone in plain PEFT, gives the stack's logits and its tokens."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from peft import PeftModel

from adapterkit.workflows.flatten import FlattenRequest, flatten
from tests.real.family import demo_family
from tests.stack.kin import Kin

TURN = [{"role": "user", "content": "Write a paragraph of an annual address to Congress."}]


@pytest.fixture(scope="module")
def kin(tmp_path_factory: pytest.TempPathFactory) -> Kin:
    return demo_family(tmp_path_factory.mktemp("kin"), size=0.02)


def plain_peft(kin: Kin, folder: Path, dtype: torch.dtype) -> PeftModel:
    return PeftModel.from_pretrained(kin.base(dtype).model, folder).eval()


@pytest.mark.long
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
