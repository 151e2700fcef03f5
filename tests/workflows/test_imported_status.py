"""An import stands on exactly what it was imported on, and nothing below it is trained for its sake."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.workflows.project import Project


@pytest.fixture(scope="module")
def once_grown(trained: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """An import on a child, whose family moved on since and was rebuilt; never changed, only copied."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        project = trained.copied(tmp_path_factory.mktemp("grown"), monkeypatch)
        shutil.copytree(project.registry.resolve("child_ann").path, "foreign")
        words = ("foreign", "--name", "guest", "--base", "base", "--quantization", "fp32", "--parent", "child_ann")
        project.run("import", *words)
        project.set_steps(3)
        project.run("rebuild", "child_ann")
    return project


@pytest.fixture
def grown(once_grown: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A copy of it, which is also the current folder."""
    return once_grown.copied(tmp_path, monkeypatch)


def test_an_import_stays_fresh_and_the_tree_says_what_it_stands_on(grown: Project) -> None:
    assert grown.standings()["guest@1.0.0"] == ["fresh"]
    printed = grown.run("status")
    assert "guest@1.0.0 (on child_ann@1.0.0)  fresh" in printed
    assert "child_ann@2.0.0  fresh" in printed
    assert "child_bob@1.0.0 (on unified@1.0.0)  stale" in printed


@pytest.mark.long
def test_nothing_is_trained_for_the_sake_of_an_import(grown: Project) -> None:
    grown.set_steps(4)
    assert {"child_ann", "unified"} < {row["name"] for row in json.loads(grown.run("rebuild", "--dry-run", "--json"))}
    for words in (["--dry-run"], []):
        assert json.loads(grown.run("rebuild", "guest", *words, "--json")) == []


@pytest.mark.long
def test_nothing_is_trained_for_the_sake_of_what_asks_for_an_exact_parent(grown: Project) -> None:
    grown.train("child", "persona=cyd", "adapter.r=2", "parent=unified@1.0.0", "trainer.max_steps=2")
    grown.set_steps(4)
    assert grown.standings()["child_cyd@1.0.0"] == ["fresh"]
    assert json.loads(grown.run("rebuild", "child_cyd", "--json")) == []


def test_an_import_whose_base_moved_on_says_how_it_is_made_again(grown: Project) -> None:
    with grown.edited("guest@1.0.0") as plain:
        plain["base"]["identity"]["source_digest"] = "0" * 64
    for words in (["--dry-run"], []):
        (told,) = json.loads(grown.run("rebuild", "guest", *words, "--json", code=1))
        assert "import it again: adapterkit import" in told["problem"]
