"""Our side of benchmarks/merge.py, the adapters that both merge, and what both are measured by."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from adapterkit.artifacts.adapter_config import parse_adapter_config
from adapterkit.merging.factors import AdapterFactors
from adapterkit.merging.layer import seeds_of
from adapterkit.merging.merge import MergeOptions, merge
from adapterkit.merging.methods import METHODS, Masked

SOURCES, RANK, DENSITY = 4, 16, 0.5
WEIGHTS = (1.0,) * SOURCES
_CONFIG = {
    "peft_type": "LORA", "r": RANK, "lora_alpha": 2 * RANK, "target_modules": ["q_proj"], "task_type": "CAUSAL_LM",
}  # fmt: skip


def shapes(hidden: int, inner: int) -> dict[str, tuple[int, int]]:
    """The linear modules of a decoder layer of Llama 2's kind: (outputs, inputs)."""
    square = {f"self_attn.{kind}_proj": (hidden, hidden) for kind in "qkvo"}
    wide = {f"mlp.{kind}_proj": (inner, hidden) for kind in ("gate", "up")}
    return {**square, **wide, "mlp.down_proj": (hidden, inner)}


class OnDisk(Mapping[str, torch.Tensor]):
    """An adapter's tensors, read when they are asked for."""

    def __init__(self, path: Path) -> None:
        self._file = safe_open(path, "pt")
        self._names = list(self._file.keys())

    def __getitem__(self, name: str) -> torch.Tensor:
        found: torch.Tensor = self._file.get_tensor(name)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def write_sources(folder: Path, hidden: int, inner: int, layers: int) -> dict[str, Any]:
    """Adapters whose singular values fall off as 1, 1/2, 1/3, ...: some directions of each matter more than others."""
    falling = 1 / torch.arange(1, RANK + 1)
    for source in range(SOURCES):
        draw = torch.Generator().manual_seed(source)
        tensors = {}
        for layer in range(layers):
            for name, (outputs, inputs) in shapes(hidden, inner).items():
                key = f"base_model.model.model.layers.{layer}.{name}.lora"
                tensors[f"{key}_A.weight"] = torch.randn(RANK, inputs, generator=draw) / inputs**0.5
                tensors[f"{key}_B.weight"] = torch.randn(outputs, RANK, generator=draw) * falling
        save_file(tensors, folder / f"{source}.safetensors")
    return {"parameters": sum(tensor.numel() for tensor in tensors.values())}


def opened(folder: Path) -> list[AdapterFactors]:
    """The adapters, as an artifact gives them."""
    settings = parse_adapter_config(json.dumps(_CONFIG).encode())
    return [AdapterFactors(settings, OnDisk(folder / f"{source}.safetensors")) for source in range(SOURCES)]


def ours(folder: Path, method: str) -> dict[str, Any]:
    """Merge every module; seconds of each, the peak memory of the process, errors where they can be told."""
    sources = opened(folder)
    options = MergeOptions(method, WEIGHTS, density=DENSITY)
    # The first products and decompositions of a process load code.
    merge([{"warm": source[next(iter(source))]} for source in sources], options)
    ends = [time.perf_counter()]
    merged = merge(sources, options, layer_done=lambda done, of: ends.append(time.perf_counter()))
    took = dict(zip(merged.modules, (b - a for a, b in itertools.pairwise(ends)), strict=True))
    peak = peak_mb()
    # As within a merge: beside other work, two threads crawl.
    torch.set_num_threads(1)
    first = {name: factors for name, factors in merged.modules.items() if ".layers.0." in f".{name}"}
    errors = {name: off(exact(sources, name, method), factors.dense()) for name, factors in first.items()}
    return {"seconds": sum(took.values()), "modules": took, "peak_mb": peak, "errors": errors}


def exact(sources: list[AdapterFactors], name: str, method: str) -> torch.Tensor:
    """The dense merge of a module, before its rank is cut."""
    chosen = METHODS[method]
    if isinstance(chosen, Masked):
        seeds = [seeds_of(0, number, name)[0] for number in range(SOURCES)]
        return chosen.dense([source[name] for source in sources], WEIGHTS, DENSITY, seeds)
    whole = merge([{name: source[name]} for source in sources], MergeOptions(method, WEIGHTS, rank="sum"))
    return whole.modules[name].dense()


def off(dense: torch.Tensor, found: torch.Tensor) -> float:
    """The norm of a difference over that of the first."""
    return float((dense.double() - found.double()).norm() / dense.double().norm())


def peak_mb() -> float:
    """The most memory that this process ever had, in MB of 10^6 bytes."""
    lines = Path("/proc/self/status").read_text("utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("VmHWM"))
