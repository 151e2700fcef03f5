"""Which bases llama.cpp runs under which name, and how it orders the rows of their attention."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from adapterkit.errors import ExportError


@dataclass(frozen=True)
class GgufBase:
    """A kind of base as llama.cpp knows it.

    Attributes:
        architecture: its name there.
        turned: the kinds of layers whose output rows stand in another order there: llama.cpp turns neighbouring
            features (0 with 1, 2 with 3, ...) of these architectures, transformers those half a head apart.
    """

    architecture: str
    turned: tuple[str, ...] = ()


# By transformers' class. Each was run in llama.cpp beside transformers, see tests/exporting/test_gguf_bases.py.
_BASES = {
    "LlamaForCausalLM": GgufBase("llama", ("q_proj", "k_proj")),
    "OlmoForCausalLM": GgufBase("olmo", ("q_proj", "k_proj")),
    "Qwen2ForCausalLM": GgufBase("qwen2"),
}


def gguf_base(config: Mapping[str, Any]) -> GgufBase:
    """How llama.cpp knows a base.

    Args:
        config: its config.json.

    Raises:
        ExportError: nobody has verified an adapter for this kind of base, which may want rows in another order.
    """
    names = config.get("architectures") or ["one without a name"]
    if len(names) != 1 or names[0] not in _BASES:
        raise ExportError(
            f"The base is a {', '.join(map(str, names))}, and which rows llama.cpp orders otherwise than transformers "
            f"was verified for {', '.join(_BASES)} only: a wrong order gives another model and no error. Make a whole "
            "model (adapterkit export REF --to merged) and convert it with llama.cpp's convert_hf_to_gguf.py."
        )
    return _BASES[names[0]]


def heads_of(config: Mapping[str, Any], kind: str) -> int:
    """How many heads the output rows of a q_proj or k_proj are cut into."""
    heads = int(config["num_attention_heads"])
    return int(config.get("num_key_value_heads") or heads) if kind == "k_proj" else heads


def turned_rows(rows: torch.Tensor, heads: int) -> torch.Tensor:
    """Rows in the order in which llama.cpp turns them: of each head 0, half, 1, half + 1, ...

    Args:
        rows: (outputs, any), as transformers has them.
        heads: that the outputs are cut into.
    """
    order = torch.arange(len(rows)).view(heads, 2, -1).transpose(1, 2).reshape(-1)
    return rows[order]
