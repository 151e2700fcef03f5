"""What a dead process leaves is removed by the next; what a living one writes is left alone. All of them are real."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from multiprocessing import Process, get_context
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from adapterkit.registry import Registry
from adapterkit.stores import remove_stale_staging, replace_files, staging_directory, stale_staging, write_file
from registry.conftest import Publish
from registry.racers import collect_many, hold_staging, stage_many

DAY = timedelta(days=1)


@contextmanager
def holder(parent: Path) -> Iterator[tuple[Process, Connection, Path]]:
    """A process that holds a staging folder in `parent`, how to talk to it, and the folder."""
    context = get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=hold_staging, args=(parent, there))
    process.start()
    there.close()
    try:
        yield process, here, here.recv()
    finally:
        process.kill()
        process.join()
        here.close()


def left_by_a_dead_process(parent: Path) -> Path:
    with holder(parent) as (_, _, staged):
        return staged


def of_another_machine(parent: Path, name: str = ".staging-0123456789ab-17-cafe") -> Path:
    (parent / name).mkdir(parents=True)
    write_file(parent / name / "f", b"half")
    return parent / name


def before_the_lock(monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[], object]) -> None:
    """Let another process be quicker: something happens once, just before the kernel is asked for the first lock."""
    flock, todo = fcntl.flock, [meanwhile]

    def late(handle: int, how: int) -> None:
        if todo:
            todo.pop()()
        flock(handle, how)

    monkeypatch.setattr("fcntl.flock", late)


def let_it_age(folder: Path) -> None:
    for path in (folder / "f", folder):
        os.utime(path, (time.time() - 2 * DAY.total_seconds(),) * 2)


def test_the_next_publication_removes_what_a_killed_publisher_left(publish: Publish, registry: Registry) -> None:
    staged = left_by_a_dead_process(registry.path / "unified")
    in_the_root = left_by_a_dead_process(registry.path)
    assert (staged / "f").is_file()
    assert registry.versions("unified") == []
    publish()
    assert sorted(os.listdir(registry.path)) == [".lock", "unified"]
    assert os.listdir(registry.path / "unified") == ["1.0.0"]
    assert not in_the_root.exists()


def test_even_one_that_finds_its_version_there_removes_it(publish: Publish, registry: Registry) -> None:
    publish()
    left_by_a_dead_process(registry.path / "unified")
    assert not publish().new
    assert os.listdir(registry.path / "unified") == ["1.0.0"]


def test_the_next_save_removes_what_a_killed_one_left(tmp_path: Path) -> None:
    left_by_a_dead_process(tmp_path)
    replace_files(tmp_path, {"f": b"new"})
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"f": b"new"}


def test_what_a_living_publisher_stages_is_never_taken(publish: Publish, registry: Registry) -> None:
    parent = registry.path / "unified"
    with holder(parent) as (process, pipe, staged):
        assert stale_staging(parent) == remove_stale_staging(parent, abandoned_after=timedelta(0)) == []
        publish()
        assert (staged / "f").read_bytes() == b"whole"
        pipe.send(parent / "9.0.0")
        assert pipe.recv() is True
        process.join()
    assert sorted(os.listdir(parent)) == ["1.0.0", "9.0.0"]


def test_this_very_process_counts_as_living(tmp_path: Path) -> None:
    with staging_directory(tmp_path) as staged:
        assert remove_stale_staging(tmp_path) == []
        assert staged.is_dir()


def test_stale_staging_is_listed_without_being_removed(tmp_path: Path) -> None:
    staged = left_by_a_dead_process(tmp_path)
    assert stale_staging(tmp_path) == stale_staging(tmp_path) == [staged]
    assert remove_stale_staging(tmp_path) == [staged]
    assert stale_staging(tmp_path) == []
    assert stale_staging(tmp_path / "nowhere") == remove_stale_staging(tmp_path / "nowhere") == []


@pytest.mark.parametrize("name", [".staging-0123456789ab-17-cafe", ".staging-unlocked-17-cafe", ".staging-17-cafe"])
def test_what_another_machine_staged_is_left_alone_until_it_counts_as_abandoned(tmp_path: Path, name: str) -> None:
    staged = of_another_machine(tmp_path, name)
    assert remove_stale_staging(tmp_path) == []
    assert remove_stale_staging(tmp_path, abandoned_after=DAY) == []
    let_it_age(staged)
    assert remove_stale_staging(tmp_path) == []
    assert remove_stale_staging(tmp_path, abandoned_after=DAY) == [staged]


def test_what_cannot_be_listed_never_counts_as_abandoned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    staged = of_another_machine(tmp_path)
    let_it_age(staged)

    def refusing(path: Path) -> Iterator[Path]:
        raise PermissionError(13, "Permission denied", str(path))

    with monkeypatch.context() as context:
        context.setattr(Path, "iterdir", refusing)
        assert remove_stale_staging(tmp_path, abandoned_after=DAY) == []
    assert remove_stale_staging(tmp_path, abandoned_after=DAY) == [staged]


@pytest.mark.parametrize("young", ["f", "."])
def test_whatever_was_written_last_counts(tmp_path: Path, young: str) -> None:
    staged = of_another_machine(tmp_path)
    let_it_age(staged)
    os.utime(staged / young)
    assert remove_stale_staging(tmp_path, abandoned_after=DAY) == []


def test_a_lock_of_another_machine_that_can_be_seen_is_respected(tmp_path: Path) -> None:
    staged = of_another_machine(tmp_path)
    let_it_age(staged)
    handle = os.open(staged, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    assert remove_stale_staging(tmp_path, abandoned_after=DAY) == []
    os.close(handle)
    assert remove_stale_staging(tmp_path, abandoned_after=DAY) == [staged]


def test_only_staging_folders_are_looked_at(tmp_path: Path) -> None:
    left_by_a_dead_process(tmp_path)
    (tmp_path / ".staging-file").touch()
    (tmp_path / ".staging-link").symlink_to(tmp_path.parent)
    (tmp_path / "1.0.0").mkdir()
    remove_stale_staging(tmp_path, abandoned_after=timedelta(0))
    assert sorted(os.listdir(tmp_path)) == [".staging-file", ".staging-link", "1.0.0"]


def test_a_folder_that_a_collector_took_before_it_was_locked_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before_the_lock(monkeypatch, lambda: next(tmp_path.iterdir()).rmdir())
    with staging_directory(tmp_path) as staged:
        assert staged.is_dir()


def test_a_folder_that_went_to_its_place_before_it_was_locked_is_not_stale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    staged = left_by_a_dead_process(tmp_path)
    before_the_lock(monkeypatch, lambda: staged.rename(tmp_path / "1.0.0"))
    assert remove_stale_staging(tmp_path) == []
    assert (tmp_path / "1.0.0" / "f").read_bytes() == b"whole"


def test_collectors_and_stagers_that_race_lose_nothing(tmp_path: Path) -> None:
    with ProcessPoolExecutor(4, mp_context=get_context("spawn")) as pool:
        stagers = [pool.submit(stage_many, tmp_path, racer, 150) for racer in range(2)]
        collectors = [pool.submit(collect_many, tmp_path, 2000) for _ in range(2)]
        assert all(all(each.result()) for each in stagers)
        assert all(each.result() >= 0 for each in collectors)
    remove_stale_staging(tmp_path)
    assert sorted(os.listdir(tmp_path)) == sorted(f"{racer}-{number}" for racer in range(2) for number in range(150))
    assert {(tmp_path / name / "f").read_bytes() for name in os.listdir(tmp_path)} == {b"whole"}
