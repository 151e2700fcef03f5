"""What a training will come to, before it: parameters, bytes, memory, time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from adapterkit.texts import duration
from adapterkit.training.estimate.memory import Memory
from adapterkit.training.estimate.rank import kept_alpha, rank_suggestion
from adapterkit.training.estimate.size import MB, AdapterSize


@dataclass(frozen=True)
class Estimate:
    """What one training will come to.

    Attributes:
        name: the adapter.
        rank: its rank.
        alpha: its `lora_alpha`.
        suggested_rank: what a rule of thumb of earlier systems takes for so many rows, as far as the budget allows.
        rows: of the training split.
        steps: optimizer steps, where nothing stops it early.
        tokens: trained on, rows of every epoch counted again.
        size: parameters and bytes; parameters and weights exact.
        memory: the peak, in parts.
        seconds: a first guess of the whole run.
        limit_mb: what the artifact may have, in MB of 10^6 bytes; null: anything.
    """

    name: str
    rank: int
    alpha: float
    suggested_rank: int
    rows: int
    steps: int
    tokens: int
    size: AdapterSize
    memory: Memory
    seconds: float
    limit_mb: float | None

    @property
    def suggested_alpha(self) -> float:
        """What keeps alpha / r at the suggested rank."""
        return kept_alpha(self.rank, self.alpha, self.suggested_rank)

    @property
    def suggestion(self) -> str | None:
        """One line where another rank is suggested than the one chosen, else null."""
        return rank_suggestion(self.rank, self.alpha, self.suggested_rank, self.rows)

    @property
    def line(self) -> str:
        """The whole on one line."""
        return "Estimate: " + "; ".join(f"{name} {value}" for name, value in self.told())

    def told(self) -> Iterator[tuple[str, str]]:
        """Names and values, for people."""
        limit = f" of {self.limit_mb:g} MB allowed" if self.limit_mb is not None else ""
        yield "trainable parameters", f"{self.size.parameters:,}"
        yield "artifact", f"{self.size.artifact / MB:.1f} MB{limit}"
        yield "memory at its peak", f"{self.memory.peak / MB / 1000:.2f} GB"
        yield "steps", f"{self.steps}, {self.tokens:,} tokens"
        better = "; after ten steps comes a better one" if self.steps > 10 else ""
        yield "time", f"about {duration(self.seconds)}, a first guess{better}"
