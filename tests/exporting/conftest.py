"""A family of random adapters on the tiny base, of all the ways in which a member may hide its scaling."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from tests.stack.kin import Kin


@pytest.fixture(scope="session")
def kin(tiny_base_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Kin:
    """unified <- child <- grandchild (rsLoRA and patterns among them), dora on unified, head."""
    made = Kin(tiny_base_dir, tmp_path_factory.mktemp("exporting"))
    unified = made.publish("unified", seed=1, target_modules=["q_proj", "v_proj"])
    patterns = {"rank_pattern": {"up_proj": 2}, "alpha_pattern": {"q_proj": 3}}
    child = made.publish("child", unified, seed=2, use_rslora=True, r=3, lora_alpha=5, **patterns)
    made.publish("grandchild", child, seed=3, r=2, lora_alpha=3, target_modules=["k_proj", "layers.0.mlp.down_proj"])
    made.publish("dora", unified, seed=4, use_dora=True)
    with warnings.catch_warnings():
        # PEFT warns that a merge of such an adapter is difficult; ours is what is tested.
        warnings.filterwarnings("ignore", message="Model has `tie_word_embeddings=True`")
        made.publish("head", seed=5, target_modules=["lm_head", "q_proj"])
    return made
