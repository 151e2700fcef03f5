"""Trainings of a second or less: the whole story, on the tiny base, with a handful of chats."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

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

TRAIN = ("red fox", "lazy dog", "brown nation", "new people")
TEST = ("state union", "quick year", "helpful father")
FP32 = QuantizationConfig(kind="none", dtype="float32")

_runs = itertools.count()


def write_chats(path: Path, words: Sequence[str]) -> Path:
    rows = [
        [{"role": "user", "content": f"Say {word}."}, {"role": "assistant", "content": f"The {word}, {word * index}!"}]
        for index, word in enumerate(words)
    ]
    path.write_text("".join(json.dumps({"messages": row}) + "\n" for row in rows), encoding="utf-8")
    return path


class Workshop:
    """A base, a registry and data under one folder; `config` says what to train there."""

    def __init__(self, base: Path, folder: Path) -> None:
        self.base, self.folder = base, folder
        self.registry = Registry(folder / "adapters")
        self.train = write_chats(folder / "train.jsonl", TRAIN)
        self.held_out = write_chats(folder / "held_out.jsonl", TEST)

    def config(self, name: str, parent: str | None = None, **changes: Any) -> TrainConfig:
        """A training of two steps; keys of `adapter`, `data` and `trainer` may be given flat."""
        adapter = AdapterConfig(r=2, lora_alpha=4, lora_dropout=0.5)
        data = DataConfig(reader="chat", train=str(self.train), test=str(self.held_out), max_length=256)
        trainer = TrainerConfig(epochs=1, max_steps=2, learning_rate=1e-2, batch_size=2, logging_steps=1)
        whole = {field.name for field in dataclasses.fields(TrainConfig)}
        # What a preset proposes bears the trainer's names, or those of the whole: the adapter comes last.
        parts = {"data": data, "trainer": trainer, "adapter": adapter}
        for key, part in parts.items():
            own = {k: changes.pop(k) for k in list(changes) if hasattr(part, k) and k not in whole}
            parts[key] = dataclasses.replace(part, **own)
        return TrainConfig(
            name=name,
            parent=parent,
            registry=str(self.registry.path),
            output_dir=str(self.folder / "outputs" / name / f"run{next(_runs)}"),
            device="cpu",
            model=ModelConfig(id=str(self.base)),
            quantization=FP32,
            tracking=TrackingConfig(tensorboard=False),
            **parts,
            **changes,
        )

    def published(self, name: str) -> list[str]:
        return [str(version) for version in self.registry.versions(name)]
