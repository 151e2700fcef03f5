"""Families of random adapters on the tiny base, published without a training: any variant, in milliseconds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from artifacts.samples import draft_of
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

from adapterkit.base.load import Base, identify, load_base
from adapterkit.config.schema import ModelConfig, QuantizationConfig
from adapterkit.manifest import BaseRecord
from adapterkit.registry import Published, Registry
from adapterkit.stack.adapter_stack import AdapterStack

FP32 = QuantizationConfig(kind="none", dtype="float32")
IDS = torch.arange(3, 35).view(2, 16)


class Kin:
    """A base, a registry, and adapters with random A and B."""

    def __init__(self, base: Path, folder: Path, held: QuantizationConfig = FP32) -> None:
        self.base_folder, self.folder, self.held = base, folder, held
        self.registry = Registry(folder / "adapters")
        self.identity, _ = identify(ModelConfig(id=str(base)), held)

    def publish(
        self, name: str, parent: Published | None = None, *, seed: int = 0, size: float = 0.1, **config: Any
    ) -> Published:
        """Publish one; keys of LoraConfig may be given, plain rank 4 on all linear layers otherwise.

        Args:
            name: of the adapter.
            parent: what it stands on.
            seed: of A and B.
            size: their deviation.
        """
        plain = {"r": 4, "lora_alpha": 8, "target_modules": "all-linear", "task_type": "CAUSAL_LM"}
        model = AutoModelForCausalLM.from_pretrained(self.base_folder, dtype=torch.float32)
        adapted = get_peft_model(model, LoraConfig(**{**plain, **config}))
        draw = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for key, parameter in adapted.named_parameters():
                if "lora_A" in key or "lora_B" in key:
                    parameter.copy_(torch.randn(parameter.shape, generator=draw) * size)
                elif "magnitude" in key:
                    parameter.mul_(1 + 0.1 * torch.rand(parameter.shape, generator=draw))
        raw = self.folder / "raw" / name
        adapted.save_pretrained(raw, save_embedding_layers=False)
        return self.registry.publish(
            draft_of(
                raw,
                name=name,
                parents=parent.manifest.lineage.members if parent else (),
                base=BaseRecord(self.identity, "", "", 0),
                base_location=str(self.base_folder),
                run_key=f"{seed:064x}",
            )
        )

    def base(self, dtype: torch.dtype | None = None) -> Base:
        """The base in memory, in another dtype where that is asked for."""
        loaded = load_base(self.identity, self.base_folder, self.held, device=torch.device("cpu"))
        if dtype is not None:
            loaded.model.to(dtype)
        return loaded

    def stack(self, ref: str, dtype: torch.dtype | None = None) -> AdapterStack:
        """An adapter with its lineage on a base of its own."""
        stack = AdapterStack(self.base(dtype))
        stack.attach(self.registry.lineage_artifacts(ref))
        stack.model.eval()
        return stack


def logits(model: Any) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = model(input_ids=IDS).logits
    return found
