"""How many parameters an adapter has, and how many bytes its artifact, from the shapes of the base's layers alone."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from adapterkit.base.outline import Outline
from adapterkit.config.schema import ALL_LINEAR, AdapterConfig
from adapterkit.names import TENSOR_PREFIX
from adapterkit.stack.targets import real_targets

MB = 1_000_000

# Bytes of the other files, measured: the texts of a small training with test rows, their growth with each parent and
# each logged entry (training_metrics.json), and the picture of the curves, 14 to 29 thousand.
_TEXTS, _PARENT, _ENTRY, _CURVES = 10_500, 350, 175, 20_000
_SAFETENSORS = {"float32": ("F32", 4), "bfloat16": ("BF16", 2)}


@dataclass(frozen=True)
class AdapterSize:
    """What training an adapter leaves.

    Attributes:
        parameters: trainable numbers.
        weights: bytes of adapter_model.safetensors.
        artifact: bytes of the whole published folder.
    """

    parameters: int
    weights: int
    artifact: int


def adapter_size(adapter: AdapterConfig, outline: Outline, *, parents: int = 0, entries: int = 0) -> AdapterSize:
    """Count an adapter's parameters and bytes.

    Parameters and weights are exact. The rest of the artifact is some ten thousand bytes of text and a picture.

    Args:
        adapter: its shape.
        outline: of the base.
        parents: members of the lineage below.
        entries: how often the training logs.

    Raises:
        UsageError: as `targeted_layers`.
    """
    shapes = tensor_shapes(adapter, outline)
    weights = _file_bytes(shapes, adapter.dtype)
    rest = _TEXTS + _CURVES + parents * _PARENT + entries * _ENTRY
    return AdapterSize(sum(map(math.prod, shapes.values())), weights, weights + rest)


def targeted_layers(targets: str | Sequence[str], outline: Outline) -> Mapping[str, tuple[int, int]]:
    """The linear layers that get weights, by full name: (inputs, outputs).

    Args:
        targets: `all-linear`, or roles, or names that a layer's full name is, or ends in after a dot, as PEFT reads
            them.
        outline: of the base.

    Raises:
        UsageError: the base has no layer for a role, no module of a name, or one that is no linear layer.
    """
    if targets == ALL_LINEAR:
        return outline.blocks
    names = real_targets([targets] if isinstance(targets, str) else targets, outline.model)
    endings = tuple(f".{name}" for name in names)
    return {name: size for name, size in outline.sizes.items() if name in names or name.endswith(endings)}


def tensor_shapes(adapter: AdapterConfig, outline: Outline) -> dict[str, tuple[int, ...]]:
    """The published tensors of an adapter, by name: A (rank, inputs), B (outputs, rank), DoRA's magnitude (outputs,).

    Raises:
        UsageError: as `targeted_layers`.
    """
    return dict(_tensors(adapter, targeted_layers(adapter.target_modules, outline)))


def _tensors(adapter: AdapterConfig, layers: Mapping[str, tuple[int, int]]) -> Iterator[tuple[str, tuple[int, ...]]]:
    for name, (inputs, outputs) in layers.items():
        yield f"{TENSOR_PREFIX}{name}.lora_A.weight", (adapter.r, inputs)
        yield f"{TENSOR_PREFIX}{name}.lora_B.weight", (outputs, adapter.r)
        if adapter.use_dora:
            yield f"{TENSOR_PREFIX}{name}.lora_magnitude_vector", (outputs,)


def _file_bytes(shapes: Mapping[str, tuple[int, ...]], dtype: str) -> int:
    """Length of the header, the header as safetensors writes it, padded to eight bytes, and the numbers."""
    label, width = _SAFETENSORS[dtype]
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name in sorted(shapes):
        begin, end = end, end + math.prod(shapes[name]) * width
        header[name] = {"dtype": label, "shape": shapes[name], "data_offsets": [begin, end]}
    text = len(json.dumps(header, separators=(",", ":")).encode("utf-8"))
    return 8 + math.ceil(text / 8) * 8 + end
