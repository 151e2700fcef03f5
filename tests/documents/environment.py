"""The environment in which a page's commands run: programs of ours first on PATH, and the process that runs them."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.documents.blocks import ROOT
from tests.documents.small_base import write_small_base
from tests.documents.words import CHECKS
from tests.warm.programs import MODULES
from tests.warm.starting import serving

_STAND_IN = ROOT / "tests" / "warm" / "stand_in.py"
_PROGRAMS = ("python", "python3", *MODULES, *(name for name in CHECKS if name != "venv"))


@contextlib.contextmanager
def prepared(cache: Path) -> Iterator[Mapping[str, str]]:
    """Start it, and end it.

    Args:
        cache: an empty folder, for the base and for what commands keep.
    """
    write_small_base(cache)
    # The path of a socket may have 108 bytes, and pytest's folders are deep.
    with tempfile.TemporaryDirectory(prefix="documents-") as short:
        address, programs = Path(short, "socket"), Path(short, "bin")
        programs.mkdir()
        for name in _PROGRAMS:
            _write_program(programs / name, address)
        environment = os.environ | {
            "ADAPTERKIT_CACHE": str(cache),
            "HF_HOME": str(cache / "hub"),
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": str(ROOT),
            "PATH": os.pathsep.join([str(programs), str(Path(sys.executable).parent), os.environ["PATH"]]),
        }
        with serving(address, environment, python=str(programs / "python"), programs="tests.documents.programs"):
            yield environment


def _write_program(program: Path, address: Path) -> None:
    asked = program.name.removesuffix("3")
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -IS "{_STAND_IN}" "{address}" {asked} "$@"\n')
    program.chmod(0o755)
