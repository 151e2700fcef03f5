"""Into a pipe no library draws a bar."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BAR = "import tqdm, tqdm.auto; list(tqdm.tqdm(range(3))); list(tqdm.auto.tqdm(range(3)))"
QUIET = "from adapterkit.base.quiet import quiet_libraries; quiet_libraries();"


@pytest.mark.parametrize(("first", "drawn"), [("", True), (QUIET, False)])
def test_bars_are_for_terminals(first: str, drawn: bool) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "TQDM_DISABLE"}
    done = subprocess.run(
        [sys.executable, "-c", first + BAR], env=environment | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert ("100%" in done.stderr) is drawn
