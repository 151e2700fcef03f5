"""The programs that a child of the warm process can become."""

from __future__ import annotations

import os
import runpy
import sys
from pathlib import Path

MODULES = {
    "adapterkit": "adapterkit",
    "torchrun": "torch.distributed.run",
    "accelerate": "accelerate.commands.accelerate_cli",
}


def run(words: list[str]) -> None:
    """Run a program with these words behind it, as the shell would: `python -m MODULE`, `python FILE`, or a command.

    Raises:
        SystemExit: as the program leaves.
    """
    program, *rest = words
    if program in MODULES:
        _run_module(MODULES[program], rest)
    elif rest[0] == "-m":
        _run_module(rest[1], rest[2:])
    else:
        sys.argv = rest
        sys.path.insert(0, str(Path(rest[0]).resolve().parent))
        runpy.run_path(rest[0], run_name="__main__")


def warm() -> None:
    """Nothing more than adapterkit has to be imported."""


def _run_module(name: str, words: list[str]) -> None:
    sys.argv = [name, *words]
    sys.path.insert(0, os.getcwd())
    runpy.run_module(name, run_name="__main__", alter_sys=True)
