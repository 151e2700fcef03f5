"""What lies in a registry and is no part of it: each is told once, with what to do, and nothing else is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from adapterkit.errors import RegistryError
from adapterkit.registry import Registry
from adapterkit.registry.oddities import oddities
from registry.conftest import Publish


def told(registry: Registry) -> dict[str, str]:
    """What is said of each, without the path that begins it; all are in quotes."""
    found = oddities(registry.path)
    assert [stray.path for stray in found] == sorted(stray.path for stray in found)
    for stray in found:
        assert os.path.lexists(stray.path)
        assert repr(str(stray.path.relative_to(registry.path))) == stray.name
        assert stray.problem.startswith(f"{str(stray.path)!r} is ")
    return {stray.name.strip("'"): stray.problem.removeprefix(f"{str(stray.path)!r} ") for stray in found}


def test_a_sound_registry_has_none(publish: Publish, registry: Registry) -> None:
    assert oddities(registry.path) == []
    publish()
    registry.promote("unified@1.0.0")
    (registry.path / ".hidden").write_text("")
    (registry.path / "unified" / ".hidden").mkdir()
    assert oddities(registry.path) == []


def test_each_kind_is_told_in_its_own_words(publish: Publish, registry: Registry, tmp_path: Path) -> None:
    publish()
    root, unified = registry.path, registry.path / "unified"
    (root / "notes.txt").write_text("")
    (root / "Bad Name").mkdir()
    (root / "a link").symlink_to(tmp_path)
    (root / "linked").symlink_to(tmp_path)  # In the place of an adapter: another look tells it.
    os.mkfifo(root / "pipe")
    (unified / "draft").mkdir()
    (unified / "notes.txt").write_text("")
    (unified / "2.0.0").write_text("")
    (unified / "3.0.0").symlink_to(unified / "1.0.0")
    link = "a symbolic link, which is not followed"
    assert told(registry) == {
        "notes.txt": "is a file, and no adapter's folder: move it away",
        "Bad Name": "is a folder of a name that no adapter can have: rename it, or move it away",
        "a link": f"is {link}, and no adapter's folder: move it away",
        "pipe": "is a special file, and no adapter's folder: move it away",
        "unified/draft": "is a folder, and its name is no version: rename it, or move it away",
        "unified/notes.txt": "is a file; it belongs to no version: move it away",
        "unified/2.0.0": "is a file; it stands in the place of a version, and is not one: move it away",
        "unified/3.0.0": f"is {link}; it stands in the place of a version, and is not one: move it away",
    }


def test_a_folder_that_cannot_be_listed_is_told_by_another_look(
    publish: Publish, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish()
    (registry.path / "notes.txt").write_text("")
    scandir = os.scandir

    def refusing(path: Path) -> object:
        if Path(path).name == "unified":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr("os.scandir", refusing)
    assert [stray.name for stray in oddities(registry.path)] == ["'notes.txt'"]
    monkeypatch.setattr("os.scandir", lambda path: refusing(path / "unified"))
    with pytest.raises(RegistryError, match=f"Listing {registry.path}"):
        oddities(registry.path)


def test_a_registry_that_is_not_there_has_none(tmp_path: Path) -> None:
    assert oddities(tmp_path / "nowhere") == []


def test_a_long_name_is_cut(registry: Registry) -> None:
    registry.path.mkdir()
    (registry.path / ("x" * 250)).write_text("")
    (stray,) = oddities(registry.path)
    assert len(stray.name) < 200 < len(stray.problem)
