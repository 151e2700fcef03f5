"""The check-up: what it looks at, and what it calls bad."""

from __future__ import annotations

from pathlib import Path

import pytest
from artifacts.samples import draft_of, write_adapter

from adapterkit.cli import main
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


def test_a_recipe_of_a_persona_that_is_not_said_is_no_fault(registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "mine/recipe").mkdir(parents=True)
    (tmp_path / "mine/recipe/child.yaml").write_text("# @package _global_\nname: child_${persona}\n")
    findings = examine(registry, tmp_path / "mine")
    assert "persona=VALUE" in next(found.told for found in findings if found.what == "recipe child")
    assert not bad(findings, "configs")
    assert "None" not in " ".join(found.told for found in findings)


def test_a_folder_of_configs_that_is_not_there_is_wrong_usage(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as left:
        main(["doctor", "--config-dir", str(tmp_path / "nope"), "--registry", str(tmp_path / "adapters")])
    assert left.value.code == 2
    assert f"--config-dir {tmp_path / 'nope'} is not a folder" in capsys.readouterr().err


def test_a_registry_that_does_not_exist_yet_is_no_fault(tmp_path: Path) -> None:
    assert not bad(examine(Registry(tmp_path / "none")), "registry")


def test_a_registry_that_is_a_file_is(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "cannot be written" in bad(examine(Registry(tmp_path / "file" / "deep")), "registry")["folder"]
