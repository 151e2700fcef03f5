"""Long messages are cut where people read, and whole where programs do; aliases that lead nowhere are problems."""

from __future__ import annotations

import json
import shutil

import pytest

from adapterkit.cli.output import brief
from tests.workflows.project import CHILD, Project


def test_an_alias_whose_version_is_gone_is_a_problem_line(project: Project) -> None:
    project.set_steps(3)
    project.run("rebuild", "child_bob")
    project.run("promote", "child_bob@1.0.0")
    shutil.rmtree(project.registry.path / "child_bob/1.0.0")
    printed = project.run("status")
    assert "\nproblem: child_bob@production was moved to 1.0.0, which is gone" in printed
    assert "not compared" not in printed
    (found,) = [each for each in json.loads(project.run("status", "--json")) if each["problems"]]
    assert (found["ref"], found["problems"][0]["part"]) == ("child_bob@2.0.0", "alias")
    assert found["unknown"] == []


def test_of_a_message_of_many_lines_the_first_is_shown(project: Project) -> None:
    (project.folder / "mine/recipe/child.yaml").write_text(CHILD + "adapter:\n  rr: 3\n")
    for words in (["--dry-run"], []):
        printed = project.run("rebuild", *words, code=1)
        assert "\N{REPLACEMENT CHARACTER}" not in printed
        assert len(printed.splitlines()) == 2
    assert "\n" in json.loads(project.run("rebuild", "--json", code=1))[0]["problem"]


def test_a_long_error_does_not_fill_a_table(project: Project) -> None:
    with project.edited("child_bob@1.0.0") as plain:
        plain["name"] = "x" * 300
    (project.folder / "mine/recipe/child.yaml").write_text(CHILD + f"adapter:\n  {'r' * 300}: 3\n")
    for verb, code in (("list", 0), ("status", 1)):
        assert max(map(len, project.run(verb, code=code).splitlines())) < 280
    assert "r" * 300 in project.run("status", "--json", code=1)
    (bob,) = [row for row in json.loads(project.run("list", "--json")) if row["name"] == "child_bob"]
    assert bob["problem"].endswith("a directory was renamed or copied")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("short", "short"),
        ("It is gone. Bring it back.", "It is gone. ..."),
        ("README.md missing", "README.md missing"),
        ("first\nsecond", "first ..."),
        ("a\tb", "a b"),
        ("x" * 200, "x" * 96 + " ..."),
    ],
)
def test_brief(text: str, told: str) -> None:
    assert brief(text) == told
