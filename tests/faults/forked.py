"""The test's side of `server.py`: ask for one act at a time, each in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from faults.shim import Call, Kind

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Said:
    """An error as the acting process saw it."""

    kind: str
    typed: bool
    message: str

    @classmethod
    def of(cls, error: BaseException) -> Said:
        """What is worth telling of an error."""
        from adapterkit.errors import AdapterKitError

        return cls(type(error).__name__, isinstance(error, AdapterKitError), str(error))


@dataclass(frozen=True)
class Outcome:
    """What became of one act.

    Attributes:
        signal: what killed the process; 0 when it came to its own end.
        result: what the act returned, when it reported success.
        error: what it raised.
        fired: whether the fault was met.
        calls: the counted calls, when they were asked for.
    """

    signal: int
    fired: bool
    result: str | None = None
    error: Said | None = None
    calls: list[Call] = field(default_factory=list)


class Preloaded:
    """A process with the shim in it, which forks a child for each act."""

    def __init__(self, library: Path, operation: str) -> None:
        """Start it and wait until it has loaded what an operation needs."""
        path = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
        self._process = subprocess.Popen(
            [sys.executable, "-m", "faults.server", operation],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, "LD_PRELOAD": str(library), "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        )
        self._answer()

    def ask(self, **request: Any) -> Outcome:
        """Have one act done."""
        assert self._process.stdin
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = self._answer()
        error, log = answer.pop("error", None), answer.pop("log", [])
        return Outcome(**answer, error=Said(**error) if error else None, calls=[Call(*line) for line in log])

    def close(self) -> None:
        """End it; it has nothing to tidy up, and torch takes seconds to leave."""
        self._process.kill()
        self._process.communicate()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout
        line = self._process.stdout.readline()
        assert line, f"the preloaded process ended with {self._process.wait()}"
        return dict(json.loads(line))


@dataclass(frozen=True)
class ForkServer:
    """A preloaded process, asked for one operation."""

    process: Preloaded
    operation: str

    def prepare(self, folder: Path) -> Outcome:
        """Fill a folder as the operation wants it."""
        return self.process.ask(operation=self.operation, do="prepare", folder=str(folder))

    def act(self, folder: Path, fault: str | None = None, number: int = 0) -> Outcome:
        """Do the operation while call `number` meets a fault; without one, undisturbed."""
        asked = {"fault": fault, "number": number}
        return self.process.ask(operation=self.operation, do="act", folder=str(folder), **asked)

    def calls(self, folder: Path, counted: Kind) -> list[Call]:
        """Do the operation undisturbed and return the calls it makes."""
        asked = {"counted": int(counted), "log": True}
        outcome = self.process.ask(operation=self.operation, do="act", folder=str(folder), **asked)
        assert outcome.error is None, outcome
        return outcome.calls
