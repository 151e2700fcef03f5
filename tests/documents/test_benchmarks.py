"""Benchmarks that build what they measure still can, as adapterkit moves on; their figures are not looked at."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.driving import ROOT

CHEAP = {"startup.py": ["--quick"], "registry.py": ["--adapters", "20", "--runs", "1"], "synthetic.py": ["--quick"]}


@pytest.mark.long
@pytest.mark.parametrize("script", CHEAP)
def test_a_benchmark_runs_to_its_report(script: str, tmp_path: Path) -> None:
    command = [
        sys.executable,
        str(ROOT / "benchmarks" / script),
        *CHEAP[script],
        "--json",
        str(tmp_path / "report.json"),
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "report.json").read_text("utf-8"))
    assert report["results"]
    assert report["ratios"]
