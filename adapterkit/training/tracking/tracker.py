"""The nouns of tracking: what a tracker is told, and what a tracker is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, Protocol


class Outcome(Enum):
    """How a training ended."""

    FINISHED = "finished"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class RunSheet:
    """What a tracker is told when a training begins; nothing in it is secret.

    Attributes:
        name: the adapter.
        description: in its user's words.
        labels: its user's tags.
        params: the composed config, flat: `trainer.learning_rate` -> `0.0003`.
        lineage: base, parents, data and run key, by digest.
        directory: the run directory.
    """

    name: str
    description: str
    labels: Sequence[str]
    params: Mapping[str, str]
    lineage: Mapping[str, str]
    directory: Path


@dataclass(frozen=True)
class Publication:
    """What a tracker is told of the artifact that a training came to.

    Attributes:
        name: the adapter.
        version: as published.
        folder: the artifact's directory; all of it is handed over.
        digests: ref, weights digest and artifact digest.
    """

    name: str
    version: str
    folder: Path
    digests: Mapping[str, str] = field(default_factory=dict)


class Tracker(Protocol):
    """One place that keeps runs. Any method but `start` may raise anything: `Steadfast` sees to it.

    Attributes:
        key: of its entry in `tracking.json`.
        label: what messages call it.
    """

    key: str
    label: str

    def start(self, sheet: RunSheet, known: Mapping[str, str]) -> Mapping[str, str]:
        """Open a run, or go on with the one that `known` names; returns what names it.

        Raises:
            TrackingError: it cannot be reached, or refuses.
        """

    def log(self, metrics: Mapping[str, float], *, step: int, at: float) -> None:
        """Keep metrics of one optimizer step; `at` is the time, in seconds since 1970."""

    def publish(self, publication: Publication) -> None:
        """Keep the artifact."""

    def end(self, outcome: Outcome) -> None:
        """Close the run."""


def metrics_of(logs: Mapping[str, Any]) -> dict[str, float]:
    """What the Trainer logs, by the names of TensorBoard: `loss` is `train/loss`, `eval_loss` `eval/loss`."""
    numbers = {key: float(value) for key, value in logs.items() if isinstance(value, int | float)}
    split = {key: key.partition("_") for key in numbers}
    return {
        f"{word}/{rest}" if word in ("eval", "test") and rest else f"train/{key}": numbers[key]
        for key, (word, _, rest) in split.items()
    }
