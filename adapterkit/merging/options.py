"""How adapters are merged, and what that came to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from adapterkit.merging.factors import Factors

On = Literal["deltas", "factors"]


@dataclass(frozen=True)
class MergeOptions:
    """How adapters are merged.

    Attributes:
        method: a name of `methods.METHODS`.
        weights: one for each source.
        normalize: divide the weights by their sum first.
        density: of TIES and DARE, the share of each change's entries that is kept, 0 < density <= 1.
        scale: the merged change is multiplied by it (lambda of the papers).
        seed: of DARE's draws.
        on: `deltas` merges the true changes; `factors` A and B by themselves, as PEFT does.
        rank: of the result: a number, `largest` (of the sources, layer by layer) or `sum` (exact, linear methods only).
    """

    method: str
    weights: tuple[float, ...]
    normalize: bool = False
    density: float = 0.5
    scale: float = 1.0
    seed: int = 0
    on: On = "deltas"
    rank: int | Literal["largest", "sum"] = "largest"


@dataclass(frozen=True)
class Merged:
    """What a merge came to.

    Attributes:
        modules: the merged change by the layer's name in the base, in float64; a layer where nothing is left is not
            among them.
        errors: by the layer's name, the Frobenius norm of what the limit on the rank left out, over that of the exact
            merged change.
    """

    modules: Mapping[str, Factors]
    errors: Mapping[str, float]
