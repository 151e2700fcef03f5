from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.documents.blocks import ROOT
from tests.documents.small_base import write_small_base
from tests.documents.words import CHECKS

_STAND_IN = Path(__file__).with_name("stand_in.py")
# By other names elsewhere, and real there.
_PROGRAMS = ("python", "python3", "adapterkit", "torchrun", "accelerate", *(name for name in CHECKS if name != "venv"))


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    """The environment in which a page's commands run, with the process that runs them alive."""
    cache = tmp_path_factory.mktemp("cache")
    # The path of a socket may have 108 bytes, and pytest's folders are deep.
    with tempfile.TemporaryDirectory(prefix="documents-") as short:
        address, programs = Path(short, "socket"), Path(short, "bin")
        programs.mkdir()
        for name in _PROGRAMS:
            program = programs / name
            asked = name.removesuffix("3")
            program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -IS "{_STAND_IN}" "{address}" {asked} "$@"\n')
            program.chmod(0o755)
        environment = os.environ | {
            "ADAPTERKIT_CACHE": str(cache),
            "HF_HOME": str(cache / "hub"),
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": str(ROOT),
            "PATH": os.pathsep.join([str(programs), str(Path(sys.executable).parent), os.environ["PATH"]]),
        }
        write_small_base(cache)
        command = [sys.executable, "-m", "tests.documents.server", str(address), str(programs / "python")]
        with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
            assert server.stdin is not None
            assert server.stdout is not None
            assert server.stdout.readline() == b"ready\n"
            yield environment
            server.stdin.close()
