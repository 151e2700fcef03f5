from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from adapterkit.registry import Registry
from artifacts.keyring import Pair, key_pair
from artifacts.samples import draft_of, write_adapter


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "adapters")


@pytest.fixture
def artifact_dir(tmp_path: Path, registry: Registry) -> Path:
    """A published artifact with every optional file, free to be damaged."""
    extra = {"test_metrics.json": tmp_path / "t.json", "training_curves.png": tmp_path / "c.png"}
    extra["test_metrics.json"].write_text('{"loss": 2.0}', encoding="utf-8")
    extra["training_curves.png"].write_bytes(b"\x89PNG picture")
    return registry.publish(draft_of(write_adapter(tmp_path / "raw"), extra_files=extra)).path


@pytest.fixture
def keys(tmp_path: Path) -> Callable[..., Pair]:
    return lambda kind="ed25519", **more: key_pair(tmp_path / "keys", kind, **more)
