"""After a deliberate rollback: the adapter is held, its children stand on what it means now, and a rebuild ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.workflows.project import CHILD, FAMILY, Project
from tests.workflows.tiny import TRAIN, write_chats

HELD = "held at 1.0.0 by a rollback; 1.1.0 would be the one asked for"


@pytest.fixture(scope="module")
def once_rolled_back(trained: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Data changed, everything was rebuilt, and the parent was rolled back; never changed, only copied."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        project = trained.copied(tmp_path_factory.mktemp("rolled_back"), monkeypatch)
        write_chats(project.data, (*TRAIN, "one more"))
        project.run("rebuild")
        project.run("rollback", "unified")
    return project


@pytest.fixture
def rolled_back(once_rolled_back: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A copy of it, which is also the current folder."""
    return once_rolled_back.copied(tmp_path, monkeypatch)


@pytest.mark.long
def test_a_rebuild_after_a_rollback_of_the_parent_converges(rolled_back: Project) -> None:
    project = rolled_back
    moved_on = "parent: unified moved on: unified@1.1.0 -> unified@1.0.0"
    assert project.standings() == {
        "unified@1.0.0": ["fresh"], "child_ann@2.0.0": [moved_on], "child_bob@2.0.0": [moved_on],
    }  # fmt: skip
    assert f"unified@1.0.0  fresh, {HELD}\n" in project.run("status")
    planned = project.run("rebuild", "--dry-run")
    assert planned.count("would train") == 2
    assert HELD in planned
    done = json.loads(project.run("rebuild", "--json"))
    assert [(each["name"], each["ref"], each["action"]) for each in done] == [
        ("unified", "unified@1.0.0", "held"),
        ("child_ann", "child_ann@3.0.0", "trained"),
        ("child_bob", "child_bob@3.0.0", "trained"),
    ]
    assert project.all_fresh()
    for words in (("rebuild",), ("rebuild", "--dry-run")):
        told = project.run(*words)
        assert "Everything is up to date" in told
        assert "would train" not in told
        assert [HELD in line for line in told.splitlines()].count(True) == 1


@pytest.mark.long
def test_what_was_made_for_the_held_parent_is_taken_again(project: Project) -> None:
    (project.folder / "mine/recipe/copy.yaml").write_text(FAMILY)
    (project.folder / "mine/recipe/child.yaml").write_text(CHILD.replace("  - family", "  - copy"))
    project.set_steps(3)
    project.run("rebuild")
    assert str(project.registry.exact("child_ann")) == "child_ann@2.0.0"
    project.run("rollback", "unified")
    planned = project.run("rebuild", "--dry-run")
    assert "would train" not in planned
    assert planned.count("would take child_") == 2
    done = json.loads(project.run("rebuild", "--json"))
    assert [(each["ref"], each["action"]) for each in done] == [
        ("unified@1.0.0", "held"), ("child_ann@1.0.0", "taken again"), ("child_bob@1.0.0", "taken again"),
    ]  # fmt: skip
    assert project.all_fresh()
    assert "Everything is up to date" in project.run("rebuild")


def test_a_child_that_was_rolled_back_is_held_as_well(rolled_back: Project) -> None:
    rolled_back.run("promote", "unified@1.1.0", "--to", "latest")
    rolled_back.run("rollback", "child_ann")
    assert rolled_back.standings()["child_ann@1.0.0"] == ["fresh"]
    (only,) = json.loads(rolled_back.run("rebuild", "--json"))
    assert only["action"] == "held"
    assert "adapterkit promote child_ann@2.0.0 --to latest" in only["note"]


@pytest.mark.long
def test_what_is_asked_for_anew_after_a_rollback_is_trained(rolled_back: Project) -> None:
    write_chats(rolled_back.data, (*TRAIN, "one more", "and another"))
    assert rolled_back.standings()["unified@1.0.0"] == ["data: train.jsonl has other rows now"]
    rolled_back.run("rebuild")
    assert str(rolled_back.registry.exact("unified")) == "unified@1.2.0"
    assert rolled_back.all_fresh()


@pytest.mark.long
def test_an_earlier_version_than_the_one_rolled_back_to_may_be_taken_again(project: Project) -> None:
    for steps in (3, 4):
        project.set_steps(steps)
        project.run("rebuild", "unified")
    project.run("rollback", "unified")
    project.recipe.write_text(FAMILY)
    assert "would take unified@1.0.0 again" in project.run("rebuild", "--dry-run")
    (done,) = json.loads(project.run("rebuild", "--json"))
    assert (done["ref"], done["action"]) == ("unified@1.0.0", "taken again")
    assert project.all_fresh()
