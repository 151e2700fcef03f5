"""A command in a process of its own, shown as it works."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence


def run_shown(command: Sequence[str], *, env: Mapping[str, str] | None = None) -> tuple[int, str]:
    """Run a command; what it prints comes out on stderr line by line, and what it writes to its stderr is kept.

    Args:
        command: program and arguments.
        env: its environment; null: this process's.

    Returns:
        Exit code, and the text of its stderr.
    """
    # The lines go through Python: in a notebook or under a test, sys.stderr has no file that a process could write to.
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as errors,
        subprocess.Popen(
            command, env=env, stdout=subprocess.PIPE, stderr=errors, encoding="utf-8", errors="replace"
        ) as process,
    ):
        try:
            for line in process.stdout or ():
                sys.stderr.write(line)
                sys.stderr.flush()
            code = process.wait()
        except BaseException:
            process.kill()
            raise
        errors.seek(0)
        return code, errors.read()
