"""The two ways in, as a test takes them: the command in this process, and a Hydra door as a warm process of its own."""

from __future__ import annotations

import atexit
import contextlib
import functools
import io
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from adapterkit.cli import main
from adapterkit.registry import Registry
from tests.warm.asking import ask
from tests.warm.starting import serving

ROOT = Path(__file__).parents[1]


def left_with(*words: str | Path) -> int:
    """Run `adapterkit WORDS` in this process, and return its exit code."""
    with pytest.raises(SystemExit) as left:
        main([*map(str, words)])
    return int(left.value.code or 0)


def printed(*words: str | Path, code: int | None = 0) -> str:
    """Run `adapterkit WORDS`, which is to leave with that code (null: any), and return what it printed on stdout."""
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown):
        left = left_with(*words)
    assert code is None or left == code, shown.getvalue()
    return shown.getvalue()


class Command:
    """Runs the command on a registry, and keeps its exit code and what it printed."""

    def __init__(self, registry: Registry, capsys: pytest.CaptureFixture[str]) -> None:
        self._registry, self._capsys = registry, capsys
        self.code, self.out, self.err = 0, "", ""

    def __call__(self, *words: str | Path) -> int:
        self.code = left_with(*words, "--registry", self._registry.path)
        self.out, self.err = self._capsys.readouterr()
        assert "Traceback" not in self.err
        return self.code

    def json(self, *words: str | Path, code: int = 0) -> Any:
        """What `adapterkit WORDS --json` tells, where it leaves with that code."""
        assert self(*words, "--json") == code, self.err
        return json.loads(self.out)


def door(
    folder: Path, *words: str, of: str = "train", writes_to: int | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `python -m adapterkit.train WORDS`, or another door, in that folder: a process, but not one that imports.

    `writes_to` is an open file in the place of the standard output that is returned.
    """
    command = ["python", "-m", f"adapterkit.{of}", *words]
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err, open(os.devnull) as nothing:
        files = [nothing.fileno(), out.fileno() if writes_to is None else writes_to, err.fileno()]
        code = ask(_warm(), command, folder=str(folder), environment=os.environ, files=files, limit=120)
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(command, code, out.read(), err.read())


@functools.cache
def _warm() -> str:
    """The address of the process that doors are children of; it ends with this one."""
    until_the_end = contextlib.ExitStack()
    atexit.register(until_the_end.close)
    address = Path(until_the_end.enter_context(tempfile.TemporaryDirectory(prefix="doors-"))) / "socket"
    path = os.pathsep.join([str(ROOT), *sys.path])
    until_the_end.enter_context(serving(address, {**os.environ, "PYTHONPATH": path}))
    return str(address)
