"""Run a page in the current folder: `python -m tests.documents.running docs/guard.md`, for a test or by hand."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.documents.before import BEFORE, cannot
from tests.documents.blocks import ROOT, Block, blocks_of
from tests.documents.words import shorten_in_python

_MUST_FAIL = re.compile(r"(?P<command>.*\S)\s+# exit code (?P<code>\d+)")
# Says which command of the page it was; `set -e` alone says nothing.
PREAMBLE = """set -euo pipefail; trap 'echo "exit code $?: $BASH_COMMAND" >&2' ERR"""


def main(page: str) -> None:
    """Run what the page takes for granted, then its blocks; leaves at the first that fails."""
    names: dict[str, Any] = {"__name__": "__main__"}
    shorten_in_python()
    if page in BEFORE:
        _say(f"{page}: before its first block")
        _run_bash(BEFORE[page])
    for block in blocks_of(page):
        if reason := cannot(block):
            _say(f"{page}:{block.line} cannot run: {reason}")
        elif block.title is not None:
            _say(f"{page}:{block.line} is {block.title}")
            Path(block.title).parent.mkdir(parents=True, exist_ok=True)
            Path(block.title).write_text(block.text, encoding="utf-8")
        elif block.language == "bash":
            _say(f"{page}:{block.line}")
            _run_bash(block.text)
        elif block.language == "python":
            _say(f"{page}:{block.line}")
            _run_python(block, names)


def _say(what: str) -> None:
    print(f"=== {what}", flush=True)


def _run_bash(script: str) -> None:
    with tempfile.NamedTemporaryFile() as exported:
        code = f"{PREAMBLE}\n{expecting(script)}\nenv -0 > {exported.name}\n"
        done = subprocess.run(["bash", "-c", code], stdin=subprocess.DEVNULL, check=False)
        if done.returncode:
            sys.exit(done.returncode)
        pairs = (entry.partition(b"=") for entry in exported.read().split(b"\0") if entry)
        os.environb.update({key: value for key, _, value in pairs})


def expecting(script: str) -> str:
    """The script, where each command that is marked with an exit code has to leave with that one."""
    lines, begun = script.splitlines(), 0
    for place, line in enumerate(lines):
        if marked := _MUST_FAIL.fullmatch(line):
            lines[begun] = f"left=0; ( {lines[begun]}" if begun < place else f"left=0; ( {marked['command']}"
            end = marked["command"] if begun < place else lines[begun]
            lines[place] = f"{end} ) || left=$?; [ $left -eq {marked['code']} ]"
        if not line.endswith("\\"):
            begun = place + 1
    return "\n".join(lines)


def _run_python(block: Block, names: dict[str, Any]) -> None:
    # Blank lines before it, so that a traceback shows the line of the page.
    code = compile("\n" * (block.line - 1) + block.text, str(ROOT / block.page), "exec")
    exec(code, names)
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1])
