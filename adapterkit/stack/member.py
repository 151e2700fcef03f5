"""One adapter of a live stack, and what is read of a published one before anything reaches the model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from peft import LoraConfig, PeftConfig
from safetensors.torch import load as load_tensors

from adapterkit.artifacts.adapter_config import LoraSettings
from adapterkit.artifacts.read import Artifact, verified_settings, verified_weights

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class StackMember:
    """One adapter of a live stack.

    Attributes:
        peft_name: the name PEFT knows it by.
        artifact: where a frozen member was read from; None for a trainee.
    """

    peft_name: str
    artifact: Artifact | None

    @property
    def trainable(self) -> bool:
        """Whether this member is the trainee."""
        return self.artifact is None


@dataclass(frozen=True)
class PublishedAdapter:
    """A published adapter, read and checked: PEFT's settings and the tensors, from the bytes that were verified."""

    artifact: Artifact
    config: LoraConfig
    tensors: dict[str, torch.Tensor]


def read_published(artifact: Artifact) -> PublishedAdapter:
    """Read a published adapter.

    Raises:
        ArtifactError: what lies on disk is not what was published.
    """
    config = lora_config_of(verified_settings(artifact), frozen=True)
    return PublishedAdapter(artifact, config, load_tensors(verified_weights(artifact)))


def lora_config_of(settings: LoraSettings, *, frozen: bool) -> LoraConfig:
    """PEFT's settings for those of an adapter_config.json that was checked."""
    config: LoraConfig = PeftConfig.from_peft_type(**{**settings.plain, "inference_mode": frozen})
    return config
