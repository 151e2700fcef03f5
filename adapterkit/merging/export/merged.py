"""A whole model: the weights of a base with the changes of a stack in them, written layer by layer."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from adapterkit.base.held import as_stored, dequantized, four_bit, held
from adapterkit.base.outline import Outline, outline_of
from adapterkit.base.stored import StoredTensors
from adapterkit.config.schema import QuantizationConfig
from adapterkit.errors import ExportError
from adapterkit.merging.export.model_files import base_config, write_model_files
from adapterkit.merging.export.shards import ShardWriter
from adapterkit.merging.factors import AdapterFactors
from adapterkit.merging.plain import stored as stored_as
from adapterkit.stack.dense_sum import Change, dense_sum

MOST_BYTES = 2_000_000_000


@dataclass(frozen=True)
class MergeInto:
    """What the changes are merged into, and what is written.

    Attributes:
        base_id: of the base.
        folder: its local folder.
        held_as: take each weight as the base has it in memory under these settings; null: as it is stored.
        dtype: of the written weights; of a 4-bit model that of what is not quantized.
        four_bit: quantize the merged weights to NF4; what that costs stands in the result.
        double_quant: likewise, and quantize the scales too.
        most_bytes: of one file of weights.
    """

    base_id: str
    folder: Path
    held_as: QuantizationConfig | None
    dtype: torch.dtype = torch.float32
    four_bit: bool = False
    double_quant: bool = True
    most_bytes: int = MOST_BYTES


@dataclass
class MergedModel:
    """What was written.

    Attributes:
        losses: by the layer's name, the norm of what storage took from the weight over that of the change.
        untied: whether the output layer has its own weights now, and shared the embedding's before.
        bytes: of all tensors.
        total_loss: as `losses`, of all layers together.
    """

    losses: dict[str, float] = field(default_factory=dict)
    untied: bool = False
    bytes: int = 0
    _lost: float = 0.0
    _changed: float = 0.0

    @property
    def total_loss(self) -> float:
        """Of all layers together."""
        return math.sqrt(self._lost / self._changed) if self._changed else 0.0

    def note(self, layer: str, lost: float, changed: float) -> None:
        """Add a layer's loss, given the norms of what was lost and of the change."""
        self.losses[layer] = lost / changed if changed else 0.0
        self._lost, self._changed = self._lost + lost * lost, self._changed + changed * changed


def write_merged(
    into: MergeInto, members: Sequence[AdapterFactors], coefficients: Sequence[float], folder: Path
) -> MergedModel:
    """Write a model folder that transformers loads by itself; no more than one file's weights are in memory.

    Each changed weight is added up in float64 and rounded once, to the dtype it is written in.

    Args:
        into: the base, and how to write.
        members: of the stack, root-first, DoRA among them.
        coefficients: what each is multiplied by.
        folder: of the new model; it exists and is empty.

    Raises:
        BaseLoadError: the base cannot be read.
        ExportError: a changed layer is not among the base's stored weights.
        RegistryError: the disk refuses.
    """
    outline = outline_of(into.base_id, into.folder)
    config = base_config(into.base_id, into.folder)
    weights = _Weights(into, outline, {layer for member in members for layer in member})
    result = MergedModel(untied=weights.untied)
    with ShardWriter(folder, into.most_bytes) as shards:
        for name, layer, own in weights:
            for suffix, tensor in _written(into, weights, layer, own, members, coefficients, result).items():
                shards.add(name + suffix, tensor)
    result.bytes = shards.total_bytes
    write_model_files(
        into.folder, config, folder,
        dtype=str(into.dtype).removeprefix("torch."),
        untied=weights.untied,
        quantization=_nf4_settings(into) if into.four_bit else None,
    )  # fmt: skip
    return result


class _Weights:
    """The base's tensors, each with the linear layer whose weight it is."""

    def __init__(self, into: MergeInto, outline: Outline, changed: set[str]) -> None:
        self._into, self._outline, self._stored = into, outline, StoredTensors(into.folder)
        self._layers = {name: self._layer(name) for name in self._stored}
        self.changed = changed
        self.untied = outline.tied and outline.head in changed
        # A tied output layer that changes needs weights of its own, and begins with the embedding's.
        self._source = {f"{outline.head}.weight": self._embedding()} if self.untied else {}
        self._layers |= dict.fromkeys(self._source, outline.head)
        if lost := sorted(changed.difference(layer for layer in self._layers.values() if layer)):
            raise ExportError(
                f"The files of the base hold no weight for `{lost[0]}` ({len(lost)} such layers): transformers makes "
                "it from other tensors when it loads this kind of model, and a merge would have to undo that. Flatten "
                "the adapter instead: adapterkit flatten REF"
            )

    def _layer(self, name: str) -> str | None:
        """The linear layer that a stored tensor is the weight of; a file may leave the model's prefix out."""
        layer = name.removesuffix(".weight")
        if layer == name:
            return None
        prefixed = f"{self._outline.model.base_model_prefix}.{layer}"
        return next((each for each in (layer, prefixed) if each in self._outline.sizes), None)

    def _embedding(self) -> str:
        """The stored tensor of the embedding."""
        wanted = self._outline.model.get_input_embeddings()
        module = next(name for name, each in self._outline.model.named_modules() if each is wanted)
        return next(name for name in self._stored if f".{module}.weight".endswith(f".{name}"))

    def __iter__(self) -> Iterator[tuple[str, str | None, torch.Tensor]]:
        """Name, linear layer or null, and the tensor as the base holds it, (outputs, inputs) of a linear layer."""
        for name, layer in self._layers.items():
            tensor = self.turned(self._stored[self._source.get(name, name)], layer)
            if self._into.held_as is not None:
                tensor = held(tensor, self._into.held_as, quantized=self.is_block(layer))
            yield name, layer, tensor

    def is_block(self, layer: str | None) -> bool:
        """Whether it is a layer that bitsandbytes quantizes."""
        return layer in self._outline.blocks

    def turned(self, tensor: torch.Tensor, layer: str | None) -> torch.Tensor:
        """Between the form in which a layer is stored and (outputs, inputs): GPT-2's layers hold the transpose."""
        from transformers.pytorch_utils import Conv1D

        turns = layer is not None and isinstance(self._outline.model.get_submodule(layer), Conv1D)
        return tensor.T if turns else tensor


def _written(
    into: MergeInto,
    weights: _Weights,
    layer: str | None,
    own: torch.Tensor,
    members: Sequence[AdapterFactors],
    coefficients: Sequence[float],
    result: MergedModel,
) -> Mapping[str, torch.Tensor]:
    """What is stored of one tensor, by what follows its name; the loss is noted."""
    if not own.is_floating_point():
        return {"": own}
    changed = layer is not None and layer in weights.changed
    total = dense_sum(own.double(), _changes(layer, members, coefficients)) if changed and layer else own
    stored = stored_as(total, into.dtype, layer) if changed and layer else total.to(into.dtype)
    parts = {"": weights.turned(stored, layer)}
    if into.four_bit and weights.is_block(layer):
        packed = four_bit(stored, double_quant=into.double_quant)
        stored, parts = dequantized(packed), as_stored(packed)
    if changed and layer:
        lost = torch.linalg.vector_norm(stored.double() - total).item()
        result.note(layer, lost, torch.linalg.vector_norm(total - own.double()).item())
    return parts


def _changes(layer: str, members: Sequence[AdapterFactors], coefficients: Sequence[float]) -> Iterator[Change]:
    for member, coefficient in zip(members, coefficients, strict=True):
        if layer in member and coefficient:
            yield Change(member[layer].scaled(coefficient).dense(), member.magnitude(layer))


def _nf4_settings(into: MergeInto) -> Mapping[str, object]:
    from transformers import BitsAndBytesConfig

    settings: dict[str, object] = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=into.double_quant,
        bnb_4bit_compute_dtype=into.dtype,
    ).to_dict()
    return settings
