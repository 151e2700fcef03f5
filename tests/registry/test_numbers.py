"""A version number is given once: not again after its folder was removed, as long as anything remembers it."""

from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from adapterkit.errors import RegistryError
from adapterkit.lineage import LineageMember
from adapterkit.manifest import MANIFEST_FILE
from adapterkit.names import Version
from adapterkit.registry import Published, Registry, numbers
from adapterkit.stores import explained
from tests.registry.conftest import Publish


def drop(published: Published) -> None:
    shutil.rmtree(published.path)


def version_of(published: Published) -> str:
    return str(published.manifest.version)


def test_a_number_that_an_alias_was_moved_to_is_not_given_again(publish: Publish, registry: Registry) -> None:
    publish(seed=0)
    lost = publish(seed=1)
    registry.promote("unified@1.1.0")
    drop(lost)
    assert version_of(publish(seed=2)) == "2.0.0"


def test_a_number_that_was_the_highest_when_an_alias_moved_is_not_given_again(
    publish: Publish, registry: Registry
) -> None:
    publish(seed=0)
    lost = publish(seed=1)
    registry.rollback("unified")
    drop(lost)
    assert str(registry.exact("unified")) == "unified@1.0.0"
    new = publish(seed=2)
    assert version_of(new) == "2.0.0"
    # What was held is held no longer: something newer is there.
    assert registry.exact("unified") == new.ref
    assert registry.aliases("unified") == {"latest": Version(2, 0, 0)}


def test_damaged_moves_and_links_do_not_keep_anybody_from_publishing(publish: Publish, registry: Registry) -> None:
    publish(seed=0)
    lost = publish(seed=1)
    for version in ("1.0.0", "1.1.0", "1.0.0"):
        registry.promote(f"unified@{version}")
    drop(lost)
    for number in (1, 3):
        (registry.path / f"unified/aliases/production/{number}.json").write_text("{")
    (registry.path / "unified/aliases/canary").symlink_to(registry.path)
    assert version_of(publish(seed=2)) == "2.0.0"


@pytest.mark.parametrize("how", ["lineage", "merged_from"])
def test_a_number_that_something_was_built_on_is_not_given_to_other_weights(
    publish: Publish, registry: Registry, how: str
) -> None:
    publish(seed=0)
    lost = publish(seed=1)
    if how == "lineage":
        publish("grandchild", seed=8, on=publish("child", seed=9, on=lost))
        shutil.rmtree(registry.path / "child")
    else:
        publish("merged", seed=9, merged_from=(LineageMember(lost.ref, lost.manifest.weights_digest),))
    drop(lost)
    assert version_of(publish(seed=2)) == "2.0.0"


def test_the_same_weights_take_their_number_again(publish: Publish, registry: Registry) -> None:
    """A parent that was lost and is trained again to the same bits is the parent that its children were built on."""
    parent = publish(seed=0)
    child = publish("child", seed=9, on=parent)
    shutil.rmtree(registry.path / "unified")
    assert not registry.verify(child.ref).ok
    assert version_of(publish(seed=0)) == "1.0.0"
    assert registry.verify(child.ref).ok
    assert version_of(publish(seed=1)) == "1.1.0"


def test_a_neighbour_that_cannot_be_listed_does_not_keep_anybody_from_publishing(
    publish: Publish, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refusing(folder: Path) -> list[Version]:
        with explained(f"Listing {folder}"):
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    publish("other")
    monkeypatch.setattr(numbers, "list_versions", refusing)
    assert version_of(publish()) == "1.0.0"


def test_a_whole_adapter_that_is_gone_does_not_start_anew(publish: Publish, registry: Registry) -> None:
    publish("child", seed=9, on=publish(seed=0))
    shutil.rmtree(registry.path / "unified")
    assert version_of(publish(seed=3)) == "2.0.0"


def test_an_exact_version_may_be_brought_back(publish: Publish, registry: Registry) -> None:
    publish("child", seed=9, on=publish(seed=0))
    shutil.rmtree(registry.path / "unified")
    assert version_of(publish(seed=3, version=Version(1, 0, 0))) == "1.0.0"


@pytest.mark.parametrize(
    "value", ["nonsense", ["unified@5.0.0"], [{"ref": "unified@x", "weights_digest": "0" * 64}], 1]
)
def test_an_odd_manifest_of_somebody_else_counts_for_nothing(publish: Publish, registry: Registry, value: Any) -> None:
    publish(seed=0)
    path = publish("child", seed=9).path / MANIFEST_FILE
    path.write_text(json.dumps({**json.loads(path.read_text()), "lineage": value, "note": "unified@9.0.0"}))
    assert version_of(publish(seed=1)) == "1.1.0"


def test_where_no_number_is_left_nothing_is_published(publish: Publish, registry: Registry) -> None:
    last = registry.path / "unified" / "999999999.999999999.999999999"
    publish(seed=0)
    last.mkdir()
    with pytest.raises(RegistryError, match=r"no number is left after unified@999999999"):
        publish(seed=1)
    assert sorted(path.name for path in Path(last.parent).iterdir()) == ["1.0.0", last.name]


@pytest.mark.parametrize("kind", ["pipe", "file"])
def test_what_stands_in_the_place_of_the_next_version_is_told(publish: Publish, registry: Registry, kind: str) -> None:
    place = publish().path.parent / "1.1.0"
    os.mkfifo(place) if kind == "pipe" else place.touch()
    with pytest.raises(RegistryError, match=r"1\.1\.0 is no folder"):
        publish(seed=1)
