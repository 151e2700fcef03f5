"""SIGTERM as Ctrl-C: what was begun is taken back, and something is said."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

_Given = ParamSpec("_Given")
_Result = TypeVar("_Result")


def stoppable(work: Callable[_Given, _Result]) -> Callable[_Given, _Result]:
    """The same work, in which SIGTERM raises KeyboardInterrupt; only the main thread is given any signal."""

    @wraps(work)
    def run(*arguments: _Given.args, **settings: _Given.kwargs) -> _Result:
        if threading.current_thread() is not threading.main_thread():
            return work(*arguments, **settings)
        before = signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            return work(*arguments, **settings)
        finally:
            signal.signal(signal.SIGTERM, before)

    return run
