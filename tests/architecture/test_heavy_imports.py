"""`import adapterkit` and the verbs that only look at files stay light: no deep-learning library is imported."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAVY = ("torch", "transformers", "peft", "bitsandbytes", "accelerate", "datasets", "matplotlib")
MARK = "imported:"
REPORT = f"import sys; print({MARK!r}, *[name for name in {HEAVY} if name in sys.modules])"
VERB = """
import sys
from adapterkit.cli import main
sys.argv = ["adapterkit", *{arguments}]
try:
    main()
except SystemExit as leaving:
    assert not leaving.code, leaving.code
"""


def heavy_after(code: str, folder: Path) -> list[str]:
    """The heavy libraries imported once code has run in a fresh interpreter, with the checkout first on its path."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", f"{code}\n{REPORT}"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.rpartition(MARK)[2].split()


def test_importing_the_package_imports_nothing_heavy(tmp_path: Path) -> None:
    assert heavy_after("import adapterkit", tmp_path) == []


@pytest.mark.parametrize("arguments", [["--help"], ["list", "--registry", "empty"]], ids=" ".join)
def test_light_verbs_import_nothing_heavy(tmp_path: Path, arguments: list[str]) -> None:
    (tmp_path / "empty").mkdir()
    assert heavy_after(VERB.format(arguments=arguments), tmp_path) == []


def test_a_heavy_import_is_seen(tmp_path: Path) -> None:
    assert {"torch", "accelerate"} <= set(heavy_after("import accelerate", tmp_path))
