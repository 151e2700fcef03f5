from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from artifacts.samples import draft_of, lora_tensors, write_adapter

from adapterkit.registry import Published, Registry

Publish = Callable[..., Published]


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "adapters")


@pytest.fixture
def publish(tmp_path: Path, registry: Registry) -> Publish:
    """Publish an adapter whose weights come from a seed; parents are given as what publishing returned."""

    def publish_one(name: str = "unified", seed: int = 0, on: Published | None = None, **changes: Any) -> Published:
        config, version = changes.pop("config", {}), changes.pop("version", None)
        rank = config.get("r", 4)
        folder = write_adapter(tmp_path / f"{name}-{seed}-{rank}", tensors=lora_tensors(seed=seed, rank=rank), **config)
        parents = on.manifest.lineage.members if on else ()
        facts = {"name": name, "parents": parents, "run_key": f"{seed:064x}", **changes}
        return registry.publish(draft_of(folder, **facts), version)

    return publish_one
