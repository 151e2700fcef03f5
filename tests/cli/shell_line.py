"""What a shell proposes for a command line, asked as that shell asks: in words, and by the TAB key of a real bash."""

from __future__ import annotations

import io
import os
import pty
import select
import shlex
import subprocess
import sys
from contextlib import chdir, redirect_stderr
from pathlib import Path
from unittest.mock import patch

from tests.driving import printed

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "adapterkit"]
_DONE = "<end of the line>"


def asked(folder: Path, shell: str, **question: str) -> subprocess.CompletedProcess[str]:
    """Ask for completions in a folder, with the variables that typer's script for a shell sets."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "_ADAPTERKIT_COMPLETE": f"complete_{shell}", **question}
    return subprocess.run(COMMAND, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def proposed(folder: Path, line: str) -> list[str]:
    """What fish is answered in this process for a line up to the cursor; nothing else is said, and it leaves with 0."""
    question = {
        "_ADAPTERKIT_COMPLETE": "complete_fish", "_TYPER_COMPLETE_ARGS": f"adapterkit {line}",
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }  # fmt: skip
    told = io.StringIO()
    with chdir(folder), patch.dict(os.environ, question), redirect_stderr(told):
        answers = printed()
    assert told.getvalue() == ""
    return [answer.partition("\t")[0] for answer in answers.splitlines()]


class Bash:
    """A real bash with a terminal, in which the completion is set up as `--show-completion` says."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        script = folder / "bin" / "adapterkit"
        script.parent.mkdir()
        script.write_text(f'#!/bin/sh\nexec {shlex.join(COMMAND)} "$@"\n', encoding="utf-8")
        script.chmod(0o755)
        path = f"{script.parent}:{os.environ['PATH']}"
        self._environment = {**os.environ, "PYTHONPATH": str(ROOT), "PATH": path, "PS1": "", "TERM": "dumb"}

    def words(self, typed: str) -> list[str]:
        """The words of a line after TAB was pressed at its end."""
        # Ctrl-A goes to the front: what was completed is printed instead of run.
        keys = f"{typed}\t\x01printf '<%s>\\n' \n"
        script = f'eval "$(adapterkit --show-completion)"\n{keys}echo "{_DONE[0]}""{_DONE[1:]}"\nexit\n'
        lines = self._said(script).splitlines()
        return [line[1:-1] for line in lines if line.startswith("<") and line.endswith(">") and line != _DONE]

    def _said(self, keys: str) -> str:
        controller, terminal = pty.openpty()
        shell = subprocess.Popen(
            ["bash", "--norc", "--noprofile", "-i"], cwd=self._folder, env=self._environment,
            stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True,
        )  # fmt: skip
        os.close(terminal)
        os.write(controller, keys.encode())
        said = b""
        while _DONE.encode() not in said:
            ready, _, _ = select.select([controller], [], [], 60)
            assert ready, said
            try:
                said += os.read(controller, 65536)
            except OSError:
                break
        shell.wait(timeout=60)
        os.close(controller)
        return said.decode(errors="replace")
