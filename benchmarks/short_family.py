"""Short trainings of the demo base, and the logits of what they leave, for the benchmarks of what is exact."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

import adapterkit
from adapterkit.artifacts import Artifact
from adapterkit.evaluation.answers import prompt_ids
from adapterkit.evaluation.logits import text_logits
from adapterkit.evaluation.parity import PROMPTS
from adapterkit.names import peft_name

VERSIONED = ("torch", "transformers", "peft", "bitsandbytes", "safetensors")
_FEW = ["data.max_train_rows=64", "data.validation=null", "data.test=null"]


def train(where: Path, recipe: str, words: Sequence[str]) -> Artifact:
    """One short training, on few rows and with nothing held out."""
    outcome = adapterkit.train_recipe(
        recipe, registry=where / "adapters", outputs=where / "outputs", overrides=[*_FEW, *words]
    )
    return outcome.artifact


def stack_logits(base: Path, members: Sequence[Artifact], dtype: torch.dtype) -> torch.Tensor:
    """What plain PEFT makes of adapters on the base, everything in one dtype."""
    model = stacked(base, members, dtype)
    return text_logits_of(model, AutoTokenizer.from_pretrained(base))


def stacked(base: Path, members: Sequence[Artifact], dtype: torch.dtype) -> Any:
    """Adapters on the base, as their cards say, root-first and all active."""
    bare = AutoModelForCausalLM.from_pretrained(base, dtype=dtype)
    names = [peft_name(place, each.ref.name) for place, each in enumerate(members)]
    model: Any = PeftModel.from_pretrained(bare, members[0].path, names[0], autocast_adapter_dtype=False)
    for each, name in zip(members[1:], names[1:], strict=True):
        model.load_adapter(each.path, name, autocast_adapter_dtype=False)
    model.base_model.set_adapter(names, inference_mode=True)
    return model.to(dtype).eval()


def session_logits(session: Any) -> torch.Tensor:
    """What a session's model makes of the prompts."""
    return text_logits_of(session.stack.model, session.tokenizer)


def text_logits_of(model: Any, tokenizer: Any) -> torch.Tensor:
    """Logits of every position of the prompts."""
    with torch.no_grad():
        return text_logits(model, tokenizer, [prompt_ids(tokenizer, prompt) for prompt in PROMPTS])


def apart(one: torch.Tensor, other: torch.Tensor) -> float:
    """The largest difference."""
    return float((one.double() - other.double()).abs().max())
