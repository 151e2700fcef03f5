"""The tools that pre-commit runs are those that `make lint` runs."""

from __future__ import annotations

import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]


def test_pre_commit_pins_the_versions_of_the_dev_extra() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"][0]["hooks"]
    pinned = {pin for hook in hooks for pin in hook.get("additional_dependencies", ())}
    assert pinned
    assert pinned <= set(declared["dev"])


def test_torch_is_bounded_for_ci_alone() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    (torch,) = [each for each in declared if each.startswith("torch")]
    assert "<" not in torch
    assert "\ntorch<" in (ROOT / "constraints.txt").read_text(encoding="utf-8")
