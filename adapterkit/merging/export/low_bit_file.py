"""An adapter in 8 or 4 bits: one safetensors file, read strictly, from which the plain LoRA comes back.

`adapter_model.int8.safetensors` (or `.int4.`) holds four tensors for each layer, `base_model.model.<layer>.` and then

    lora_A.values   lora_A.scales    of A, (rank, inputs)
    lora_B.values   lora_B.scales    of B turned over, (rank, outputs), so that a group shares a column of B

in the form of `adapterkit.merging.export.low_bit.Coded`. Its metadata says `format` (adapterkit-low-bit), `version`
(1), `bits`, `group` (64) and, as JSON, `sizes`: inputs and outputs by layer. adapter_config.json beside it is that of
the plain LoRA, so its r, patterns and alpha hold for what is read back.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from adapterkit.artifacts import LoraSettings, parse_adapter_config, parse_json, read_header
from adapterkit.artifacts.adapter_config import MAX_CONFIG_BYTES
from adapterkit.errors import ArtifactError, RegistryError
from adapterkit.manifest import ADAPTER_CONFIG_FILE
from adapterkit.merging.export.low_bit import BITS, GROUP, Coded, decode, encode
from adapterkit.merging.factors import Factors
from adapterkit.merging.flatten import difference
from adapterkit.merging.plain import PlainLora
from adapterkit.names import TENSOR_PREFIX
from adapterkit.stores import move_into_place, read_file, staging_directory, write_file

_FORMAT, _VERSION = "adapterkit-low-bit", "1"
_MAX_BYTES = 1 << 34


def low_bit_name(bits: int) -> str:
    """The name of the file."""
    return f"adapter_model.int{bits}.safetensors"


def write_low_bit(folder: Path, modules: Mapping[str, Factors], bits: int) -> dict[str, float]:
    """Write an adapter's changes in few bits.

    Args:
        folder: where.
        modules: the changes by the layer's name.
        bits: 8 or 4.

    Returns:
        By the layer's name what that cost: the Frobenius norm of the difference over that of the change.

    Raises:
        RegistryError: the disk refuses.
    """
    tensors: dict[str, torch.Tensor] = {}
    sizes, lost = {}, {}
    for layer, factors in modules.items():
        outputs, inputs = factors.shape
        a, b = encode(factors.a, bits), encode(factors.b.T, bits)
        for part, coded in (("lora_A", a), ("lora_B", b)):
            name = f"{TENSOR_PREFIX}{layer}.{part}"
            tensors |= {f"{name}.values": coded.values, f"{name}.scales": coded.scales}
        sizes[layer] = [inputs, outputs]
        lost[layer] = difference(factors, Factors(decode(a, bits, inputs), decode(b, bits, outputs).T))
    told = {"format": _FORMAT, "version": _VERSION, "bits": str(bits), "group": str(GROUP)}
    told["sizes"] = json.dumps(sizes, sort_keys=True, separators=(",", ":"))
    write_file(folder / low_bit_name(bits), save_tensors(tensors, metadata=told))
    return lost


def load_low_bit(folder: Path) -> tuple[LoraSettings, dict[str, torch.Tensor]]:
    """Read an adapter in few bits back to a plain LoRA.

    Args:
        folder: with adapter_config.json and the file that `adapterkit export REF --to hub --dtype int8` writes.

    Returns:
        What adapter_config.json says, and the tensors under PEFT's names, float32.

    Raises:
        ArtifactError: there is no such file, or it is not what it must be.
    """
    settings = parse_adapter_config(read_file(folder / ADAPTER_CONFIG_FILE, limit=MAX_CONFIG_BYTES))
    bits = next((each for each in BITS if (folder / low_bit_name(each)).is_file()), None)
    if bits is None:
        names = " or ".join(low_bit_name(each) for each in BITS)
        raise ArtifactError.of(names, f"is missing in {folder}")
    path = folder / low_bit_name(bits)
    sizes = _sizes(path, bits)
    stored = load_tensors(read_file(path, limit=_MAX_BYTES))
    tensors: dict[str, torch.Tensor] = {}
    for layer, (inputs, outputs) in sizes.items():
        rank, prefix = settings.rank_of(layer), f"{TENSOR_PREFIX}{layer}"
        a = _part(stored, f"{prefix}.lora_A", bits, rank, inputs, path.name)
        b = _part(stored, f"{prefix}.lora_B", bits, rank, outputs, path.name)
        tensors |= {f"{prefix}.lora_A.weight": a, f"{prefix}.lora_B.weight": b.T.contiguous()}
    if len(stored) != 4 * len(sizes):
        raise ArtifactError.of(path.name, f"holds {len(stored)} tensors for {len(sizes)} layers, which have four each")
    return settings, tensors


def restore_low_bit(folder: Path, target: Path) -> Path:
    """Write an adapter in few bits as the LoRA folder that PEFT loads.

    Args:
        folder: as for `load_low_bit`.
        target: the new folder; nothing may be there.

    Raises:
        ArtifactError: as `load_low_bit`.
        RegistryError: something is there, or the disk refuses.
    """
    settings, tensors = load_low_bit(folder)
    with staging_directory(target.absolute().parent) as staged:
        PlainLora(settings.plain, tensors).write(staged)
        if not move_into_place(staged, target.absolute()):
            raise RegistryError(f"{target} exists, and nothing is written over. Choose another place.")
    return target


def _sizes(path: Path, bits: int) -> dict[str, tuple[int, int]]:
    """Inputs and outputs by layer, from the metadata of a file whose header is sound."""
    told = read_header(path).metadata
    wanted = {"format": _FORMAT, "version": _VERSION, "bits": str(bits), "group": str(GROUP)}
    if wrong := [f"{key}={told.get(key)!r}" for key, value in wanted.items() if told.get(key) != value]:
        raise ArtifactError.of(path.name, f"says {', '.join(wrong)[:200]}, which is not known here; update adapterkit")
    sizes = parse_json(told.get("sizes", "").encode("utf-8"), path.name)
    if not isinstance(sizes, dict) or not all(_is_size(size) for size in sizes.values()):
        raise ArtifactError.of(path.name, "the sizes in its metadata are no pairs of whole numbers by layer")
    return {layer: (size[0], size[1]) for layer, size in sizes.items()}


def _is_size(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(type(each) is int and each > 0 for each in value)


def _part(
    stored: Mapping[str, torch.Tensor], name: str, bits: int, rank: int, features: int, file: str
) -> torch.Tensor:
    """One factor, (rank, features), once its tensors are seen to be of the right form."""
    width = features if bits == 8 else -(-features // 2)
    wanted = {
        "values": (torch.int8 if bits == 8 else torch.uint8, (rank, width)),
        "scales": (torch.bfloat16, (rank, -(-features // GROUP))),
    }
    for part, (dtype, shape) in wanted.items():
        found = stored.get(f"{name}.{part}")
        if found is None or found.dtype != dtype or tuple(found.shape) != shape:
            is_ = "missing" if found is None else f"{found.dtype} {list(found.shape)}"
            raise ArtifactError.of(file, f"{name}.{part} is {is_}, and must be {dtype} {list(shape)}")
    decoded = decode(Coded(stored[f"{name}.values"], stored[f"{name}.scales"]), bits, features)
    if not bool(decoded.isfinite().all()):
        raise ArtifactError.of(file, f"{name}.scales holds NaN or an infinity")
    return decoded
