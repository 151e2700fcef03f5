"""What standard output can take: colours, so many columns, these letters."""

from __future__ import annotations

import codecs
import io
import os
import shutil
import sys

_LOOKALIKES = str.maketrans("─│├└█⟦⟧", "-||`#[]")


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


def _is_terminal() -> bool:
    """A process may be started without a standard output at all."""
    return sys.stdout is not None and sys.stdout.isatty()


def _lookalike(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    told = error.object[error.start : error.end].translate(_LOOKALIKES)
    return "".join(letter if letter.isascii() else "?" for letter in told), error.end
