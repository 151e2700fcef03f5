"""How much memory a training takes at its peak. All that was measured stands in the constants here.

On a processor it is the process's resident memory; on a GPU what torch has allocated there. Bytes, throughout.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch

from adapterkit.base.heap import PRIMITIVES, resident_memory
from adapterkit.base.outline import Outline
from adapterkit.config.choices import EVA
from adapterkit.config.schema import AdapterConfig, QuantizationConfig, TrainerConfig
from adapterkit.training.estimate.size import MB, targeted_layers
from adapterkit.training.estimate.work import Batch, Work
from adapterkit.training.fused.attention import BLOCK
from adapterkit.training.fused.head import AT_ONCE
from adapterkit.training.fused.reasons import why_not_asked, why_not_config
from adapterkit.training.fused.shapes import rounded_tokens, rounded_width
from adapterkit.training.fused.tiles.blocks import cut
from adapterkit.training.fused.tiles.choice import Sizes, can_tile

# torch, transformers, PEFT, bitsandbytes, datasets and the tokenizer, before a base is loaded.
_LIBRARIES = 625 * MB
_WIDTHS = {"bfloat16": 2, "float16": 2, "float32": 4}
# NF4 in blocks of 64: half a byte a weight, one byte of absmax a block, and with double quantization four for 256 of
# these; else four bytes of absmax a block. Int8: one byte a weight.
_NF4 = {True: 0.5 + 1 / 64 + 4 / (64 * 256), False: 0.5 + 4 / 64}
# What the allocator cannot use again between blocks of many sizes, as a share of what was in use.
_HEAP = 1.12
# A trainee's number: itself, its gradient, two moments of AdamW, and a copy in the compute dtype.
_FLOAT32 = 4
_MODEL_OBJECTS = 20 * MB
# oneDNN compiles its products in bfloat16 for every shape (base/heap.py): bytes of one, and how many a new number of
# tokens takes.
_PRIMITIVE, _SHAPES = 1_350_000, 24
# The compiled passes, with numba, and the products that they call.
_PASSES = 60 * MB


@dataclass(frozen=True)
class Memory:
    """Bytes at the peak, by what they are for.

    Attributes:
        libraries: the process before the base is loaded; 0 on a GPU.
        loading: what the base takes while it is loaded, itself included.
        base: the base as it is held, and once more in the orders that compiled passes read.
        adapters: parents, and the trainee with its gradients and optimizer.
        training: what a step keeps for its backward pass, and what the head takes, for the largest batch.
        evaluation: the logits of the largest batch that is evaluated.
        compiled: products that oneDNN compiles for the shapes of the batches.
    """

    libraries: int
    loading: int
    base: int
    adapters: int
    training: int
    evaluation: int
    compiled: int

    @property
    def peak(self) -> int:
        """The most at any time: while the base is loaded, in a step, or in an evaluation."""
        return self.libraries + max(
            self.loading, self.base + self.adapters + self.compiled + max(self.training, self.evaluation)
        )


def memory_of(
    outline: Outline,
    adapter: AdapterConfig,
    quantization: QuantizationConfig,
    trainer: TrainerConfig,
    work: Work,
    *,
    parents: int,
    stored: Mapping[str, int],
    on_cpu: bool,
    fused: bool,
    libraries: int,
) -> Memory:
    """Foresee the peak.

    Args:
        outline: of the base.
        adapter: the trainee's shape.
        quantization: how the base is held.
        trainer: whether activations are computed twice.
        work: the batches.
        parents: parameters of the frozen members.
        stored: bytes of the base's files by safetensors' name of their dtype.
        on_cpu: whether the base lives on the processor.
        fused: whether the fused forward pass takes it, from `is_fused`.
        libraries: what the process holds before it loads a base.

    Raises:
        UsageError: `target_modules` names no linear layer of the base.
    """
    own = sum(adapter.r * sum(size) for size in targeted_layers(adapter.target_modules, outline).values())
    width = _WIDTHS[quantization.dtype]
    base, tiled = base_bytes(outline, quantization), fused and is_tiled(outline, quantization)
    kept = _fused_bytes if fused else _plain_bytes
    training = kept(outline, adapter, quantization, trainer, work.largest)
    return Memory(
        libraries=libraries if on_cpu else 0,
        loading=_loading(outline, quantization, base, stored) if on_cpu else base,
        base=base + _MODEL_OBJECTS * on_cpu + (_copies(outline) if tiled else 0),
        adapters=own * (4 * _FLOAT32 + width) + parents * (_FLOAT32 + width),
        training=training,
        evaluation=round(_evaluation_bytes(outline, width, work.largest_evaluated) * _HEAP),
        compiled=_compiled(adapter, quantization, trainer, work, tiled=tiled) if on_cpu else 0,
    )


def base_bytes(outline: Outline, quantization: QuantizationConfig) -> int:
    """The base in memory; bitsandbytes quantizes the linear layers but for the head."""
    width = _WIDTHS[quantization.dtype]
    weights = sum(inputs * outputs for inputs, outputs in outline.blocks.values())
    held = {"nf4": _NF4[quantization.double_quant], "int8": 1.0}.get(quantization.kind, float(width))
    return round(weights * held) + (outline.parameters - weights) * width


def is_fused(
    outline: Outline,
    adapter: AdapterConfig,
    quantization: QuantizationConfig,
    trainer: TrainerConfig,
    *,
    device: torch.device,
    sharded: bool,
) -> bool:
    """Whether the fused forward pass will take it, as far as that shows without the model; see `why_not_fused`.

    Args:
        outline: of the base.
        adapter: the trainee's shape.
        quantization: how the base is held.
        trainer: whether activations are computed twice.
        device: where the base will live.
        sharded: whether it will be cut among ranks.

    Raises:
        UsageError: `target_modules` names no linear layer of the base.
    """
    adapted = targeted_layers(adapter.target_modules, outline)
    against = why_not_asked(trainer, sharded=sharded) or why_not_config(
        outline.family, outline.model.config, adapted, device
    )
    one_dtype = quantization.kind != "nf4" or quantization.compute_dtype == quantization.dtype
    return against is None and quantization.kind != "int8" and one_dtype and not adapter.use_dora


def _fused_bytes(
    outline: Outline, adapter: AdapterConfig, quantization: QuantizationConfig, trainer: TrainerConfig, batch: Batch
) -> int:
    """What `ctx.saved` of every layer holds (training/fused/block.py), and a slice of logits (fused/head.py)."""
    if is_tiled(outline, quantization):
        return _tiled_bytes(outline, adapter, batch)
    d, width = outline.dimensions, _WIDTHS[quantization.dtype]
    layers = targeted_layers(adapter.target_modules, outline).values()
    # x, normed, middle, again; the mixed heads; gate and up, and their product.
    tokens = 4 * d.hidden + d.queries + 3 * d.gated
    # Attention looks at padded rows: queries, keys, values, and the weights, which long rows compute again.
    count = rounded_tokens(batch.tokens)
    places = rounded_width(batch.rows, batch.width, count)
    padded = d.queries + 2 * d.keys + d.heads * places * (places <= BLOCK)
    numbers = d.layers * (count * tokens + batch.rows * places * padded)
    ranks = count * adapter.r * len(layers)
    masks = batch.tokens * sum(inputs for inputs, _ in layers) if adapter.lora_dropout else 0
    dense = max(inputs * outputs for inputs, outputs in outline.blocks.values())
    head = min(AT_ONCE, batch.rows * batch.kept) * d.vocabulary * (2 * width + _FLOAT32)
    return round(((numbers + ranks + 2 * dense) * width + masks + head) * _HEAP)


def is_tiled(outline: Outline, quantization: QuantizationConfig) -> bool:
    """Whether compiled passes will compute it, where it is fused."""
    d = outline.dimensions
    sizes = Sizes(d.layers, d.hidden, d.queries, d.queries // d.heads, d.gated, d.vocabulary)
    return can_tile(sizes, getattr(torch, quantization.dtype))


def _tiled_bytes(outline: Outline, adapter: AdapterConfig, batch: Batch) -> int:
    """What the arena holds (training/fused/tiles), the factors as they are read, and the shares of gradients."""
    d, width = outline.dimensions, _WIDTHS["bfloat16"]
    layers = targeted_layers(adapter.target_modules, outline).values()
    blocks = cut(batch.tokens)
    # Queries, keys and values; what they found; middle and y; gate and up; and the ranks.
    numbers = 2 * d.queries + 2 * d.keys + 2 * d.hidden + 2 * d.gated + adapter.r * len(layers) // d.layers
    # Their gradients, of one layer.
    grads = 2 * d.queries + 2 * d.keys + 3 * d.hidden
    own = sum(adapter.r * (inputs + outputs) for inputs, outputs in layers)
    masks = batch.tokens * sum(inputs for inputs, _ in layers) if adapter.lora_dropout else 0
    activations = blocks.tokens * (d.layers * numbers + grads) * width
    # Masks come and go in many sizes.
    return activations + 2 * own * width + blocks.chunks * own // d.layers * _FLOAT32 + 2 * masks


def _copies(outline: Outline) -> int:
    """All weights, and those of the head, twice."""
    weights = sum(inputs * outputs for inputs, outputs in outline.blocks.values())
    return 2 * _WIDTHS["bfloat16"] * (weights + outline.dimensions.hidden * outline.dimensions.vocabulary)


def _plain_bytes(
    outline: Outline, adapter: AdapterConfig, quantization: QuantizationConfig, trainer: TrainerConfig, batch: Batch
) -> int:
    """What autograd keeps of transformers' own layers under PEFT, and of the logits at label positions."""
    d, width = outline.dimensions, _WIDTHS[quantization.dtype]
    layers = targeted_layers(adapter.target_modules, outline)
    padded = batch.rows * batch.width
    # Two norms in float32; queries and keys before and after rotation; repeated keys and values; gate, its silu, up.
    tokens = 2 * d.hidden * (2 * _FLOAT32 + width) + (2 * (d.queries + d.keys) + 2 * d.queries + 3 * d.gated) * width
    weights = d.heads * batch.width * (_FLOAT32 + width)
    # The input of every adapted layer in float32, once more behind dropout, with a mask.
    adapted = sum(inputs for inputs, _ in layers.values()) * (_FLOAT32 + (1 + _FLOAT32) * bool(adapter.lora_dropout))
    a_layer = padded * (tokens + weights + adapted // d.layers)
    # DoRA keeps every adapted weight dense, in the base's dtype and in float32.
    dense = sum(inputs * outputs for inputs, outputs in layers.values()) * (width + _FLOAT32)
    dora = dense if adapter.use_dora else 0
    # Logits, in float32, their softmax, and two gradients.
    head = batch.rows * batch.kept * d.vocabulary * (2 * width + 3 * _FLOAT32)
    if trainer.gradient_checkpointing:
        return round((d.layers * padded * d.hidden * width + max(a_layer, head) + dora) * _HEAP)
    return round((d.layers * a_layer + head + dora) * _HEAP)


def _evaluation_bytes(outline: Outline, width: int, batch: Batch | None) -> int:
    """Logits at label positions, once more in float32, and their softmax; the layers before are small beside these."""
    if batch is None:
        return 0
    return batch.rows * batch.kept * outline.dimensions.vocabulary * (width + 2 * _FLOAT32)


def _compiled(
    adapter: AdapterConfig, quantization: QuantizationConfig, trainer: TrainerConfig, work: Work, *, tiled: bool
) -> int:
    if quantization.dtype != "bfloat16":
        return 0
    shapes = work.steps * trainer.gradient_accumulation_steps
    if tiled:
        # Compiled passes leave oneDNN the evaluations alone.
        largest = work.largest_evaluated.tokens if work.largest_evaluated else 1
        shapes = math.ceil((work.validation_tokens + work.test_tokens) / largest)
    if adapter.init_lora_weights == EVA:
        # It looks at every batch through the model's own layers.
        shapes += math.ceil(work.rows / trainer.batch_size)
    return min(PRIMITIVES, _SHAPES * shapes) * _PRIMITIVE + _PASSES * tiled


def _loading(outline: Outline, quantization: QuantizationConfig, base: int, stored: Mapping[str, int]) -> int:
    """Files are mapped, and converted on the way where they hold another dtype; what is not converted stays mapped."""
    named = {"F32": "float32", "BF16": "bfloat16", "F16": "float16"}
    files = sum(stored.values())
    converted = (
        outline.parameters
        * _WIDTHS[quantization.dtype]
        * any(named.get(label) != quantization.dtype for label in stored)
    )
    return files + max(converted, base if quantization.kind != "none" else 0) + (base if converted else 0)


@functools.cache
def resident_bytes() -> int:
    """The libraries, before any base: what this process held when it was first asked, or more where it imports more."""
    return max(_LIBRARIES, resident_memory() or 0)
