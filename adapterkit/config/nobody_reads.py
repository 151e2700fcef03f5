"""Whether anybody still reads standard output: `adapterkit list | head -1` closes it early."""

from __future__ import annotations

import logging
import os
import select
import sys
from typing import TextIO

# What a shell reports of a program that died of a closed pipe, as `ls | head -1` does: 128 and SIGPIPE.
NOBODY_READS = 141


class NobodyReadsError(Exception):
    """Whoever read standard output has gone: no error, and no `OSError`, which typer would take for exit code 1."""


class StandardOutput(logging.StreamHandler[TextIO]):
    """Tells on standard output what a door does. Where nobody reads any more the work goes on, without a word."""

    def handleError(self, record: logging.LogRecord) -> None:
        """Let all further lines go nowhere; any other failure is told as ever."""
        if isinstance(sys.exception(), BrokenPipeError) and nobody_reads():
            write_to_nobody()
        else:
            super().handleError(record)


def flush_or_tell() -> None:
    """Write what is left.

    Raises:
        NobodyReadsError: the other end of the pipe is closed.
    """
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError as error:
        raise NobodyReadsError from error


def nobody_reads() -> bool:
    """Whether it was standard output that broke, and not another pipe or a socket."""
    asked = select.poll()
    asked.register(sys.stdout.fileno(), 0)
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in asked.poll(0))


def write_to_nobody() -> None:
    """Let what is left in the buffer go nowhere, so that the interpreter's own flush at the end does not complain."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
