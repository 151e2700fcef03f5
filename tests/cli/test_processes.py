"""The command hands every word of a training or a merge on, and is a module too."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from artifacts.samples import draft_of, write_adapter

from adapterkit.registry import Registry
from tests.driving import left_with

ROOT = Path(__file__).parents[2]


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
@pytest.mark.parametrize("verb", ["train", "merge"])
def test_a_door_is_handed_every_word(verb: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    handed: list[list[str]] = []
    door = ModuleType(f"adapterkit.{verb}")
    door.main = handed.append  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, f"adapterkit.{verb}", door)
    assert left_with(verb, *words.split()) == 0
    assert handed == [words.split()]


def test_the_package_runs_as_a_module(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "adapters")
    registry.publish(draft_of(write_adapter(tmp_path / "raw")))
    done = subprocess.run(
        [sys.executable, "-m", "adapterkit", "list", "--registry", registry.path],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "unified@1.0.0" in done.stdout
