"""A folder as a user keeps it, with a tiny family in it, driven through the command."""

from __future__ import annotations

import contextlib
import itertools
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adapterkit.config.asked import Asked
from adapterkit.config.compose import compose_asked, compose_recipe, composing
from adapterkit.manifest import MANIFEST_FILE
from adapterkit.registry import Registry
from adapterkit.workflows.status import status
from adapterkit.workflows.train import train
from tests.driving import printed
from tests.workflows.tiny import TRAIN, write_chats

_runs = itertools.count()

FAMILY = """# @package _global_
defaults:
  - override /data: chat
  - override /quantization: fp32
  - override /tracking: none
model:
  id: base
data:
  train: train.jsonl
  max_length: 256
trainer:
  max_steps: 2
  batch_size: 2
device: cpu
name: unified
"""
CHILD = """# @package _global_
defaults:
  - family
  - _self_
name: child_${persona}
parent: unified
parent_recipe: family
"""


class Project:
    """A folder as a user keeps it: a base, data, recipes of one's own, a registry."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.recipe = folder / "mine" / "recipe" / "family.yaml"
        self.data = folder / "train.jsonl"
        self.registry = Registry("adapters")

    @classmethod
    def begun(cls, folder: Path, base: Path) -> Project:
        """One in which nothing was trained yet."""
        project = cls(folder)
        (folder / "base").symlink_to(base)
        project.recipe.parent.mkdir(parents=True)
        project.recipe.write_text(FAMILY)
        (folder / "mine" / "recipe" / "child.yaml").write_text(CHILD)
        write_chats(project.data, TRAIN)
        return project

    def copied(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
        """A copy without the outputs in an empty folder, which is also the current one and holds the cache."""
        ignored = shutil.ignore_patterns("outputs", "cache")
        shutil.copytree(self.folder, folder, symlinks=True, ignore=ignored, dirs_exist_ok=True)
        monkeypatch.chdir(folder)
        monkeypatch.setenv("ADAPTERKIT_CACHE", str(folder / "cache"))
        return Project(folder)

    def run(self, *words: str, code: int = 0) -> str:
        """Run `adapterkit WORDS` in this process and folder, and return what it printed on stdout."""
        return printed(*words, code=code)

    def train(self, recipe: str, *overrides: str) -> None:
        """Train in this folder as the door does, without its start-up."""
        with composing():
            found = compose_asked(Asked(recipe, overrides, "mine"))
            found.config.output_dir = str(Path("outputs") / found.config.name / str(next(_runs)))
            train(found.config, asked=found.asked, compose_parent=compose_recipe)

    def set_steps(self, steps: int) -> None:
        """Let the family's recipe ask for so many steps; it was trained with 2."""
        self.recipe.write_text(FAMILY.replace("max_steps: 2", f"max_steps: {steps}"))

    def own_base(self) -> Path:
        """Put a copy in the place of the base, which a test may change, and return its folder."""
        linked = self.folder / "base"
        base = linked.readlink()
        linked.unlink()
        return shutil.copytree(base, linked)

    @contextlib.contextmanager
    def edited(self, ref: str) -> Iterator[dict[str, Any]]:
        """The metadata.json of a version, which is written again as it was changed; the checksums stay."""
        path = self.registry.path / ref.replace("@", "/") / MANIFEST_FILE
        plain = json.loads(path.read_text("utf-8"))
        yield plain
        path.write_text(json.dumps(plain))

    def standings(self) -> dict[str, list[str]]:
        """Name -> the reasons why it is not fresh, or the state when there is none."""
        return {
            each.entry.ref: [str(reason) for reason in each.reasons] or [each.state] for each in status(self.registry)
        }

    def all_fresh(self) -> bool:
        """Whether every version that is latest is fresh."""
        return {reason for reasons in self.standings().values() for reason in reasons} == {"fresh"}


ALL_FRESH = {"child_ann@1.0.0": ["fresh"], "child_bob@1.0.0": ["fresh"], "unified@1.0.0": ["fresh"]}
PARENT_STALE = "parent: unified is stale itself"
