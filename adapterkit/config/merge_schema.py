"""The typed config behind `conf/merge.yaml`, made as `schema.py` makes that of a training."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from adapterkit.config.schema import MISSING, DataConfig

# Instead of weights: in proportion to what each adapter is known to have gained.
PERFORMANCE = "performance"


@dataclass
class MethodConfig:
    """A way to merge, by its name in `merging/methods`; `density` is what it proposes, null where it has none."""

    name: str = MISSING
    density: float | None = None


@dataclass
class HeldOutConfig:
    """What the sources, and the merge of them, are measured on, unless `data` says so.

    `recorded` takes the test rows that each source was trained with, where they can be read again. `max_rows` are the
    most of each (null: all), `batch_size` how many at once.
    """

    recorded: bool = True
    max_rows: int | None = 100
    batch_size: int = 8


@dataclass
class MergeConfig:
    """The whole of one merge, as the story takes it.

    `weights` is one number for each of `adapters`, null for equal ones that add up to 1, or `performance`, by how far
    each lowers its held-out loss. `normalize`, `density`, `scale`, `seed`, `rank` and `on` are those of
    `merging/options.py`; what the method does not look at counts for nothing. `dtype` is that of the stored weights.
    `data` null: each source is measured on its own test rows; else all are on the test rows of this.
    """

    name: str = MISSING
    suffix: str = ""
    adapters: list[str] = field(default_factory=list)
    method: MethodConfig = field(default_factory=MethodConfig)
    weights: Any = None
    normalize: bool = False
    density: float | None = None
    scale: float = 1.0
    seed: int = 0
    rank: Any = "largest"
    on: str = "deltas"
    dtype: str = "float32"
    registry: str = "adapters"
    output_dir: str = MISSING
    force: bool = False
    test_decode_parity: bool = True
    device: str = "auto"
    description: str = ""
    intended_use: str = ""
    tags: list[str] = field(default_factory=list)
    held_out: HeldOutConfig = field(default_factory=HeldOutConfig)
    data: DataConfig | None = None

    @property
    def full_name(self) -> str:
        """The adapter's, with what tells the jobs of a sweep apart."""
        return self.name + self.suffix
