"""An explicit version is published as that version or not at all; of racing publishers exactly one wins."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest
from artifacts.samples import lora_tensors, write_adapter

from adapterkit.errors import RegistryError, VersionTakenError
from adapterkit.names import Version
from adapterkit.registry import Registry
from registry.conftest import Publish
from registry.racers import claim_versions

RACERS = 4


def test_exactly_the_version_asked_for(publish: Publish, registry: Registry) -> None:
    assert str(publish(version=Version(3, 1, 4)).ref) == "unified@3.1.4"
    assert str(publish(seed=1, version=Version(1, 0, 0)).ref) == "unified@1.0.0"
    assert str(publish(seed=2).ref) == "unified@3.2.0"
    assert all(registry.verify(f"unified@{version}").ok for version in registry.versions("unified"))


def test_the_same_adapter_is_published_at_another_version_when_that_is_asked_for(publish: Publish) -> None:
    publish()
    second = publish(version=Version(2, 0, 0))
    assert (second.new, str(second.ref)) == (True, "unified@2.0.0")


def test_a_version_that_holds_another_adapter_is_taken(publish: Publish, registry: Registry) -> None:
    first = publish()
    before = {path.name: path.read_bytes() for path in first.path.iterdir()}
    for changes in ({"seed": 1}, {"seed": 0, "run_key": "7" * 64}):
        with pytest.raises(VersionTakenError, match=r"unified@1\.0\.0 is taken .*Publish without a version") as caught:
            publish(version=Version(1, 0, 0), **changes)
        assert caught.value.ref == "unified@1.0.0"
    assert {path.name: path.read_bytes() for path in first.path.iterdir()} == before
    assert os.listdir(registry.path / "unified") == ["1.0.0"]


def test_a_version_that_holds_this_very_adapter_is_found(publish: Publish) -> None:
    first = publish(version=Version(1, 0, 0))
    again = publish(version=Version(1, 0, 0))
    assert (first.new, again.new, again.digest) == (True, False, first.digest)


def test_a_damaged_version_is_taken_and_not_found(publish: Publish) -> None:
    (publish().path / "README.md").write_bytes(b"x")
    with pytest.raises(VersionTakenError):
        publish(version=Version(1, 0, 0))


@pytest.mark.parametrize(
    "put", [Path.touch, lambda path: path.symlink_to("nowhere")], ids=["a file", "a dangling link"]
)
def test_what_stands_in_the_place_of_a_version_is_named(
    publish: Publish, registry: Registry, put: Callable[[Path], None]
) -> None:
    (registry.path / "unified").mkdir(parents=True)
    put(registry.path / "unified" / "1.0.0")
    for version in (None, Version(1, 0, 0)):
        with pytest.raises(RegistryError, match=r"unified/1\.0\.0 is no folder.*Move it away"):
            publish(version=version)


@pytest.mark.parametrize("count", [15, pytest.param(500, marks=pytest.mark.long)])
def test_of_racing_publishers_exactly_one_wins_each_version(
    tmp_path: Path, record_property: Callable[[str, object], None], count: int
) -> None:
    folder = write_adapter(tmp_path / "raw", tensors=lora_tensors(rank=1), r=1)
    registry = Registry(tmp_path / "adapters")
    with ProcessPoolExecutor(RACERS, mp_context=get_context("spawn")) as pool:
        jobs = [pool.submit(claim_versions, registry.path, folder, racer, count) for racer in range(RACERS)]
        told = [job.result() for job in jobs]

    wanted = [f"unified@1.{number}.0" for number in range(count)]
    winners = {racer: [ref for ref, won in each.items() if won] for racer, each in enumerate(told)}
    assert all(list(each) == wanted for each in told)
    assert sorted(ref for refs in winners.values() for ref in refs) == sorted(wanted)
    assert [f"unified@{version}" for version in registry.versions("unified")] == wanted
    record_property("raced for", count)
    assert all(registry.verify(ref).ok for ref in wanted)
    for racer, refs in winners.items():
        assert all(registry.manifest(ref).environment["racer"] == racer for ref in refs)
    assert len(os.listdir(registry.path / "unified")) == count
