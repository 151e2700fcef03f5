"""What standard output can take: colours, so many columns, these letters - and whether anybody still reads it."""

from __future__ import annotations

import codecs
import io
import os
import select
import shutil
import sys

# What a shell reports of a program that died of a closed pipe, as `ls | head -1` does: 128 and SIGPIPE.
NOBODY_READS = 141
_LOOKALIKES = str.maketrans("─│├└█⟦⟧", "-||`#[]")


class NobodyReadsError(Exception):
    """Whoever read standard output has gone: no error, and no `OSError`, which typer would take for exit code 1."""


def takes_colour() -> bool:
    """Whether colours are wanted on standard output: https://no-color.org, https://force-color.org, and `TERM=dumb`."""
    if os.environ.get("NO_COLOR"):
        return False
    if forced := os.environ.get("FORCE_COLOR"):
        return forced != "0"
    return _is_terminal() and os.environ.get("TERM") not in ("dumb", "unknown")


def columns() -> int | None:
    """How many columns somebody sees at once; null in a pipe or a file, where no line is ever broken."""
    return shutil.get_terminal_size().columns if _is_terminal() else None


def write_lookalikes() -> None:
    """Where the encoding of a terminal lacks a letter, write one that looks like it, or `?`, instead of failing."""
    codecs.register_error("lookalike", _lookalike)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and codecs.lookup(stream.encoding).name != "utf-8":
            stream.reconfigure(errors="lookalike")


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


def tell_if_nobody_reads() -> None:
    """Find out whether it was standard output that broke, and not another pipe or a socket.

    Raises:
        NobodyReadsError: it was.
    """
    asked = select.poll()
    asked.register(sys.stdout.fileno(), 0)
    if any(event & (select.POLLERR | select.POLLHUP) for _, event in asked.poll(0)):
        raise NobodyReadsError


def write_to_nobody() -> None:
    """Let what is left in the buffer go nowhere, so that the interpreter's own flush at the end does not complain."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())


def _is_terminal() -> bool:
    """A process may be started without a standard output at all."""
    return sys.stdout is not None and sys.stdout.isatty()


def _lookalike(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    told = error.object[error.start : error.end].translate(_LOOKALIKES)
    return "".join(letter if letter.isascii() else "?" for letter in told), error.end
