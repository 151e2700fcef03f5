"""`weights_digest`: what binds a child to its parent. The tensors and the shape; no times, no paths."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapterkit.artifacts.adapter_config import MAX_CONFIG_BYTES, LoraSettings, parse_adapter_config
from adapterkit.artifacts.shape import adapter_shape, shape_problems
from adapterkit.artifacts.tensors import scan_tensors
from adapterkit.digest import table_digest
from adapterkit.errors import ArtifactError
from adapterkit.manifest import ADAPTER_CONFIG_FILE, WEIGHTS_FILE, AdapterShape
from adapterkit.problem import Problem
from adapterkit.stores import read_file
from adapterkit.texts import counted, listed


@dataclass(frozen=True)
class Measured:
    """What an adapter's two files say: settings, shape and digest, how many tensors, and what is wrong with them."""

    settings: LoraSettings
    shape: AdapterShape
    digest: str
    tensors: int
    problems: tuple[Problem, ...]


def measure(directory: Path) -> Measured:
    """Read an adapter's config and weights, in one pass and without allocating a tensor.

    Args:
        directory: a folder with adapter_config.json and adapter_model.safetensors.

    Raises:
        ArtifactError: a file is missing, the config is not a plain LoRA's, or the header does not describe its file.
    """
    settings = parse_adapter_config(read_file(directory / ADAPTER_CONFIG_FILE, limit=MAX_CONFIG_BYTES))
    scan = scan_tensors(directory / WEIGHTS_FILE)
    shape = adapter_shape(settings, scan.header)
    bad = [f"{name} holds NaN or an infinity" for name in scan.not_finite]
    problems = [Problem(WEIGHTS_FILE, what) for what in [*shape_problems(settings, scan.header), *bad]]
    return Measured(settings, shape, _digest(settings, shape, scan.records), len(scan.records), tuple(problems))


def measure_sound(directory: Path) -> Measured:
    """The same, for an adapter that must have no problems.

    Raises:
        ArtifactError: as `measure`; or the tensors are not those the config promises, or are not finite.
    """
    measured = measure(directory)
    if measured.problems:
        raise ArtifactError(
            f"The adapter in {directory} cannot be published: {counted(len(measured.problems), 'problem')}."
            f"{listed(measured.problems, 10)}\n"
            "Weights that are not finite come from a training that diverged: lower trainer.learning_rate.",
            measured.problems,
        )
    return measured


def _digest(settings: LoraSettings, shape: AdapterShape, records: Mapping[str, Any]) -> str:
    form = {
        "rank": shape.rank,
        "alpha": shape.alpha,
        "targets": list(shape.targets),
        "variant": shape.variant,
        "rank_pattern": dict(settings.rank_pattern),
        "alpha_pattern": dict(settings.alpha_pattern),
    }
    return table_digest({"tensors": dict(records), "shape": form})
