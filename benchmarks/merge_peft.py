"""PEFT's side of benchmarks/merge.py. It is imported alone, for PEFT takes longer to import than most merges take."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from merge_sides import DENSITY, RANK, SOURCES, WEIGHTS, OnDisk, off, peak_mb
from peft import LoraConfig, get_peft_model

_NAMES = [str(number) for number in range(SOURCES)]


def peft(folder: Path, merges: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
    """Merge single modules, (module, kind) by (module, kind); the peak memory is that of all so far."""
    tensors = [OnDisk(folder / f"{source}.safetensors") for source in range(SOURCES)]
    found = []
    for name, kind in merges:
        factors = [[each[f"base_model.model.{name}.lora_{side}.weight"] for side in "AB"] for each in tensors]
        found.append({"peft": kind, "module": name, **one(model_of(factors), kind)})
    return found


def model_of(factors: Sequence[Sequence[torch.Tensor]]) -> Any:
    """One linear layer with an adapter for each pair of A and B."""
    layer = torch.nn.Module()
    layer.q_proj = torch.nn.Linear(factors[0][0].shape[1], len(factors[0][1]), bias=False)
    config = LoraConfig(r=RANK, lora_alpha=2 * RANK, target_modules=["q_proj"])
    model: Any = get_peft_model(layer, config, adapter_name="0")
    for name in _NAMES[1:]:
        model.add_adapter(name, config)
    target = model.base_model.model.q_proj
    with torch.no_grad():
        for name, (a, b) in zip(_NAMES, factors, strict=True):
            target.lora_A[name].weight.copy_(a)
            target.lora_B[name].weight.copy_(b)
    return model


@torch.no_grad()
def one(model: Any, kind: str) -> dict[str, Any]:
    """PEFT's merge of one module: seconds, and the error against the dense merge that it cut down itself."""
    more: dict[str, Any] = {"density": DENSITY} if "ties" in kind or "dare" in kind else {}
    target = model.base_model.model.q_proj
    changes = (target.get_delta_weight(each) * weight for each, weight in zip(_NAMES, WEIGHTS, strict=True))
    # What DARE drops cannot be drawn again from outside, so what the SVD is given is looked at.
    given = [] if kind.endswith("svd") else [sum(changes)]
    svd = torch.linalg.svd

    def watched(matrix: torch.Tensor, **options: Any) -> Any:
        given.append(matrix)
        return svd(matrix, **options)

    started = time.perf_counter()
    with mock.patch.object(torch.linalg, "svd", watched):
        # Its default, all singular vectors of the longer side, takes longer and gives the same.
        model.add_weighted_adapter(
            _NAMES, list(WEIGHTS), "merged", combination_type=kind, svd_full_matrices=False, **more
        )
    seconds = time.perf_counter() - started
    return {"seconds": seconds, "peak_mb": peak_mb(), "error": off(given[0], target.get_delta_weight("merged"))}
