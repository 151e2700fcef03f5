"""The tensors of one adapter of a live model, under the names they are published with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from peft.utils import get_peft_model_state_dict, set_peft_model_state_dict
from safetensors.torch import save as save_tensors

from adapterkit.errors import RegistryError, StackError
from adapterkit.manifest import ADAPTER_CONFIG_FILE, WEIGHTS_FILE
from adapterkit.stores import replace_files
from adapterkit.texts import counted


def state_of(model: PeftModel, name: str) -> dict[str, Any]:
    """The tensors of one adapter."""
    # save_embedding_layers="auto" would look the base up on the hub.
    return dict(get_peft_model_state_dict(model, adapter_name=name, save_embedding_layers=False))


def load_state(model: PeftModel, name: str, tensors: dict[str, torch.Tensor]) -> None:
    """Give an adapter these tensors; PEFT's own loading passes over those that are missing.

    Raises:
        StackError: they are other tensors than it has.
    """
    expected = {key: value.shape for key, value in state_of(model, name).items()}
    given = {key: value.shape for key, value in tensors.items()}
    if expected != given:
        wrong = sorted(key for key in expected.keys() | given.keys() if expected.get(key) != given.get(key))
        raise StackError(
            f"The weights do not fit the adapter '{name}' on this base: {counted(len(wrong), 'tensor')} "
            f"{'is' if len(wrong) == 1 else 'are'} missing, "
            f"unexpected or of another shape, first `{wrong[0]}`."
        )
    set_peft_model_state_dict(model, tensors, adapter_name=name)


def save_state(model: PeftModel, name: str, directory: Path, *, dtype: torch.dtype | None) -> None:
    """Write one adapter as PEFT reads it; an older save in the directory stays whole, or is wholly replaced.

    Args:
        model: has the adapter.
        name: PEFT's of it.
        directory: where to.
        dtype: of the file; null: as the weights are in memory.

    Raises:
        StackError: the disk refuses.
    """
    tensors = {key: value.to(dtype or value.dtype).contiguous() for key, value in state_of(model, name).items()}
    weights = save_tensors(tensors, metadata={"format": "pt"})
    # PEFT holds sets, which it writes in another order in each process.
    plain = {**model.peft_config[name].to_dict(), "inference_mode": True}
    config = json.dumps(plain, indent=2, sort_keys=True, default=sorted)
    try:
        replace_files(directory, {WEIGHTS_FILE: weights, ADAPTER_CONFIG_FILE: config.encode("utf-8")})
    except RegistryError as error:
        raise StackError(f"The adapter cannot be saved in {directory}. {error}") from error
