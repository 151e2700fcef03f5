"""The check-up: what it looks at, and what it calls bad."""

from __future__ import annotations

from pathlib import Path

import pytest
from artifacts.samples import draft_of, write_adapter

from adapterkit.registry import Registry
from adapterkit.workflows.doctor import BAD, Finding, examine


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    registry = Registry(tmp_path / "adapters")
    registry.publish(draft_of(write_adapter(tmp_path / "unified")))
    return registry


def bad(findings: list[Finding], area: str) -> dict[str, str]:
    return {finding.what: finding.told for finding in findings if (finding.area, finding.state) == (area, BAD)}


def test_a_sound_house_has_nothing_bad_in_it(registry: Registry) -> None:
    findings = examine(registry)
    assert {finding.area for finding in findings} >= {"versions", "machine", "configs", "cache", "registry"}
    assert not any(bad(findings, area) for area in ("versions", "configs", "cache", "registry"))
    assert any(finding.what == "recipe persona_on_unified" for finding in findings)


def test_broken_artifacts_and_aliases_are_told(registry: Registry) -> None:
    registry.promote("unified")
    (registry.path / "unified/aliases/production/1.json").write_text("{")
    (registry.path / "unified/1.0.0/README.md").unlink()
    assert set(bad(examine(registry), "registry")) == {"unified@1.0.0", "unified@production"}


def test_a_recipe_that_does_not_compose_is_told(registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "mine/recipe").mkdir(parents=True)
    (tmp_path / "mine/recipe/wrong.yaml").write_text("# @package _global_\ntrainer:\n  learning_rat: 1\n")
    assert "learning_rat" in bad(examine(registry, tmp_path / "mine"), "configs")["recipe wrong"]


def test_a_registry_that_does_not_exist_yet_is_no_fault(tmp_path: Path) -> None:
    assert not bad(examine(Registry(tmp_path / "none")), "registry")


def test_a_registry_that_is_a_file_is(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "cannot be written" in bad(examine(Registry(tmp_path / "file" / "deep")), "registry")["folder"]
