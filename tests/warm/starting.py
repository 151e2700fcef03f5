"""The warm process, started and ended."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path


@contextlib.contextmanager
def serving(
    address: Path,
    environment: Mapping[str, str],
    *,
    python: str = sys.executable,
    programs: str = "tests.warm.programs",
) -> Iterator[None]:
    """Start it, wait until everything is imported, and end it.

    Args:
        address: of its socket; the path of a socket may have 108 bytes, and pytest's folders are deep.
        environment: in which it imports; each command brings its own.
        python: what its children take for Python where they start processes.
        programs: the module of the programs that it can run.
    """
    command = [sys.executable, "-m", "tests.warm.server", str(address), python, programs]
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        assert server.stdout.readline() == b"ready\n"
        yield
        server.stdin.close()
