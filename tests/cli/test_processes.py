"""The command as a process of its own: what it imports, and what it hands on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from artifacts.samples import draft_of, write_adapter

from adapterkit.registry import Registry

ROOT = Path(__file__).parents[2]
LIGHT = """
import sys
from adapterkit.cli import main
try:
    main(sys.argv[1:])
finally:
    print("HEAVY", *[name for name in ("torch", "transformers", "peft", "hydra") if name in sys.modules])
"""
FORWARD = """
import sys, types
door = types.ModuleType("adapterkit.train")
door.main = lambda arguments: print(arguments)
sys.modules["adapterkit.train"] = door
from adapterkit.cli import main
main(sys.argv[1:])
"""


def run(code: str, *arguments: str, expect: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == expect, done.stderr
    return done.stdout


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    registry = Registry(tmp_path / "adapters")
    registry.publish(draft_of(write_adapter(tmp_path / "raw")))
    return registry


@pytest.mark.parametrize(
    "verb", ["--help", "list", "show unified", "verify unified", "lineage unified", "status", "history unified"]
)
def test_looking_imports_nothing_heavy(registry: Registry, verb: str) -> None:
    words = verb.split() if verb == "--help" else [*verb.split(), "--registry", str(registry.path)]
    assert run(LIGHT, *words).splitlines()[-1] == "HEAVY"


@pytest.mark.parametrize(
    "words",
    [
        "+recipe=persona_on_unified persona=lincoln",
        "--multirun +recipe=glob(*) adapter.r=4,8",
        "-m adapter.r=4,8 --help",
        "-cn other --cfg job --config-dir mine ~trainer ++a.b=c --registry=x --json",
        "",
    ],
)
def test_train_hands_every_word_on(words: str) -> None:
    assert run(FORWARD, "train", *words.split()).strip() == str(words.split())


def test_the_package_runs_as_a_module(registry: Registry) -> None:
    code = "import runpy, sys; sys.argv[0] = 'adapterkit'; runpy.run_module('adapterkit', run_name='__main__')"
    assert "unified@1.0.0" in run(code, "list", "--registry", str(registry.path))
