from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from artifacts.samples import write_adapter

from adapterkit.registry import Registry
from registry.racers import publish_many, publish_same

RACERS, EACH = 4, 6


def test_racing_publishers_get_distinct_versions(tmp_path: Path) -> None:
    folder = write_adapter(tmp_path / "raw")
    registry = Registry(tmp_path / "adapters")
    with ProcessPoolExecutor(RACERS, mp_context=get_context("spawn")) as pool:
        jobs = [pool.submit(publish_many, registry.path, folder, racer, EACH) for racer in range(RACERS)]
        published = [each for job in jobs for each in job.result()]
        same = [job.result() for job in [pool.submit(publish_same, registry.path, folder) for _ in range(RACERS)]]

    assert len({ref for ref, _ in published}) == RACERS * EACH
    assert all(new for _, new in published)
    assert len(registry.versions("unified")) >= RACERS * EACH + 1
    assert len({ref for ref, new in same if new}) == len(registry.versions("unified")) - RACERS * EACH
    assert all(registry.verify(f"unified@{version}").ok for version in registry.versions("unified"))
    assert not [entry for entry in (registry.path / "unified").iterdir() if entry.name.startswith(".staging")]
