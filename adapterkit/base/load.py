"""Load a frozen base with its tokenizer, and say exactly which base it is."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from adapterkit.base.heap import bound_primitives, release_freed
from adapterkit.base.locate import locate_base
from adapterkit.base.precision import as_computed, compute_in_float32
from adapterkit.base.quantization import keep_bytes_in_place, loading_arguments, settings_of
from adapterkit.base.source_digest import source_digest
from adapterkit.base.tokenizer_digest import tokenizer_digest
from adapterkit.config.schema import ModelConfig, QuantizationConfig
from adapterkit.errors import BaseLoadError
from adapterkit.lineage import BaseIdentity
from adapterkit.texts import first_line_of

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Base:
    """A base in memory: evaluated, frozen, on one device.

    Attributes:
        model: the PreTrainedModel; no parameter requires grad.
        tokenizer: its tokenizer, with a pad token.
        identity: who it is; what lineage and run keys hold.
        folder: the local folder it was loaded from.
    """

    model: Any
    tokenizer: Any
    identity: BaseIdentity
    folder: Path

    @property
    def device(self) -> torch.device:
        """Where the model lives."""
        return torch.device(self.model.device)


def identify(model: ModelConfig, quantization: QuantizationConfig) -> tuple[BaseIdentity, Path]:
    """Say which base a config means, and its local folder, without loading it.

    Raises:
        BaseLoadError: the base is not to be had.
        UsageError: unknown quantization.
    """
    settings = settings_of(quantization)
    folder = locate_base(model.id, revision=model.revision, install=model.install)
    return BaseIdentity(model.id, model.revision, source_digest(folder), settings, tokenizer_digest(folder)), folder


def load_base(
    identity: BaseIdentity,
    folder: Path,
    quantization: QuantizationConfig,
    *,
    device: torch.device,
    attn_implementation: str = "auto",
) -> Base:
    """Load the model of a folder, quantized as asked, and its tokenizer.

    Args:
        identity: who the base is, from `identify`.
        folder: its local folder, from `identify`.
        quantization: how to hold it.
        device: where to put it.
        attn_implementation: `auto`, `eager`, `sdpa`, `flash_attention_2`, ...; `auto` is flash attention on a GPU
            that has it, else `sdpa`.

    Raises:
        BaseLoadError: transformers cannot load it, or it has no tokenizer.
        MissingExtraError: a package that the settings need is missing.
    """
    from transformers import AutoModelForCausalLM

    arguments = loading_arguments(quantization)
    bound_primitives()
    try:
        model = AutoModelForCausalLM.from_pretrained(
            folder,
            attn_implementation=_attention(attn_implementation, device),
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            device_map={"": device},
            **arguments,
        )
    except (OSError, ValueError, ImportError, KeyError, RuntimeError) as error:
        raise BaseLoadError(identity.id, first_line_of(error)) from error
    model.requires_grad_(False)
    model.eval()
    keep_bytes_in_place(model)
    if as_computed(quantization, device) != quantization:
        _log.info("This processor has no products in bfloat16: the base is computed in float32")
        compute_in_float32(model)
    release_freed()
    return Base(model, load_tokenizer(identity.id, folder), identity, folder)


def load_tokenizer(base_id: str, folder: Path) -> Any:
    """The fast tokenizer of a model folder; a missing pad token becomes the end-of-text token.

    Raises:
        BaseLoadError: the folder has no tokenizer that transformers can read without remote code.
    """
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    except (OSError, ValueError, ImportError, KeyError) as error:
        raise BaseLoadError(base_id, f"its tokenizer cannot be read: {first_line_of(error)}") from error
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def _attention(wanted: str, device: torch.device) -> str:
    from transformers.utils import is_flash_attn_2_available

    if wanted != "auto":
        return wanted
    return "flash_attention_2" if device.type == "cuda" and is_flash_attn_2_available() else "sdpa"
