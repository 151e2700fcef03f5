"""Programs that a model wrote, run in a process of their own: bounded in time, memory and files, without a network.

This keeps an honest mistake from doing harm: an endless loop, a huge list, a file that is opened. It is no prison for
code that means harm; such code belongs in a virtual machine.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapterkit.errors import AdapterKitError

SECONDS = 2
_MOST_AT_ONCE = 500
_CHILD = Path(__file__).with_name("child.py")


@dataclass(frozen=True)
class Program:
    """A text that defines a function, and the calls to make.

    Attributes:
        text: Python.
        name: of the function.
        calls: the arguments of each call; they reach the program as JSON does.
    """

    text: str
    name: str
    calls: Sequence[Sequence[Any]]


@dataclass(frozen=True)
class Outcome:
    """What a program gave.

    Attributes:
        values: what each call returned, as JSON gives it back, up to the call that failed.
        error: why there are no more; empty when all calls returned.
    """

    values: list[Any]
    error: str = ""


def run_programs(programs: Sequence[Program], *, seconds: int = SECONDS) -> list[Outcome]:
    """Run programs one after the other, many in one process; one that ends the process costs the others nothing.

    Args:
        programs: what to run.
        seconds: each program's own limit.

    Returns:
        One outcome a program. What a program should return never reaches the process that runs it.
    """
    outcomes: list[Outcome] = []
    while len(outcomes) < len(programs):
        batch = programs[len(outcomes) : len(outcomes) + _MOST_AT_ONCE]
        found = _run(batch, seconds)
        # The first without an outcome took the process with it; the next process begins behind it.
        outcomes += found if len(found) == len(batch) else [*found, Outcome([], "it ended the process it ran in")]
    return outcomes


def _run(programs: Sequence[Program], seconds: int) -> list[Outcome]:
    sent = {"seconds": seconds, "programs": [[each.text, each.name, list(each.calls)] for each in programs]}
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-S", str(_CHILD)],
            input=json.dumps(sent).encode("utf-8"), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={}, cwd="/",
            timeout=seconds * len(programs) + 30, check=False,
        )  # fmt: skip
        printed = done.stdout
    except subprocess.TimeoutExpired as error:
        printed = error.stdout or b""
    except OSError as error:
        raise AdapterKitError(f"No process could be started to run programs in: {error}.") from error
    # A last line without its end was cut off.
    return [Outcome(*json.loads(line)) for line in printed.split(b"\n")[:-1]]
