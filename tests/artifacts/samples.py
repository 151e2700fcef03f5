"""Small real adapters for tests: written by safetensors, for the tiny base of conftest.py, in milliseconds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from adapterkit.artifacts import ArtifactDraft, write_checksums
from adapterkit.lineage import BaseIdentity
from adapterkit.manifest import ADAPTER_CONFIG_FILE, CHECKSUMS_FILE, WEIGHTS_FILE, BaseRecord, DataRecord

HIDDEN, KEYS = 64, 32
NF4 = {"kind": "nf4", "dtype": "bfloat16", "compute_dtype": "bfloat16", "double_quant": True}
IDENTITY = BaseIdentity("tiny/base", None, "a" * 64, {"kind": "none"})

Tensors = dict[str, np.ndarray[Any, Any]]


def lora_tensors(*, rank: int = 4, seed: int = 0, dora: bool = False) -> Tensors:
    """LoRA weights for q_proj and v_proj of both layers."""
    draw = np.random.default_rng(seed)
    tensors: Tensors = {}
    for layer in range(2):
        for target, outputs in (("q_proj", HIDDEN), ("v_proj", KEYS)):
            module = f"base_model.model.model.layers.{layer}.self_attn.{target}"
            tensors[f"{module}.lora_A.weight"] = draw.standard_normal((rank, HIDDEN)).astype(np.float32)
            tensors[f"{module}.lora_B.weight"] = draw.standard_normal((outputs, rank)).astype(np.float32)
            if dora:
                tensors[f"{module}.lora_magnitude_vector"] = np.ones(outputs, dtype=np.float32)
    return tensors


def lora_config(**changes: Any) -> dict[str, Any]:
    """adapter_config.json as PEFT writes it, as far as it matters; keys set to None stay."""
    plain = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": "/somewhere/else",
        "inference_mode": False,
        "r": 4,
        "lora_alpha": 8,
        "lora_dropout": 0.05,
        "target_modules": ["v_proj", "q_proj"],
        "bias": "none",
        "use_rslora": False,
        "use_dora": False,
        "rank_pattern": {},
        "alpha_pattern": {},
        "init_lora_weights": True,
        "megatron_core": "megatron.core",
    }
    return {**plain, **changes}


def write_adapter(folder: Path, *, tensors: Tensors | None = None, **config: Any) -> Path:
    """A folder with the two files that training leaves."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file(lora_tensors() if tensors is None else tensors, folder / WEIGHTS_FILE, metadata={"format": "pt"})
    (folder / ADAPTER_CONFIG_FILE).write_text(json.dumps(lora_config(**config)), encoding="utf-8")
    return folder


def draft_of(adapter_dir: Path, **changes: Any) -> ArtifactDraft:
    """A draft with everything that is needed, for an adapter on the bare base."""
    facts: dict[str, Any] = {
        "name": "unified",
        "adapter_dir": adapter_dir,
        "parents": (),
        "base": BaseRecord(IDENTITY, "b" * 64, "b" * 64, 20),
        "base_location": "tiny/base",
        "data": DataRecord("presidents", "c" * 64, 500, 40_000),
        "run_key": "d" * 64,
        "training_config": "name: unified\nadapter:\n  r: 4\n",
        "training_metrics": {"loss": [2.5, 2.25]},
        "metrics": {"eval_loss": 2.25},
        "environment": {"seed": 0, "torch": "2.13.0"},
        **changes,
    }
    return ArtifactDraft(**facts)


def edit(artifact: Path, file: str, data: bytes) -> None:
    """Replace a file of an artifact and write fitting checksums, as somebody who means to deceive would."""
    (artifact / file).write_bytes(data)
    (artifact / CHECKSUMS_FILE).unlink()
    write_checksums(artifact)


def edit_json(artifact: Path, file: str, **changes: Any) -> None:
    """Change keys of a JSON file of an artifact and write fitting checksums."""
    plain = json.loads((artifact / file).read_bytes())
    edit(artifact, file, json.dumps({**plain, **changes}).encode())
