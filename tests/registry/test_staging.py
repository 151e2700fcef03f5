from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from adapterkit.errors import ArtifactError, RegistryError
from adapterkit.stores import copy_file, explained, move_into_place, read_file, staging_directory, write_file


def test_a_staged_directory_moves_in_one_step(tmp_path: Path) -> None:
    with staging_directory(tmp_path / "name") as staged:
        write_file(staged / "f", b"x")
        assert staged.name.startswith(".staging-")
        assert f"-{os.getpid()}-" in staged.name
        assert move_into_place(staged, tmp_path / "name" / "1.0.0")
    assert [entry.name for entry in (tmp_path / "name").iterdir()] == ["1.0.0"]


@pytest.mark.parametrize("kind", ["empty", "full", "file", "dangling"])
def test_a_place_that_is_taken_is_refused_even_when_empty(tmp_path: Path, kind: str) -> None:
    target = tmp_path / "1.0.0"
    if kind in ("empty", "full"):
        target.mkdir()
    if kind == "full":
        (target / "f").write_bytes(b"old")
    if kind == "file":
        target.write_bytes(b"old")
    if kind == "dangling":
        target.symlink_to(tmp_path / "nowhere")
    with staging_directory(tmp_path) as staged:
        write_file(staged / "f", b"new")
        assert not move_into_place(staged, target)
        assert staged.is_dir()
    assert [entry.name for entry in tmp_path.iterdir()] == ["1.0.0"]


def test_the_rename_itself_refuses_a_place_taken_after_the_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "1.0.0").mkdir()
    (tmp_path / "1.0.0" / "f").write_bytes(b"old")
    monkeypatch.setattr("os.path.lexists", lambda path: False)
    with staging_directory(tmp_path) as staged:
        write_file(staged / "f", b"new")
        assert not move_into_place(staged, tmp_path / "1.0.0")
    assert (tmp_path / "1.0.0" / "f").read_bytes() == b"old"


def test_a_failed_staging_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> None:
        with staging_directory(tmp_path / "name") as staged:
            write_file(staged / "f", b"x")
            write_file(staged / "f", b"x")

    with pytest.raises(RegistryError, match="exists"):
        fail()
    assert list((tmp_path / "name").iterdir()) == []


@pytest.mark.parametrize(
    ("number", "match"),
    [(errno.ENOSPC, "disk is full"), (errno.EACCES, "Permission is missing"), (errno.EROFS, "read-only")],
)
def test_failures_of_the_disk_say_what_helps(number: int, match: str) -> None:
    with pytest.raises(RegistryError, match=f"Writing x failed: .*{match}"), explained("Writing x"):
        raise OSError(number, os.strerror(number))


def test_files_are_never_overwritten(tmp_path: Path) -> None:
    write_file(tmp_path / "a", b"old")
    write_file(tmp_path / "b", b"new")
    with pytest.raises(RegistryError, match="exists"):
        write_file(tmp_path / "a", b"new")
    with pytest.raises(RegistryError, match="exists"):
        copy_file(tmp_path / "b", tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == b"old"


def test_reading_follows_no_link_and_keeps_to_its_limit(tmp_path: Path) -> None:
    write_file(tmp_path / "a", b"12345")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    assert read_file(tmp_path / "a", limit=5) == b"12345"
    with pytest.raises(ArtifactError, match="a: is larger than 4 bytes"):
        read_file(tmp_path / "a", limit=4)
    with pytest.raises(ArtifactError, match="link: cannot be read"):
        read_file(tmp_path / "link", limit=5)
