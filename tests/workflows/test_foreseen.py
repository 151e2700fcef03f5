"""`rebuild --dry-run` and `rebuild` agree, about what cannot be rebuilt too."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.workflows.project import CHILD, FAMILY, Project

COMMAND = "adapterkit train --config-dir mine +recipe=child persona=ann adapter.r=2"


def both(project: Project, code: int = 1) -> dict[str, str]:
    """Name -> problem (first line), of a plan and of the rebuild that follows, which must be the same."""
    planned = json.loads(project.run("rebuild", "--dry-run", "--json", code=code))
    done = json.loads(project.run("rebuild", "--json", code=code))
    assert [(each["name"], each["action"]) for each in planned] == [(each["name"], each["action"]) for each in done]
    assert [each["problem"] for each in planned] == [each["problem"] for each in done]
    return {each["name"]: each["problem"] for each in done if each["problem"]}


def no_files(folder: Path) -> None:
    (folder / "child_ann/1.0.0/README.md").unlink()


def no_manifest(folder: Path) -> None:
    (folder / "child_ann/1.0.0/metadata.json").unlink()


def empty_version(folder: Path) -> None:
    (folder / "child_ann/4.0.0").mkdir()


@pytest.mark.parametrize(
    ("damage", "way_out"),
    [(no_files, COMMAND), (no_manifest, "move adapters/child_ann/1.0.0 away"), (empty_version, "child_ann/4.0.0 away")],
)
def test_what_is_broken_is_told_and_not_trained(project: Project, damage: Callable[[Path], None], way_out: str) -> None:
    damage(project.registry.path)
    told = both(project)
    assert set(told) == {"child_ann"}
    assert way_out in told["child_ann"]


def test_the_command_of_a_child_whose_parent_is_gone_is_named(project: Project) -> None:
    shutil.rmtree(project.registry.path / "unified")
    told = both(project)
    assert set(told) == {"child_ann", "child_bob"}
    assert f"unified@1.0.0 is missing): train it again: {COMMAND}" in told["child_ann"]


def test_a_broken_parent_stops_what_stands_on_its_name(project: Project) -> None:
    (project.registry.path / "unified/4.0.0").mkdir()
    told = both(project)
    assert told["child_ann"] == told["child_bob"] == "its parent unified could not be rebuilt"


def test_a_recipe_that_cannot_be_asked_for_any_more(project: Project) -> None:
    (project.folder / "mine/recipe/child.yaml").write_text(CHILD + "adapter:\n  rr: 3\n")
    told = both(project)
    assert set(told) == {"child_ann", "child_bob"}
    assert "rr" in told["child_ann"]
    assert "would train" not in project.run("rebuild", "--dry-run", code=1)


def test_a_command_that_makes_another_name_now(project: Project) -> None:
    (project.folder / "mine/recipe/child.yaml").write_text(CHILD.replace("name: child_", "name: kid_") + "seed: 3\n")
    assert "makes 'kid_ann' now" in both(project)["child_ann"]


@pytest.mark.parametrize("rows", ["{", None])
def test_data_that_cannot_be_used_any_more(project: Project, rows: str | None) -> None:
    project.set_steps(3)
    project.data.unlink() if rows is None else project.data.write_text(rows)
    for words in (["--dry-run"], []):
        found = json.loads(project.run("rebuild", *words, "--json", code=1))
        assert {each["action"] for each in found} == {"failed"}
        assert "train.jsonl" in found[0]["problem"]


def test_what_stands_on_an_exact_version_stays_where_its_parents_name_moves_back(project: Project) -> None:
    project.set_steps(3)
    project.run("rebuild", "unified")
    project.train("child", "persona=cyd", "adapter.r=2", "parent=unified@1.1.0", "trainer.max_steps=2")
    project.recipe.write_text(FAMILY)
    planned = json.loads(project.run("rebuild", "--dry-run", "--json"))
    assert {(each["name"], each["action"]) for each in planned} == {("unified", "taken again")}
