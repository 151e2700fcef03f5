"""Do something in a forked child that is killed with SIGKILL before or after its n-th step on files.

Steps are told from Python's profiler, which sees every call of a C function: it needs no library, and costs one fork.
"""

from __future__ import annotations

import os
import signal
import sys
import warnings
from collections.abc import Callable
from types import FrameType
from typing import Any

STEPS = {"fsync", "flock", "flush", "link", "mkdir", "remove", "rename", "replace", "rmdir", "unlink", "write"}
_RAISED = 3


def killed(act: Callable[[], object], step: int) -> bool:
    """Whether a child that does it was killed; a child that came to its own end must have succeeded."""
    with warnings.catch_warnings():
        # Python 3.12 warns of forks beside threads; the child touches nothing that a thread could hold.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if not child:
        code = _RAISED
        try:
            _die_at(step)
            act()
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == 0, "the child raised"
    return False


def _die_at(step: int) -> None:
    """Count before and after each call, so that odd numbers kill before it and even ones after it."""
    seen = 0

    def count(frame: FrameType, event: str, called: Any) -> None:
        nonlocal seen
        if event in ("c_call", "c_return") and called.__name__ in STEPS:
            seen += 1
            if seen == step:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.setprofile(count)
