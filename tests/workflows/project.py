"""A folder as a user keeps it, with a tiny family in it, driven through the command."""

from __future__ import annotations

import itertools
from pathlib import Path

from adapterkit.config.asked import Asked
from adapterkit.config.compose import compose_asked, compose_recipe, composing
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

    def __init__(self, folder: Path, base: Path) -> None:
        self.folder = folder
        (folder / "base").symlink_to(base)
        (folder / "mine" / "recipe").mkdir(parents=True)
        self.recipe = folder / "mine" / "recipe" / "family.yaml"
        self.recipe.write_text(FAMILY)
        (folder / "mine" / "recipe" / "child.yaml").write_text(CHILD)
        self.data = write_chats(folder / "train.jsonl", TRAIN)
        self.registry = Registry("adapters")

    def run(self, *words: str, code: int = 0) -> str:
        """Run `adapterkit WORDS` in this process and folder, and return what it printed on stdout."""
        return printed(*words, code=code)

    def train(self, recipe: str, *overrides: str) -> None:
        """Train in this folder as the door does, without its start-up."""
        with composing():
            found = compose_asked(Asked(recipe, overrides, "mine"))
            found.config.output_dir = str(Path("outputs") / found.config.name / str(next(_runs)))
            train(found.config, asked=found.asked, compose_parent=compose_recipe)

    def standings(self) -> dict[str, list[str]]:
        """Name -> the reasons why it is not fresh, or the state when there is none."""
        return {
            each.entry.ref: [str(reason) for reason in each.reasons] or [each.state] for each in status(self.registry)
        }


ALL_FRESH = {"child_ann@1.0.0": ["fresh"], "child_bob@1.0.0": ["fresh"], "unified@1.0.0": ["fresh"]}
PARENT_STALE = "parent: unified is stale itself"
