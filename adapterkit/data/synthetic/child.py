"""What runs inside the process of `programs.py`: it reads programs, forbids itself the world, and runs them in turn.

It is started by path with `-I -S`, and imports nothing but the standard library.
"""

from __future__ import annotations

import bisect
import collections
import functools
import heapq
import io
import itertools
import json
import math
import operator
import os
import re
import resource
import signal
import statistics
import string
import sys
import typing

# Programs may import these, which are there already, and no others.
_AT_HAND = (bisect, collections, functools, heapq, itertools, math, operator, re, statistics, string, typing)
_MEMORY = 512 << 20
_LONGEST = 20_000
_FORBIDDEN = (
    "open",
    "import",
    "exec_",
    "os.",
    "socket.",
    "subprocess.",
    "shutil.",
    "ctypes.",
    "signal.",
    "mmap.",
    "pty.",
)


class _TooLong(BaseException):
    """A program's time is up; no `except Exception` in it catches this."""


def _forbid(event: str, _: object) -> None:
    if event.startswith(_FORBIDDEN) and event != "os.putenv":
        raise PermissionError(f"a program may not do this here: {event}")


def _late(*_: object) -> None:
    raise _TooLong


def _outcome(text: str, name: str, calls: list[list[object]]) -> tuple[list[object], str]:
    values: list[object] = []
    try:
        space: dict[str, object] = {"__name__": "program"}
        exec(compile(text, "program", "exec", dont_inherit=True), space)
        function = space[name]
        for arguments in calls:
            given = json.dumps(function(*json.loads(json.dumps(arguments))))  # type: ignore[operator]
            if len(given) > _LONGEST:
                return values, "it returned more than can be compared"
            values.append(json.loads(given))
    except _TooLong:
        return values, "it took too long"
    except BaseException as error:
        return values, f"{type(error).__name__}: {str(error)[:200]}"
    return values, ""


def main() -> None:
    """Read all programs, set the limits, and write one line a program."""
    sent = json.loads(sys.stdin.buffer.read())
    seconds, programs = sent["seconds"], sent["programs"]
    out = os.dup(1)
    sys.stdout = sys.stderr = io.StringIO()
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (8, 8))
    signal.signal(signal.SIGALRM, _late)
    sys.addaudithook(_forbid)
    used = 0
    for text, name, calls in programs:
        # A program that catches everything and goes on is ended by the second limit, and the process with it.
        used = int(resource.getrusage(resource.RUSAGE_SELF).ru_utime) + 1
        resource.setrlimit(resource.RLIMIT_CPU, (used + seconds + 1, resource.RLIM_INFINITY))
        signal.setitimer(signal.ITIMER_REAL, seconds)
        found = _outcome(text, name, calls)
        signal.setitimer(signal.ITIMER_REAL, 0)
        os.write(out, (json.dumps(found) + "\n").encode("utf-8"))


if __name__ == "__main__":
    main()
