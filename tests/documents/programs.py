"""The programs that a page's commands mean, in the warm process that runs them."""

from __future__ import annotations

import importlib

from adapterkit.config.compose import compose_command, composing
from adapterkit.data import read_splits
from tests.documents.words import CHECKS, as_tried
from tests.warm import programs

_OTHERS = ("torch.distributed", "tensorboard", "gguf", "typer")


def run(words: list[str]) -> None:
    """Run a program with these words behind it, as the shell would.

    Raises:
        SystemExit: as the program leaves.
    """
    program, *rest = words
    if program in CHECKS:
        CHECKS[program](rest)
    elif program in programs.MODULES:
        programs.run([program, *as_tried(programs.MODULES[program], rest)])
    elif rest[0] != "-m":
        programs.run(words)
    elif rest[1] in ("pip", "venv"):
        CHECKS[rest[1]](rest[2:])
    else:
        programs.run([program, *rest[:2], *as_tried(rest[1], rest[2:])])


def warm() -> None:
    """Import what pages use, and read the texts of the recipes once: 3 s that no child needs."""
    for name in _OTHERS:
        importlib.import_module(name)
    with composing():
        config, _ = compose_command([])
    read_splits(config.data, None)
