"""The programs that a page's commands mean, run in the process that calls."""

from __future__ import annotations

import os
import runpy
import sys
from pathlib import Path

from tests.documents.words import CHECKS, as_tried

_MODULES = {
    "adapterkit": "adapterkit",
    "torchrun": "torch.distributed.run",
    "accelerate": "accelerate.commands.accelerate_cli",
}
PROGRAMS = ("python", "python3", *_MODULES, *CHECKS)


def run(program: str, words: list[str]) -> None:
    """Run a program with these words behind it, as the shell would.

    Raises:
        SystemExit: as the program leaves.
    """
    if program in CHECKS:
        CHECKS[program](words)
    elif program in _MODULES:
        _module(_MODULES[program], words)
    elif words[0] != "-m":
        sys.argv = words
        sys.path.insert(0, str(Path(words[0]).resolve().parent))
        runpy.run_path(words[0], run_name="__main__")
    elif words[1] in ("pip", "venv"):
        CHECKS[words[1]](words[2:])
    else:
        _module(words[1], words[2:])


def _module(name: str, words: list[str]) -> None:
    """`python -m NAME WORDS`."""
    sys.argv = [name, *as_tried(name, words)]
    sys.path.insert(0, os.getcwd())
    runpy.run_module(name, run_name="__main__", alter_sys=True)
