"""The library to preload (`shim.c` and `calls.c`): compiled here, and armed from Python in a process that has it."""

from __future__ import annotations

import ctypes
import errno
import subprocess
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from pathlib import Path

SOURCES = [str(Path(__file__).with_name(name)) for name in ("shim.c", "calls.c")]


class Kind(IntFlag):
    """What a call does, as in shim.c; `SPACE` asks the disk for room and is a part of what `CHANGE` covers."""

    NONE = 0
    READ = 1
    CHANGE = 2
    SPACE = 4


class Mode(IntEnum):
    """What happens at the target, as in shim.c."""

    NOTHING = 0
    FAIL = 1
    FAIL_AFTER = 2
    KILL_BEFORE = 3
    KILL_AFTER = 4
    SHORT = 5
    SHORT_THEN_FAIL = 6
    TORN = 7


@dataclass(frozen=True)
class Call:
    """One counted call: `write`, the path it went to, and the second path of a rename or a link."""

    name: str
    path: str
    other: str = ""


@dataclass(frozen=True)
class Fault:
    """What happens, to which kind of call; `onward` names the kinds that go on failing afterwards."""

    mode: Mode
    error: int = 0
    counted: Kind = Kind.CHANGE
    onward: Kind = Kind.NONE

    @property
    def kills(self) -> bool:
        """Whether the process does not survive it."""
        return self.mode in (Mode.KILL_BEFORE, Mode.KILL_AFTER, Mode.TORN)

    @property
    def writes_only(self) -> bool:
        """Whether it means something for writes alone."""
        return self.mode >= Mode.SHORT


FAULTS = {
    "no space once": Fault(Mode.FAIL, errno.ENOSPC),
    "no space from here on": Fault(Mode.FAIL, errno.ENOSPC, onward=Kind.SPACE),
    "input/output error once": Fault(Mode.FAIL, errno.EIO),
    "done, but reported as failed": Fault(Mode.FAIL_AFTER, errno.EIO),
    "the disk is gone from here on": Fault(Mode.FAIL, errno.EIO, onward=Kind.READ | Kind.CHANGE),
    "interrupted once": Fault(Mode.FAIL, errno.EINTR),
    "unreadable once": Fault(Mode.FAIL, errno.EIO, counted=Kind.READ),
    "kill -9 before": Fault(Mode.KILL_BEFORE),
    "kill -9 after": Fault(Mode.KILL_AFTER),
    "short write": Fault(Mode.SHORT),
    "short write, then no space": Fault(Mode.SHORT_THEN_FAIL, errno.ENOSPC, onward=Kind.SPACE),
    "kill -9 in the middle of a write": Fault(Mode.TORN),
}
# What a file system may be unable to do, which must not make a publication fail.
INABILITIES = {
    "it flushes no directories": Fault(Mode.FAIL, errno.EINVAL),
    "it locks no directories": Fault(Mode.FAIL, errno.EBADF),
}


def compile_shim(folder: Path) -> Path:
    """Compile the library into a folder; gcc and the C library's headers must be installed."""
    library = folder / "shim.so"
    command = ["gcc", "-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror", "-o", str(library), *SOURCES, "-ldl"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stderr}\nOn Debian: apt-get install gcc libc6-dev"
    return library


class Shim:
    """The library, in a process that was started with it in LD_PRELOAD."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL(None)
        self._library.shim_count.restype = ctypes.c_long
        self._library.shim_log.restype = ctypes.c_char_p

    def arm(self, root: Path, fault: Fault | None, number: int, *, counted: Kind = Kind.CHANGE) -> None:
        """Count the calls under a folder from here on and let call `number` meet the fault; without one, only count."""
        given = fault or Fault(Mode.NOTHING, counted=counted)
        self._library.shim_arm(
            str(root).encode(),
            int(given.counted),
            ctypes.c_long(number),
            int(given.mode),
            given.error,
            int(given.onward),
        )

    def disarm(self) -> None:
        """Let every call through uncounted."""
        self._library.shim_disarm()

    @property
    def fired(self) -> bool:
        """Whether the fault was met."""
        return bool(self._library.shim_fired())

    @property
    def log(self) -> list[list[str]]:
        """The counted calls as plain lists, for JSON."""
        return [line.split("\t") for line in self._library.shim_log().decode().splitlines()]
