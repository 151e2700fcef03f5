"""The check-up: what it looks at, and what it calls bad."""

from __future__ import annotations

from pathlib import Path

import pytest
from artifacts.samples import draft_of, write_adapter

from adapterkit.registry import Registry
from adapterkit.workflows.doctor import BAD, NOTE, Finding, examine
from tests.driving import Command


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
    assert any(finding.what == "merge coder_security" for finding in findings)


def test_broken_artifacts_and_aliases_are_told(registry: Registry) -> None:
    registry.promote("unified")
    (registry.path / "unified/aliases/production/1.json").write_text("{")
    (registry.path / "unified/1.0.0/README.md").unlink()
    assert set(bad(examine(registry), "registry")) == {"unified@1.0.0", "unified@production"}


def test_a_recipe_that_does_not_compose_is_told(registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "mine/recipe").mkdir(parents=True)
    (tmp_path / "mine/recipe/wrong.yaml").write_text("# @package _global_\ntrainer:\n  learning_rat: 1\n")
    assert "learning_rat" in bad(examine(registry, tmp_path / "mine"), "configs")["recipe wrong"]


def test_a_recipe_of_a_merge_that_does_not_compose_is_told(registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "mine/merge").mkdir(parents=True)
    (tmp_path / "mine/merge/wrong.yaml").write_text("# @package _global_\ndensty: 1\n")
    assert "densty" in bad(examine(registry, tmp_path / "mine"), "configs")["merge wrong"]


def test_a_recipe_of_a_persona_that_is_not_said_is_no_fault(registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "mine/recipe").mkdir(parents=True)
    (tmp_path / "mine/recipe/child.yaml").write_text("# @package _global_\nname: child_${persona}\n")
    findings = examine(registry, tmp_path / "mine")
    assert "persona=VALUE" in next(found.told for found in findings if found.what == "recipe child")
    assert not bad(findings, "configs")
    assert "None" not in " ".join(found.told for found in findings)


def test_a_folder_of_configs_that_is_not_there_is_wrong_usage(command: Command, tmp_path: Path) -> None:
    assert command("doctor", "--config-dir", tmp_path / "nope") == 2
    assert f"--config-dir {tmp_path / 'nope'} is not a folder" in command.err


def test_a_registry_that_does_not_exist_yet_is_no_fault(tmp_path: Path) -> None:
    assert not bad(examine(Registry(tmp_path / "none")), "registry")


def test_a_registry_that_is_a_file_is(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "cannot be written" in bad(examine(Registry(tmp_path / "file" / "deep")), "registry")["folder"]


def notes(findings: list[Finding]) -> list[str]:
    found = [each for each in findings if each.area == "registry" and each.state == NOTE]
    return [f"{each.what}: {each.told}" for each in found if each.what != "folder"]


def test_what_is_no_part_of_a_registry_is_told_in_a_line_each(registry: Registry, command: Command) -> None:
    def listed() -> str:
        assert command("list") == 0
        return command.out

    before = listed()
    assert notes(examine(registry)) == []
    (registry.path / "unified" / "3.0.0").symlink_to("1.0.0")
    (registry.path / "unified" / "old").mkdir()
    (registry.path / "My Adapters").mkdir()
    (registry.path / "notes.txt").write_text("")
    found = "\n".join(notes(examine(registry)))
    assert "unified/3.0.0': " in found
    assert "is a symbolic link, which is not followed; it stands in the place of a version" in found
    for what in ("is a folder, and its name is no version", "that no adapter can have", "is a file, and no adapter"):
        assert what in found
    for number in range(9):
        (registry.path / f"stray-{number}.txt").write_text("")
    findings = examine(registry)
    assert len(notes(findings)) == 6
    assert "8 more" in notes(findings)[-1]
    assert not bad(findings, "registry")
    assert listed() == before


@pytest.mark.long
def test_a_name_that_is_no_unicode_can_be_told(registry: Registry, command: Command) -> None:
    (registry.path / "\udcff").mkdir()
    for words in ([], ["--json"]):
        command("doctor", *words)
        assert "no adapter can have" in command.out
