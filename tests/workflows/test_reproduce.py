"""Training a published adapter again, in a fresh process, and comparing every bit."""

from __future__ import annotations

import json

import pytest

from tests.workflows.project import ALL_FRESH, Project
from tests.workflows.tiny import TRAIN, write_chats


@pytest.mark.long
def test_reproduce_is_bit_identical_or_says_what_differs(project: Project) -> None:
    found = json.loads(project.run("reproduce", "child_ann", "--json"))
    assert (found["identical"], found["differing"], found["circumstances"]) == (True, 0, {})
    assert project.standings() == ALL_FRESH
    write_chats(project.data, (*TRAIN[:-1], "another word"))
    found = json.loads(project.run("reproduce", "child_ann", "--json", code=1))
    assert found["differing"] > 0
    assert found["largest_difference"] > 0
    assert "data digest" in found["circumstances"]


@pytest.mark.long
def test_reproduce_says_why_it_cannot(project: Project) -> None:
    project.data.unlink()
    project.run("reproduce", "child_ann", code=1)
