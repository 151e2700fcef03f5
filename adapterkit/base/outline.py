"""What a base is made of, without its weights: built from its config on torch's meta device."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from adapterkit.errors import BaseLoadError
from adapterkit.texts import first_line_of


@dataclass(frozen=True)
class Dimensions:
    """The sizes of a decoder; features and heads are counts.

    Attributes:
        layers: decoder layers.
        hidden: features between them.
        vocabulary: rows of the embedding.
        heads: attention heads.
        queries: features of all heads together.
        keys: features of all key heads together; fewer than `queries` where heads are grouped.
        gated: features inside the feed-forward network.
    """

    layers: int
    hidden: int
    vocabulary: int
    heads: int
    queries: int
    keys: int
    gated: int


@dataclass(frozen=True)
class Outline:
    """What a base is made of.

    Attributes:
        modules: the full name of every module.
        sizes: of the linear layers, by full name: (inputs, outputs).
        head: full name of the output layer; null where there is none.
        tied: whether the output layer shares the embedding's memory.
        parameters: how many numbers the base holds, shared ones once.
        family: the class that transformers builds it with.
        dimensions: of its decoder.
        model: itself, on torch's meta device.
    """

    modules: tuple[str, ...]
    sizes: Mapping[str, tuple[int, int]]
    head: str | None
    tied: bool
    parameters: int
    family: str
    dimensions: Dimensions
    model: Any = field(repr=False, compare=False)

    @property
    def blocks(self) -> Mapping[str, tuple[int, int]]:
        """The linear layers but for the output layer: what `all-linear` means, and what bitsandbytes quantizes."""
        return {name: size for name, size in self.sizes.items() if name != self.head}


def outline_of(base_id: str, base_folder: Path) -> Outline:
    """The modules of a base, built without weights.

    Args:
        base_id: the base, for the messages.
        base_folder: where its config.json lies.

    Raises:
        BaseLoadError: transformers does not know this kind of model.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    try:
        config = AutoConfig.from_pretrained(base_folder, trust_remote_code=False, local_files_only=True)
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(config, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        raise BaseLoadError(
            base_id, f"{first_line_of(error)}. Name a causal language model, whose kind transformers knows."
        ) from error
    modules = dict(model.named_modules())
    head = model.get_output_embeddings()
    return Outline(
        modules=tuple(modules),
        sizes={name: size for name, module in modules.items() if (size := _linear_size(module))},
        head=next((name for name, module in modules.items() if module is head), None),
        tied=head is not None and head.weight is model.get_input_embeddings().weight,
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        family=type(model).__name__,
        dimensions=_dimensions(config.get_text_config()),
        model=model,
    )


def stored_bytes(base_id: str, base_folder: Path) -> Mapping[str, int]:
    """Bytes of a base's tensors on disk by safetensors' name of their dtype, read from the headers alone.

    Raises:
        BaseLoadError: a file has no header.
    """
    found = Counter[str]()
    for path in sorted(base_folder.glob("*.safetensors")):
        try:
            with path.open("rb") as file:
                header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
            for name, entry in header.items():
                if name != "__metadata__":
                    found[entry["dtype"]] += entry["data_offsets"][1] - entry["data_offsets"][0]
        except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
            raise BaseLoadError(base_id, f"{path.name} is damaged ({error}). Download the model again.") from error
    return found


def _linear_size(module: Any) -> tuple[int, int] | None:
    """(inputs, outputs) of a linear layer; GPT-2's Conv1D is one, and PEFT takes it for one."""
    import torch
    from transformers.pytorch_utils import Conv1D

    if isinstance(module, torch.nn.Linear):
        return module.in_features, module.out_features
    return (module.nx, module.nf) if isinstance(module, Conv1D) else None


def _dimensions(config: Any) -> Dimensions:
    hidden, heads = config.hidden_size, config.num_attention_heads
    size = getattr(config, "head_dim", None) or hidden // heads
    return Dimensions(
        layers=config.num_hidden_layers,
        hidden=hidden,
        vocabulary=config.vocab_size,
        heads=heads,
        queries=heads * size,
        keys=(getattr(config, "num_key_value_heads", None) or heads) * size,
        # Where a config names no size, it is four times the hidden one.
        gated=getattr(config, "intermediate_size", None) or 4 * hidden,
    )
