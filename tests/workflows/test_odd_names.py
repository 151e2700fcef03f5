"""Folders and texts with odd letters, through the door and back again."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapterkit.config.asked import quoted
from adapterkit.registry import Registry
from tests.driving import door
from tests.workflows.project import FAMILY, Project

TEXT = 'it\'s "so", a\\b\\ {c} [d] = 50% 語'


@pytest.mark.long
def test_a_training_from_an_odd_folder_is_rebuilt(
    tmp_path: Path, tiny_base_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = 'it\'s 50%="x", $HOME 語'
    project = Project.begun(tmp_path, tiny_base_dir)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").rename(folder)
    words = ["--config-dir", folder, "+recipe=family", f"description={quoted(TEXT)}", "trainer.max_steps=1"]
    done = door(tmp_path, *words)
    assert done.returncode == 0, done.stderr
    manifest = Registry("adapters").manifest("unified")
    assert manifest.description == TEXT
    assert manifest.recipe is not None
    assert manifest.recipe.config_dir == folder
    assert project.standings() == {"unified@1.0.0": ["fresh"]}
    (tmp_path / folder / "recipe" / "family.yaml").write_text(FAMILY + "seed: 3\n")
    assert project.standings() == {"unified@1.0.0": ["recipe: seed 0 -> 3"]}
    project.run("rebuild")
    assert Registry("adapters").manifest("unified@1.1.0").description == TEXT
