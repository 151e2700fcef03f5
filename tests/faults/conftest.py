from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from faults.checks import Trial
from faults.forked import ForkServer, Preloaded
from faults.operations import OPERATIONS
from faults.report import INJECTED
from faults.shim import compile_shim


@pytest.fixture(scope="session")
def shim_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library to preload."""
    return compile_shim(tmp_path_factory.mktemp("shim"))


@pytest.fixture(scope="session")
def server(shim_library: Path) -> Iterator[Callable[[str], ForkServer]]:
    """Preloaded processes, one for each thing to load beforehand, started when they are first needed."""
    started: dict[object, Preloaded] = {}

    def server_of(operation: str) -> ForkServer:
        needed = OPERATIONS[operation].warm
        if needed not in started:
            started[needed] = Preloaded(shim_library, operation)
        return ForkServer(started[needed], operation)

    yield server_of
    for each in started.values():
        each.close()


@pytest.fixture
def trial(server: Callable[[str], ForkServer], tmp_path: Path) -> Callable[[str], Trial]:
    """An operation with its folders."""
    return lambda operation: Trial(server(operation), tmp_path / operation.replace(" ", "_"))


@pytest.fixture(scope="session")
def injected(pytestconfig: pytest.Config) -> Counter[tuple[str, str]]:
    """How many faults were injected, by operation and fault; printed at the end of the run."""
    return pytestconfig.stash.setdefault(INJECTED, Counter())
