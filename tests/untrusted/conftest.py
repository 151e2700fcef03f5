from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import pytest
from artifacts.samples import draft_of, write_adapter

from adapterkit.registry import Registry
from untrusted.bad_configs import EVIL_MODULE

# Of a slow machine that does other work as well.
SECONDS = 120


@pytest.fixture(autouse=True)
def alarm(request: pytest.FixtureRequest) -> Iterator[None]:
    """A row that hangs fails, instead of holding everything up."""
    if request.node.get_closest_marker("long"):
        yield
        return

    def ring(number: int, frame: FrameType | None) -> None:
        pytest.fail(f"still not refused after {SECONDS} seconds")  # No Exception, which could be caught on the way.

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(SECONDS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def canary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A file that payloads try to make, and a module that makes it when it is imported; neither may come to be."""
    file, modules = tmp_path / "canary", tmp_path / "modules"
    modules.mkdir()
    (modules / f"{EVIL_MODULE}.py").write_text(f"open({str(file)!r}, 'w')", encoding="utf-8")
    monkeypatch.syspath_prepend(modules)
    # Payloads that name no place run in the current folder.
    monkeypatch.chdir(modules)
    yield file
    assert not file.exists()
    assert EVIL_MODULE not in sys.modules


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "adapters")


@pytest.fixture
def artifact(tmp_path: Path, registry: Registry) -> Path:
    """A published artifact, unified@1.0.0, free to be damaged."""
    return registry.publish(draft_of(write_adapter(tmp_path / "raw"))).path
