"""What a collection says: how much goes free, what to type, and how many."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from adapterkit.cli.verbs import keeping
from adapterkit.errors import UsageError
from adapterkit.registry import KEEP, Registry
from adapterkit.registry.collect import bytes_of
from tests.registry.conftest import Publish
from tests.registry.tables import plain, run


def used(registry: Registry) -> int:
    """What the files of a registry hold, each once, however many names it has."""
    files = [path.lstat() for path in registry.path.rglob("*") if not path.is_dir()]
    return sum({stat.st_ino: stat.st_size for stat in files}.values())


def stage(registry: Registry, place: str = ".") -> Path:
    """What a dead publisher left."""
    from adapterkit.stores.staging import STAGING_PREFIX, _kernel

    staged = registry.path / place / f"{STAGING_PREFIX}{_kernel()}-1-ab"
    staged.mkdir()
    (staged / "half").write_bytes(b"x" * 5_000)
    return staged


@pytest.mark.parametrize("linked", ["not at all", "within", "to what stays", "to elsewhere"])
def test_the_figure_is_what_goes_free(publish: Publish, registry: Registry, tmp_path: Path, linked: str) -> None:
    paths = [publish(seed=seed).path for seed in range(5)]
    name = "adapter_model.safetensors"
    if linked != "not at all":
        target = {"within": paths[1] / name, "to what stays": paths[4] / name, "to elsewhere": tmp_path / "elsewhere"}
        target[linked].unlink(missing_ok=True)
        os.link(paths[0] / name, target[linked])
    staged = stage(registry)
    if linked == "within":
        os.link(paths[2] / name, staged / "same")
    before = used(registry)
    planned = registry.plan_collection(keep=1)
    done = registry.collect(planned, keep=1)
    outside = (tmp_path / "elsewhere").stat().st_size if linked == "to elsewhere" else 0
    assert planned.bytes == done.bytes == before - used(registry) - outside > 0


def test_the_figure_of_what_was_done_is_not_that_of_the_plan(publish: Publish, registry: Registry) -> None:
    for seed in range(5):
        publish(seed=seed)
    planned = registry.plan_collection(keep=1)
    registry.promote("unified@1.1.0")
    staged = stage(registry, "unified")
    before = used(registry)
    done = registry.collect(planned, keep=1)
    assert done.left_behind == (staged,)
    assert done.bytes == before - used(registry) != planned.bytes


def test_what_vanishes_while_it_is_measured_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b", "c/d", "e/f"):
        (tmp_path / "staged" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "staged" / name).write_bytes(b"12345")
    true_lstat, calls = os.lstat, []

    def lstat(path: str, **more: object) -> os.stat_result:
        calls.append(path)
        if len(calls) == 2:
            shutil.rmtree(tmp_path / "staged")
        return true_lstat(path, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "lstat", lstat)
    assert bytes_of([tmp_path / "staged", tmp_path / "never was"]) == 5


def test_a_version_that_somebody_removed_meanwhile_is_gone_all_the_same(publish: Publish, registry: Registry) -> None:
    paths = [publish(seed=seed).path for seed in range(5)]
    planned = registry.plan_collection(keep=1)
    shutil.rmtree(paths[0])
    assert [str(ref) for ref in registry.collect(planned, keep=1).versions] == ["unified@1.1.0", "unified@1.2.0"]


@pytest.mark.parametrize("keep", [0, -1])
def test_the_newest_version_always_stays(publish: Publish, registry: Registry, keep: int) -> None:
    publish(seed=0), publish(seed=1)
    with pytest.raises(UsageError, match="at least 1"):
        registry.plan_collection(keep=keep)
    with pytest.raises(UsageError, match="at least 1"):
        registry.collect(registry.plan_collection(), keep=keep)


def test_a_dry_run_says_what_to_type(publish: Publish, registry: Registry) -> None:
    for seed in range(4):
        publish(seed=seed)
    told = run(registry, "gc", "--keep", "1")
    assert told.splitlines()[-1].endswith(
        f"2 versions stay. To do it: adapterkit gc --apply --keep 1 --registry {registry.path}"
    )
    command = told.rpartition("To do it: ")[2].split()
    assert run(registry, *command[1:-2]).splitlines()[-1].endswith("went free, and 2 versions stay.")
    found = plain(registry, "gc", "--keep", "1")
    assert (found["versions"], found["bytes"], len(found["kept"])) == ([], 0, 2)
    told = run(registry, "gc").splitlines()
    assert told[0] == "Nothing to collect: all 2 versions are needed, or among the newest."
    assert [" ".join(line.split()) for line in told[3:]] == [
        "unified@1.2.0 a rollback of unified@latest leads to it",
        "unified@1.3.0 unified@latest",
        f"One version of them alone: adapterkit remove NAME@VERSION --registry {registry.path}",
    ]


def test_the_command_and_the_library_keep_as_many() -> None:
    assert keeping._KEEP == KEEP


def test_one_is_one(publish: Publish, registry: Registry) -> None:
    assert run(registry, "gc") == f"Nothing to collect: {registry.path} holds no version (there is no such folder).\n"
    publish(seed=0)
    assert run(registry, "gc") == "Nothing to collect: its only version is among the newest.\n"
    stage(registry)
    told = run(registry, "gc").splitlines()
    assert told[-1] == f"5,000 bytes, and 1 version stays. To do it: adapterkit gc --apply --registry {registry.path}"
    assert run(registry, "gc", "--apply").splitlines()[-1] == "5,000 bytes went free, and 1 version stays."
