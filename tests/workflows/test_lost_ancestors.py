"""A missing, broken or other ancestor is told alike by status, list and doctor."""

from __future__ import annotations

import json
import shutil

from tests.workflows.project import Project


def told_by_all(project: Project) -> set[str]:
    """What list says of every child, once status and doctor say it too."""
    rows = {row["ref"]: row for row in json.loads(project.run("list", "--json"))}
    problems = {rows[ref]["problem"] for ref in ("child_ann@1.0.0", "child_bob@1.0.0")}
    assert not any(rows[ref]["ok"] for ref in ("child_ann@1.0.0", "child_bob@1.0.0"))
    (problem,) = problems
    assert f"child_ann@1.0.0  BROKEN: {problem.replace('parent', 'parent:', 1)}" in project.run("status", code=1)
    assert f"BROKEN: {problem}" in project.run("list")
    found = json.loads(project.run("doctor", "--json", code=1))
    bad = {each["what"]: each["told"] for each in found if (each["area"], each["state"]) == ("registry", "BAD")}
    assert bad["child_ann@1.0.0"] == f"{problem}. See: adapterkit verify child_ann@1.0.0"
    return problems


def test_a_missing_parent(project: Project) -> None:
    shutil.rmtree(project.registry.path / "unified")
    assert told_by_all(project) == {"parent unified@1.0.0 is missing"}


def test_a_broken_parent(project: Project) -> None:
    (project.registry.path / "unified/1.0.0/README.md").unlink()
    assert told_by_all(project) == {"parent unified@1.0.0 is broken"}


def test_another_parent(project: Project) -> None:
    with project.edited("unified@1.0.0") as plain:
        plain["weights_digest"] = plain["lineage"][-1]["weights_digest"] = "0" * 64
    assert told_by_all(project) == {"parent unified@1.0.0 is not the one that was built on"}
