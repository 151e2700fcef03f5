"""Collecting garbage: what stays, in which order the rest goes, and what a dead publisher left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap

import pytest

from adapterkit.errors import RegistryError
from adapterkit.names import Version
from adapterkit.registry import Registry
from tests.registry.conftest import Publish


def refs(registry: Registry) -> list[str]:
    return [f"{name}@{version}" for name in registry.names() for version in registry.versions(name)]


def gone(registry: Registry, keep: int = 1) -> list[str]:
    """What a plan would remove; and a plan changes nothing."""
    before = refs(registry)
    planned = registry.plan_collection(keep=keep)
    assert refs(registry) == before
    return [str(ref) for ref in planned.versions]


def test_the_newest_versions_stay(publish: Publish, registry: Registry) -> None:
    for seed in range(5):
        publish(seed=seed)
    assert gone(registry, keep=3) == ["unified@1.0.0", "unified@1.1.0"]
    # The newest, and the one that a rollback would lead to.
    assert gone(registry, keep=1) == ["unified@1.0.0", "unified@1.1.0", "unified@1.2.0"]


def test_what_an_alias_means_or_would_mean_after_a_rollback_stays(publish: Publish, registry: Registry) -> None:
    for seed in range(6):
        publish(seed=seed)
    registry.promote("unified@1.0.0")
    registry.promote("unified@1.2.0")
    assert gone(registry) == ["unified@1.1.0", "unified@1.3.0"]
    registry.promote("unified@1.1.0", "canary")
    assert gone(registry) == ["unified@1.3.0"]


def test_what_a_child_was_built_on_stays(publish: Publish, registry: Registry) -> None:
    first = publish(seed=0)
    child = publish("child", seed=9, on=first)
    publish("grandchild", seed=8, on=child)
    for seed in range(1, 5):
        publish(seed=seed)
    publish("child", seed=10, on=first)
    publish("child", seed=11, on=first)
    assert gone(registry) == ["unified@1.1.0", "unified@1.2.0"]


def test_children_go_before_their_parents(publish: Publish, registry: Registry) -> None:
    old = publish(seed=0)
    for seed in range(1, 4):
        publish(seed=seed)
    publish("child", seed=4, on=old)
    new = registry.artifact("unified")
    for seed in range(5, 8):
        publish("child", seed=seed, on=new)
    # child@1.0.0 is the only one that needs unified@1.0.0.
    doomed = gone(registry)
    assert doomed.index("child@1.0.0") < doomed.index("unified@1.0.0")


def test_collecting_removes_what_was_planned_and_leaves_a_sound_registry(publish: Publish, registry: Registry) -> None:
    for seed in range(5):
        publish(seed=seed)
    planned = registry.plan_collection(keep=1)
    done = registry.collect(planned, keep=1)
    assert done.versions == planned.versions
    assert refs(registry) == ["unified@1.3.0", "unified@1.4.0"]
    assert all(registry.verify(ref).ok for ref in refs(registry))
    assert sorted(path.name for path in (registry.path / "unified").iterdir()) == ["1.3.0", "1.4.0"]
    # The numbers of what is gone are not given again.
    assert str(publish(seed=7).ref) == "unified@1.5.0"


def test_what_became_needed_since_the_plan_stays(publish: Publish, registry: Registry) -> None:
    for seed in range(5):
        publish(seed=seed)
    planned = registry.plan_collection(keep=1)
    registry.promote("unified@1.1.0")
    assert [str(ref) for ref in registry.collect(planned, keep=1).versions] == ["unified@1.0.0", "unified@1.2.0"]
    assert "unified@1.1.0" in refs(registry)


def test_what_was_built_on_doomed_versions_since_the_plan_keeps_them(publish: Publish, registry: Registry) -> None:
    old = publish(seed=0)
    for seed in range(1, 5):
        publish(seed=seed)
    for seed in range(10, 14):
        publish("child", seed=seed, on=old if seed == 10 else registry.artifact("unified"))
    planned = registry.plan_collection(keep=1)
    assert {"child@1.0.0", "unified@1.0.0", "unified@1.1.0"} <= {str(ref) for ref in planned.versions}
    # Of a number so low that it would go as well, had it been there when the plan was made.
    late = publish("child", seed=20, on=registry.artifact("child@1.0.0"), version=Version(0, 1, 0))
    done = registry.collect(planned, keep=1)
    assert done.kept[late.ref] == "it was not among what was planned to go"
    assert {"unified@1.1.0", "unified@1.2.0"} <= {str(ref) for ref in done.versions}
    assert {"child@0.1.0", "child@1.0.0", "unified@1.0.0"} <= set(refs(registry))
    assert all(registry.verify(ref).ok for ref in refs(registry))


def test_where_needs_cannot_be_read_nothing_is_collected(publish: Publish, registry: Registry) -> None:
    for seed in range(5):
        publish(seed=seed)
    (registry.resolve("unified@1.0.0").path / "metadata.json").write_text("{")
    with pytest.raises(RegistryError, match=r"unified@1\.0\.0"):
        registry.plan_collection(keep=1)


def test_what_a_killed_publisher_left_is_collected(publish: Publish, registry: Registry) -> None:
    publish()
    killed = subprocess.run(
        [sys.executable, "-c", textwrap.dedent("""
            import os, signal, sys
            from pathlib import Path
            from adapterkit.stores import staging_directory
            open_for_ever = [staging_directory(Path(folder)) for folder in sys.argv[1:]]
            for staged in open_for_ever:
                staged.__enter__()
            os.kill(os.getpid(), signal.SIGKILL)
        """), str(registry.path), str(registry.path / "unified"), str(registry.path / "unified/aliases/production")],
        env=os.environ, check=False,
    )  # fmt: skip
    assert killed.returncode == -signal.SIGKILL
    planned = registry.plan_collection()
    assert len(planned.left_behind) == 3
    assert registry.collect(planned).left_behind == planned.left_behind
    assert registry.plan_collection().left_behind == ()


def test_what_a_merge_was_made_of_stays_with_its_own_parents(publish: Publish, registry: Registry) -> None:
    old = publish(seed=0)
    child = publish("child", seed=9, on=old)
    publish("merged", seed=8, merged_from=(child.manifest.lineage.members[-1],))
    for seed in range(1, 4):
        publish(seed=seed)
    for seed in range(10, 13):
        publish("child", seed=seed)
    assert gone(registry) == ["child@2.0.0", "unified@1.1.0"]


def test_a_version_that_appears_while_a_plan_is_made_is_no_harm(publish: Publish, registry: Registry) -> None:
    """A plan takes no lock, so what was listed first may be more by the time that aliases are looked at."""
    for seed in range(4):
        publish(seed=seed)

    class Meanwhile(Registry):
        def names(self) -> list[str]:
            listed = super().names()
            self.calls = getattr(self, "calls", 0) + 1
            if self.calls == 2:
                publish(seed=9)
            return listed

    assert "unified@1.4.0" in [str(ref) for ref in Meanwhile(registry.path).plan_collection(keep=1).kept]
