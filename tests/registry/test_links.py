"""Symbolic links in the place of folders of a registry: told, refused, and never followed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from adapterkit.errors import RegistryError
from adapterkit.registry import Registry
from adapterkit.workflows.doctor import BAD, examine
from tests.registry.conftest import Publish
from tests.registry.tables import plain, rows, run

PLACES = ("unified", "unified/aliases", "unified/aliases/production")


@pytest.fixture
def linked(publish: Publish, registry: Registry, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A registry of which one folder was moved elsewhere, with a link in its place; returns where it is now."""
    for seed in range(5):
        publish(seed=seed)
    publish("other", seed=7)
    registry.promote("unified@1.0.0")
    place, elsewhere = registry.path / request.param, tmp_path / "elsewhere"
    (place / ".staging-000000000000-1-ab").mkdir()
    place.rename(elsewhere)
    place.symlink_to(elsewhere)
    return elsewhere


def linked_to_aliases(registry: Registry) -> bool:
    return not (registry.path / "unified").is_symlink()


def content(folder: Path) -> dict[str, int]:
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in folder.rglob("*")}


@pytest.mark.parametrize("linked", PLACES, indirect=True)
def test_nothing_is_read_or_written_through_a_link(linked: Path, registry: Registry, publish: Publish) -> None:
    before = content(linked)
    attempts: tuple[Callable[[], object], ...] = (
        lambda: registry.resolve("unified@production"),
        lambda: registry.promote("unified@1.1.0"),
        lambda: registry.rollback("unified", "production"),
    )
    if not linked_to_aliases(registry):
        attempts += (lambda: publish(seed=9), lambda: registry.require_writable("unified"))
    for attempt in attempts:
        with pytest.raises(RegistryError, match="is a symbolic link, and is not followed"):
            attempt()
    with suppress(RegistryError):
        registry.collect(registry.plan_collection(keep=1), keep=1)
    assert content(linked) == before


@pytest.mark.parametrize("linked", PLACES, indirect=True)
def test_a_link_is_shown_as_a_problem(linked: Path, registry: Registry) -> None:
    shown = rows(registry)
    assert shown["other@1.0.0"]["ok"]
    (problem,) = [row["problem"] for row in shown.values() if not row["ok"]]
    assert "is a symbolic link" in problem
    assert any(problem == found.told for found in examine(registry) if found.state == BAD)
    assert {row["ref"] for row in plain(registry, "status", code=None)} >= {"other@1.0.0"}
    run(registry, "history", "other")
    if linked_to_aliases(registry):
        assert "is a symbolic link" in run(registry, "history", "unified")
        assert [event["version"] for event in plain(registry, "history", "unified")["events"]].count(None) == 1


def test_an_adapter_without_versions_whose_aliases_are_there(registry: Registry, publish: Publish) -> None:
    published = publish()
    publish("other", seed=1)
    registry.promote("unified")
    shutil.rmtree(published.path)
    assert "no version" in rows(registry)["unified"]["problem"]
    assert "production" in rows(registry)["unified"]["problem"]


def test_the_registry_itself_may_be_a_link(registry: Registry, publish: Publish, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    registry.path.symlink_to(tmp_path / "disk")
    publish()
    registry.promote("unified")
    assert all(row["ok"] for row in rows(registry).values())


def test_a_link_in_the_place_of_a_file_of_a_version_is_no_file_at_first_sight(
    publish: Publish, registry: Registry, tmp_path: Path
) -> None:
    publish()
    weights = registry.path / "unified" / "1.0.0" / "adapter_model.safetensors"
    weights.rename(tmp_path / "elsewhere")
    weights.symlink_to(tmp_path / "elsewhere")
    (entry,) = registry.survey()["unified"]
    assert entry.problem == "adapter_model.safetensors missing"
