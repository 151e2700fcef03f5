"""Rebuilding trains exactly what is stale, parents first, and afterwards nothing is."""

from __future__ import annotations

import json

import pytest

from tests.workflows.project import ALL_FRESH, CHILD, FAMILY, PARENT_STALE, Project


def test_rebuild_trains_exactly_what_is_stale_parents_first(project: Project) -> None:
    assert "up to date" in project.run("rebuild")
    project.set_steps(3)
    planned = json.loads(project.run("rebuild", "--dry-run", "--json"))
    assert [row["name"] for row in planned] == ["unified", "child_ann", "child_bob"]
    done = json.loads(project.run("rebuild", "child_ann", "--json"))
    assert [each["ref"] for each in done] == ["unified@1.1.0", "child_ann@2.0.0"]
    assert list(project.standings().values()).count(["fresh"]) == 2
    assert [each["ref"] for each in json.loads(project.run("rebuild", "--json"))] == ["child_bob@2.0.0"]
    assert project.all_fresh()
    assert project.registry.manifest("child_bob").adapter.rank == 2


@pytest.mark.long
def test_children_of_a_parent_that_comes_out_the_same_are_left_alone(project: Project) -> None:
    # The child's settings come from a copy of the family's, which stays; without validation no weights are the best.
    (project.folder / "mine/recipe/copy.yaml").write_text(FAMILY)
    (project.folder / "mine/recipe/child.yaml").write_text(CHILD.replace("  - family", "  - copy"))
    project.recipe.write_text(FAMILY.replace("max_steps: 2", "max_steps: 2\n  keep_best: false"))
    stale = project.standings()
    assert stale["unified@1.0.0"] == ["recipe: trainer.keep_best True -> False"]
    assert stale["child_ann@1.0.0"] == stale["child_bob@1.0.0"] == [PARENT_STALE]
    done = json.loads(project.run("rebuild", "--json"))
    assert [each["ref"] for each in done] == ["unified@1.1.0"]
    assert project.all_fresh()


def test_what_was_made_already_is_taken_again_and_not_trained(project: Project) -> None:
    project.set_steps(3)
    project.run("rebuild", "unified")
    project.recipe.write_text(FAMILY)
    assert project.standings()["unified@1.1.0"] == ["recipe: trainer.max_steps 3 -> 2"]
    done = json.loads(project.run("rebuild", "--json"))
    assert [(each["ref"], each["note"].split(";")[0]) for each in done] == [("unified@1.0.0", "it was made already")]
    assert project.standings() == ALL_FRESH
    assert [str(version) for version in project.registry.versions("unified")] == ["1.0.0", "1.1.0"]


def test_a_rebuild_that_fails_is_told_and_leaves_the_rest(project: Project) -> None:
    (project.folder / "mine/recipe/child.yaml").unlink()
    project.set_steps(3)
    done = json.loads(project.run("rebuild", "--json", code=1))
    assert [(each["name"], each["ref"]) for each in done] == [
        ("unified", "unified@1.1.0"), ("child_ann", None), ("child_bob", None),
    ]  # fmt: skip
    assert "child" in done[1]["problem"]


def test_rebuild_of_a_name_that_is_not_there(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    project.run("rebuild", "child_anne", code=2)
    assert "Did you mean child_ann" in capsys.readouterr().err


@pytest.mark.long
def test_another_chat_template_is_healed_by_a_rebuild(project: Project) -> None:
    template = project.own_base() / "chat_template.jinja"
    template.write_text(template.read_text() + "{# the same tokens #}")
    project.run("rebuild")
    assert project.all_fresh()
    assert str(project.registry.exact("child_ann")) == "child_ann@2.0.0"


@pytest.mark.long
def test_parents_come_first_also_where_a_recipe_changed_its_parent(project: Project) -> None:
    (project.folder / "mine/recipe/amid.yaml").write_text(FAMILY.replace("name: unified", "name: zmid"))
    project.train("amid")
    (project.folder / "mine/recipe/amid.yaml").write_text(
        FAMILY.replace("name: unified", "name: zmid").replace("max_steps: 2", "max_steps: 3")
    )
    (project.folder / "mine/recipe/child.yaml").write_text(CHILD.replace("parent: unified", "parent: zmid"))
    done = json.loads(project.run("rebuild", "--json"))
    assert [each["ref"] for each in done] == ["zmid@1.1.0", "child_ann@2.0.0", "child_bob@2.0.0"]
    project.run("rebuild")
    assert project.all_fresh()
