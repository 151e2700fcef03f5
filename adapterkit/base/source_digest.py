"""`source_digest`: what a base is, before any quantization - its tensors' values and its config.

Read from the files, without torch: to ask which base a folder holds takes no deep-learning library.
"""

from __future__ import annotations

import json
import mmap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from adapterkit.base.parallel import in_parallel
from adapterkit.digest import json_digest, sha256_bytes, table_digest, tensor_record
from adapterkit.errors import BaseLoadError

# They say who wrote the folder and how it is to be loaded, not what the model computes.
_VOLATILE = ("_name_or_path", "transformers_version", "torch_dtype", "dtype", "use_cache", "quantization_config")

# safetensors' names -> torch's; published adapters carry digests of these.
_DTYPES = {
    "BOOL": "bool", "BF16": "bfloat16", "F16": "float16", "F32": "float32", "F64": "float64", "C64": "complex64",
    "I8": "int8", "I16": "int16", "I32": "int32", "I64": "int64",
    "U8": "uint8", "U16": "uint16", "U32": "uint32", "U64": "uint64",
    "F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2", "F8_E8M0": "float8_e8m0fnu",
    "F8_E4M3FNUZ": "float8_e4m3fnuz", "F8_E5M2FNUZ": "float8_e5m2fnuz",
}  # fmt: skip


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
        # safetensors checks the header; its own numpy reader knows no bfloat16, so the bytes are taken where they lie.
        with safe_open(file, framework="np") as tensors:
            forms = {name: tensors.get_slice(name) for name in tensors.keys()}  # noqa: SIM118  (no mapping)
            with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return _records(file, forms, data)
    except (SafetensorError, OSError) as error:
        raise BaseLoadError(str(file.parent), f"{file.name} is damaged ({error}). Download the model again.") from error


def _records(file: Path, forms: Mapping[str, Any], data: mmap.mmap) -> dict[str, Any]:
    body = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:body])
    spans = {name: [body + offset for offset in header[name]["data_offsets"]] for name in forms}

    def record(name: str) -> dict[str, Any]:
        start, end = spans[name]
        with memoryview(data) as whole, whole[start:end] as content:
            return tensor_record(_dtype(file, forms[name].get_dtype()), forms[name].get_shape(), sha256_bytes(content))

    # The largest first, so that none is left to one core at the end.
    names = sorted(forms, key=lambda name: spans[name][0] - spans[name][1])
    return dict(zip(names, in_parallel(record, names), strict=True))


def _dtype(file: Path, label: str) -> str:
    if label not in _DTYPES:
        raise BaseLoadError(str(file.parent), f"{file.name} holds tensors of dtype {label}, which torch does not have.")
    return _DTYPES[label]


def _semantic_config(folder: Path) -> dict[str, Any]:
    try:
        config = json.loads((folder / "config.json").read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise BaseLoadError(str(folder), f"config.json cannot be read ({error}). Is it a model folder?") from error
    return {key: value for key, value in config.items() if key not in _VOLATILE}
