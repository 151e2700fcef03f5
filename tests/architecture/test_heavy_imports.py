"""`import adapterkit` and the verbs that only look at files stay light: no deep-learning library is imported."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAVY = ("torch", "transformers", "peft", "bitsandbytes", "accelerate", "datasets", "matplotlib")
REPORT = f"import sys; print(*[name for name in {HEAVY} if name in sys.modules])"
VERB = """
import sys
from adapterkit.cli import main
sys.argv = ["adapterkit", *{arguments}]
try:
    main()
except SystemExit as leaving:
    assert not leaving.code, leaving.code
"""


def last_line_of(code: str, folder: Path) -> str:
    """Run code in a fresh interpreter in an empty folder, with the checkout first on its path."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.rstrip("\n").rpartition("\n")[2]


def test_importing_the_package_imports_nothing_heavy(tmp_path: Path) -> None:
    assert last_line_of(f"import adapterkit\n{REPORT}", tmp_path) == ""


@pytest.mark.parametrize("arguments", [["--help"], ["list", "--registry", "empty"]], ids=" ".join)
def test_light_verbs_import_nothing_heavy(tmp_path: Path, arguments: list[str]) -> None:
    (tmp_path / "empty").mkdir()
    assert last_line_of(VERB.format(arguments=arguments) + REPORT, tmp_path) == ""


def test_a_heavy_import_is_seen(tmp_path: Path) -> None:
    assert last_line_of(f"import accelerate\n{REPORT}", tmp_path).split()[0] == "torch"
