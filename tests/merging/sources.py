"""Adapters to merge, of equal and unequal ranks, plain, rsLoRA and with patterns; and their dense changes."""

from __future__ import annotations

import json
import math

import numpy as np
import torch

from adapterkit.artifacts.adapter_config import parse_adapter_config
from adapterkit.merging.factors import AdapterFactors, Factors
from tests.artifacts.samples import lora_config

SHAPES = {"layers.0.q_proj": (96, 64), "layers.0.up_proj": (160, 64), "layers.1.down_proj": (64, 160)}
RSLORA = {"use_rslora": True, "r": 3, "lora_alpha": 5}
PATTERNS = {"r": 6, "lora_alpha": 9, "rank_pattern": {"up_proj": 2}, "alpha_pattern": {"down_proj": 3, "up_proj": 7}}
FAMILIES = {
    "equal": [{}, {}, {}],
    "unequal": [{"r": 2}, {"r": 7, "lora_alpha": 3}, {"r": 4}],
    "rslora": [RSLORA, {**RSLORA, "lora_alpha": 2}],
    "mixed": [{}, RSLORA, PATTERNS],
}


class Source:
    """An adapter with random weights, as its files give it."""

    def __init__(self, seed, *, without=(), **config):
        self.config = lora_config(**{"target_modules": [name.rpartition(".")[2] for name in SHAPES], **config})
        draw = torch.Generator().manual_seed(seed)
        self.tensors = {}
        for name, (outputs, inputs) in SHAPES.items():
            if name not in without:
                rank = self.of("rank_pattern", "r", name)
                key = f"base_model.model.{name}.lora"
                self.tensors[f"{key}_A.weight"] = torch.randn(rank, inputs, generator=draw)
                self.tensors[f"{key}_B.weight"] = torch.randn(outputs, rank, generator=draw)

    def of(self, pattern, default, name):
        return self.config[pattern].get(name.rpartition(".")[2], self.config[default])

    @property
    def factors(self):
        return AdapterFactors(parse_adapter_config(json.dumps(self.config).encode()), self.tensors)

    def dense(self, name):
        """alpha / r B A, or alpha / sqrt(r) B A, in float64; zero where the layer is not changed."""
        key = f"base_model.model.{name}.lora"
        if f"{key}_A.weight" not in self.tensors:
            return np.zeros(SHAPES[name])
        rank, alpha = self.of("rank_pattern", "r", name), self.of("alpha_pattern", "lora_alpha", name)
        a, b = (self.tensors[f"{key}_{each}.weight"].numpy().astype(np.float64) for each in "AB")
        return alpha / (math.sqrt(rank) if self.config["use_rslora"] else rank) * (b @ a)


def family(name):
    return [Source(seed, **config) for seed, config in enumerate(FAMILIES[name])]


def change(rank, outputs, inputs, *, seed=0):
    """The change of one layer."""
    draw = torch.Generator().manual_seed(seed)
    a, b = (torch.randn(size, generator=draw, dtype=torch.float64) for size in ((rank, inputs), (outputs, rank)))
    return Factors(a, b)


def distance(found, exact):
    """Of a change or a matrix to a dense one, as a share of its norm."""
    dense = found.dense().numpy() if isinstance(found, Factors) else np.asarray(found)
    return float(np.linalg.norm(dense - exact) / np.linalg.norm(exact))
