"""Mutation testing with mutmut: a seeded sample of the mutants of every room, and what became of them.

All mutants of these rooms are more than a night's work on two cores, so as many are drawn of every room, the same ones
while the source stays the same. A mutant dies when a test fails, never ends, or crashes; the score of a room is the
share of the drawn mutants that died. Nothing is taken out of the count: survivors that no test could tell from the
source count as survivors, and stand in survivors.md with the reason.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from mutmut.stats import status_by_exit_code
from scipy.stats import binomtest

MUTANTS = Path("mutants")
# A forked process waits for ever for the threads of the one that it was forked from.
THREADS = {"OMP_NUM_THREADS": "1"}
# What is mutated, by the words of the people who rely on it.
ROOMS: Mapping[str, tuple[str, ...]] = {
    "guard": ("stack/freeze_guard", "stack/frozen_member", "stack/watch", "stack/state", "base/fingerprint",
              "base/walk", "base/canonical", "base/tensor_hash", "base/source_digest"),
    "stack": ("stack/",),
    "artifacts": ("artifacts/", "stores/"),
    "registry": ("registry/",),
    "lineage": ("lineage", "names", "manifest/"),
    "checkpoint": ("training/checkpoint", "training/best", "training/run_key"),
    "merging": ("merging/",),
}  # fmt: skip
# Of a worker that found none of its tests, or not all of them; mutmut calls that a timeout, and a timeout a death.
_BROKEN = 255
_DIED = {"killed", "timeout", "segfault", "suspicious"}
_COUNTED = _DIED | {"survived", "no tests"}


@dataclass(frozen=True)
class Score:
    """What became of the drawn mutants of one room.

    Attributes:
        made: mutants that exist.
        died: of those drawn.
        survived: names of the others.
    """

    room: str
    made: int
    died: int
    survived: tuple[str, ...]

    @property
    def drawn(self) -> int:
        """How many have a result."""
        return self.died + len(self.survived)

    @property
    def share(self) -> float:
        """Of the drawn mutants, those that died."""
        return self.died / self.drawn if self.drawn else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Where the share of all mutants lies, in 95 of 100 samples (Wilson's score interval)."""
        found = binomtest(self.died, max(self.drawn, 1)).proportion_ci(method="wilson")
        return found.low, found.high


def room_of(path: Path) -> str | None:
    """Of a source file, relative to the package; the first room that names it."""
    inside = path.with_suffix("").as_posix()
    return next((room for room, starts in ROOMS.items() if any(map(inside.startswith, starts))), None)


def results() -> dict[str, dict[str, int | None]]:
    """Room -> mutant -> the exit code of its tests, as mutmut wrote it down; null where they were not run."""
    found: dict[str, dict[str, int | None]] = {room: {} for room in ROOMS}
    for meta in sorted(MUTANTS.rglob("*.py.meta")):
        room = room_of(meta.relative_to(MUTANTS / "adapterkit").with_suffix(""))
        if room is not None:
            found[room] |= json.loads(meta.read_text(encoding="utf-8"))["exit_code_by_key"]
    return found


def scores() -> Iterator[Score]:
    """Of every room, in order."""
    for room, became in results().items():
        told = {name: status_by_exit_code[code] for name, code in became.items() if code != _BROKEN}
        known = {name: status for name, status in told.items() if status in _COUNTED}
        survived = tuple(sorted(name for name, status in known.items() if status not in _DIED))
        yield Score(room, len(became), len(known) - len(survived), survived)


def run(drawn: int, seed: int) -> int:
    """Make all mutants anew, and test so many of every room; returns mutmut's exit code."""
    # What it kept of an earlier run would count, and it would not look again at which test meets which function.
    shutil.rmtree(MUTANTS, ignore_errors=True)
    # Asked for a mutant that does not exist, mutmut makes all of them and tests none.
    _mutmut("making.log", "adapterkit.none*")
    chosen: list[str] = []
    for room, became in results().items():
        names = sorted(became)
        chosen += random.Random(f"{seed} {room}").sample(names, min(drawn, len(names)))
    code = _mutmut("run.log", *chosen)
    if broken := [name for became in results().values() for name, code in became.items() if code == _BROKEN]:
        print(f"Not counted, since pytest did not come to run their tests: {', '.join(broken)}")
    return code or int(bool(broken))


def _mutmut(log_name: str, *names: str) -> int:
    """Run it in memory, where flushes cost nothing, and on one thread a process; of its output the end is printed."""
    memory = {"TMPDIR": "/dev/shm"} if os.access("/dev/shm", os.W_OK) else {}
    MUTANTS.mkdir(exist_ok=True)
    written = MUTANTS / log_name
    with written.open("w", encoding="utf-8") as log:
        command = [sys.executable, "-m", "mutmut", "run", *names]
        done = subprocess.run(command, check=False, stdout=log, stderr=log, env=os.environ | THREADS | memory)
    # Its spinner writes lines that end in a carriage return.
    print(*re.split(r"[\r\n]+", written.read_text(encoding="utf-8").strip())[-6:], sep="\n")
    return done.returncode
