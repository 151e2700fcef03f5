"""`source_digest`: what a base is, before any quantization - its tensors' values and its config."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from adapterkit.base.tensor_hash import in_parallel, record_of
from adapterkit.digest import json_digest, table_digest
from adapterkit.errors import BaseLoadError

# They say who wrote the folder and how it is to be loaded, not what the model computes.
_VOLATILE = ("_name_or_path", "transformers_version", "torch_dtype", "dtype", "use_cache", "quantization_config")


def source_digest(folder: Path) -> str:
    """Hex sha256 over a model folder's safetensors, however they are sharded, and its `config.json`.

    Raises:
        BaseLoadError: the folder has no config.json or no readable safetensors file.
    """
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise BaseLoadError(
            str(folder),
            "no *.safetensors file in it. Pickled weights (.bin, .pt) can run code and are refused; "
            "convert once where you trust them: AutoModelForCausalLM.from_pretrained(...).save_pretrained(folder)",
        )
    records: dict[str, Any] = {}
    for file in files:
        records |= _file_records(file)
    return json_digest({"config": _semantic_config(folder), "tensors": table_digest(records)})


def _file_records(file: Path) -> dict[str, Any]:
    try:
        with safe_open(file, framework="pt") as tensors:
            names = sorted(tensors.keys())
            return dict(zip(names, in_parallel(lambda name: record_of(tensors.get_tensor(name)), names), strict=True))
    except (SafetensorError, OSError) as error:
        raise BaseLoadError(str(file.parent), f"{file.name} is damaged ({error}). Download the model again.") from error


def _semantic_config(folder: Path) -> dict[str, Any]:
    try:
        config = json.loads((folder / "config.json").read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise BaseLoadError(str(folder), f"config.json cannot be read ({error}). Is it a model folder?") from error
    return {key: value for key, value in config.items() if key not in _VOLATILE}
