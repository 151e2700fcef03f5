"""What is asked of an export, checked before anything is read, and what each form of it hands back."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from adapterkit.errors import UnknownNameError, UsageError
from adapterkit.evaluation.distance import Distance
from adapterkit.merging.export.record import Losses
from adapterkit.names import nearest
from adapterkit.workflows.combined import check_rank, stored_dtype

DEQUANTIZED, ORIGINAL, NF4 = "dequantized", "original", "nf4"
_FLOATS = ("float32", "bfloat16", "float16")
# What each form may be stored in, and which options it takes besides.
FORMS: Mapping[str, tuple[str, ...]] = {
    "merged": _FLOATS,
    "gguf": ("float32", "float16"),
    "vllm": _FLOATS,
    "hub": (*_FLOATS, "int8", "int4"),
}
_TAKES = {
    "merged": {"base_weights", "quantize", "accept_loss", "measure"},
    "gguf": {"rank"},
    "vllm": {"rank"},
    "hub": {"rank", "stacked"},
}

_HUB_ID = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?", re.ASCII)


@dataclass(frozen=True)
class ExportRequest:
    """What is exported, where to, and how.

    Attributes:
        ref: the adapter on top of the stack.
        form: merged, gguf, vllm or hub.
        out: the new folder.
        blend: additive or interpolative; null: additive.
        weights: one for each member, root-first; null: 1 for each.
        rank: cut every layer down to this rank at most; null: exact.
        dtype: of the stored weights; null: float32, of a 4-bit model bfloat16, and as it is where files are copied.
        base_id: the id under which others find the base; null: its own.
        base_weights: of a merged model: `dequantized`, as the adapters were trained on them, or `original`.
        quantize: of a merged model: `nf4` quantizes the merged weights again; null: they stay whole.
        accept_loss: the share of a layer's change that this may lose.
        measure: of a merged model: run it beside the stack.
        stacked: for the hub: every member in a folder of its own, instead of one flattened adapter.
    """

    ref: str
    form: str
    out: Path
    blend: str | None = None
    weights: Sequence[float] | None = None
    rank: int | None = None
    dtype: str | None = None
    base_id: str | None = None
    base_weights: str = DEQUANTIZED
    quantize: str | None = None
    accept_loss: float | None = None
    measure: bool = False
    stacked: bool = False

    def __post_init__(self) -> None:
        if self.form not in FORMS:
            hint = f"Known: {', '.join(FORMS)}."
            raise UnknownNameError("form (--to)", self.form, nearest(self.form, FORMS), hint=hint)
        given = {
            "rank": self.rank is not None,
            "base_weights": self.base_weights != DEQUANTIZED,
            "quantize": self.quantize is not None,
            "accept_loss": self.accept_loss is not None,
            "measure": self.measure,
            "stacked": self.stacked,
        }
        for option in [name for name, is_given in given.items() if is_given and name not in _TAKES[self.form]]:
            forms = " and ".join(form for form, takes in _TAKES.items() if option in takes)
            raise UsageError(f"--{option.replace('_', '-')} means nothing for --to {self.form}; it belongs to {forms}.")
        check_rank(self.rank)
        if self.base_id is not None and _HUB_ID.fullmatch(self.base_id) is None:
            raise UsageError(f"--base-id {self.base_id!r} is no id of a base on the hub: write ORGANIZATION/NAME.")
        if self.dtype is not None:
            stored_dtype(self.dtype, FORMS[self.form])
        for kind, name, known in (
            ("weights (--base-weights)", self.base_weights, (DEQUANTIZED, ORIGINAL)),
            ("quantization (--quantize)", self.quantize or NF4, (NF4,)),
        ):
            if name not in known:
                raise UnknownNameError(kind, name, nearest(name, known), hint=f"Known: {', '.join(known)}.")
        if self.accept_loss is not None and self.quantize is None:
            raise UsageError("--accept-loss says how much a quantization may lose: give --quantize nf4 with it.")

    @property
    def full_dtype(self) -> str | None:
        """The dtype under its full name; null where none is given."""
        return None if self.dtype is None else stored_dtype(self.dtype, FORMS[self.form])


@dataclass(frozen=True)
class Written:
    """What a form wrote.

    Attributes:
        load: paragraphs and code on how to load it.
        told: what README.md says besides.
        losses: per layer.
        options: that determined it, besides stack and blend.
        facts: numbers of it.
        distance: from the stack; null: not measured.
    """

    load: Sequence[str]
    told: Sequence[str] = ()
    losses: Losses = field(default_factory=Losses)
    options: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    distance: Distance | None = None
