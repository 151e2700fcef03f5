"""Removing one version: never what an alias means, nor what something stands on; and its number is not given again."""

from __future__ import annotations

import pytest

from adapterkit.errors import NeededError, RefNotFoundError, RegistryError, UsageError
from adapterkit.manifest import WEIGHTS_FILE
from adapterkit.names import AdapterRef
from adapterkit.names import Version as V
from adapterkit.registry import Registry, history_of
from tests.registry.conftest import Publish
from tests.registry.tables import plain, run


def versions(registry: Registry, name: str = "unified") -> list[str]:
    return [str(version) for version in registry.versions(name)]


def test_a_bad_update_is_rolled_back_and_removed(publish: Publish, registry: Registry) -> None:
    publish(seed=0), publish(seed=1)
    registry.rollback("unified")
    told = registry.remove("unified@1.1.0", apply=False)
    assert versions(registry) == ["1.0.0", "1.1.0"]
    assert registry.remove("unified@1.1.0") == told
    assert told.bytes > 1000
    assert told.led_back == {}
    assert versions(registry) == ["1.0.0"]
    assert sorted(path.name for path in (registry.path / "unified").iterdir()) == ["1.0.0", "aliases"]
    assert str(registry.exact("unified")) == "unified@1.0.0"
    (moved,) = [event for event in history_of(registry, "unified") if event.alias]
    assert moved.note == ""
    # Nobody knows any more what 1.1.0 was, so that what follows it may be anything else.
    assert str(publish(seed=2).ref) == "unified@2.0.0"
    *_, last = [event for event in history_of(registry, "unified") if not event.alias]
    assert last.note == "changed: weights; 1.1.0 would come next: those between are gone, or the number was chosen"


def test_what_an_alias_means_stays(publish: Publish, registry: Registry) -> None:
    for seed in range(3):
        publish(seed=seed)
    registry.promote("unified@1.0.0")
    registry.promote("unified@1.0.0", "canary")
    with pytest.raises(NeededError) as caught:
        registry.remove("unified@1.0.0")
    assert caught.value.ref == "unified@1.0.0"
    assert [need.split()[0] for need in caught.value.needs] == ["unified@canary", "unified@production"]
    with pytest.raises(NeededError, match=r"adapterkit rollback unified --registry \S+$"):
        registry.remove("unified@1.2.0")
    assert versions(registry) == ["1.0.0", "1.1.0", "1.2.0"]
    registry.promote("unified@1.1.0", "canary")
    registry.promote("unified@1.2.0", "canary")
    assert registry.remove("unified@1.1.0").led_back == {"canary": V(1, 0, 0), "latest": V(1, 0, 0)}
    assert versions(registry) == ["1.0.0", "1.2.0"]
    notes = [event.note for event in history_of(registry, "unified") if event.alias == "canary"]
    assert notes == ["", "a version that is gone", ""]


def test_the_only_version_of_a_parent_is_said_to_be_needed_and_not_to_be_removed_by_hand(
    publish: Publish, registry: Registry
) -> None:
    publish("child", seed=5, on=publish(seed=0))
    with pytest.raises(NeededError) as caught:
        registry.remove("unified@1.0.0")
    first = f"It is the only version of 'child'. Remove its folder first: {registry.path / 'child'}"
    assert caught.value.needs == (f"child@1.0.0 was built on it. {first}",)


def test_what_something_was_built_on_stays(publish: Publish, registry: Registry) -> None:
    first = publish(seed=0)
    child = publish("child", seed=5, on=first)
    publish("grandchild", seed=6, on=child)
    publish("child", seed=7)
    publish(seed=1)
    with pytest.raises(NeededError) as caught:
        registry.remove("unified@1.0.0")
    assert caught.value.needs == (
        f"child@1.0.0 was built on it. To remove that first: adapterkit remove child@1.0.0 --registry {registry.path}",
        "grandchild@1.0.0 was built on it. It is the only version of 'grandchild'. Remove its folder first: "
        f"{registry.path / 'grandchild'}",
    )


def test_what_is_proposed_for_an_alias_can_be_done(publish: Publish, registry: Registry) -> None:
    publish(seed=0), publish(seed=1)
    registry.rollback("unified")
    registry.promote("unified@1.0.0", "canary")
    with pytest.raises(NeededError) as caught:
        registry.remove("unified@1.0.0")
    assert [need.partition(": ")[2] for need in caught.value.needs] == [
        f"adapterkit promote unified@1.1.0 --to {alias} --registry {registry.path}" for alias in ("canary", "latest")
    ]
    for alias in ("canary", "latest"):
        run(registry, "promote", "unified@1.1.0", "--to", alias)
    registry.remove("unified@1.0.0")
    assert versions(registry) == ["1.1.0"]


@pytest.mark.parametrize("ref", ["unified", "unified@latest"])
def test_what_may_mean_another_version_tomorrow_is_refused(publish: Publish, registry: Registry, ref: str) -> None:
    publish(seed=0), publish(seed=1)
    with pytest.raises(UsageError, match=r"such as unified@1\.1\.0"):
        registry.remove(ref)


def test_the_only_version_and_one_that_is_not_there_are_told(publish: Publish, registry: Registry) -> None:
    publish(seed=0)
    with pytest.raises(UsageError, match="only version"):
        registry.remove("unified@1.0.0")
    with pytest.raises(RefNotFoundError):
        registry.remove("unified@2.0.0")
    with pytest.raises(RefNotFoundError):
        Registry(registry.path / "nowhere").remove("unified@1.0.0")
    assert not (registry.path / "nowhere").exists()


def test_a_damaged_version_goes_and_a_damaged_neighbour_keeps_all(publish: Publish, registry: Registry) -> None:
    for seed in range(3):
        publish(seed=seed)
    weights = registry.path / "unified" / "1.1.0" / WEIGHTS_FILE
    weights.write_bytes(b"")
    (weights.parent / "metadata.json").write_text("{")
    with pytest.raises(RegistryError, match="nothing is removed"):
        registry.remove("unified@1.0.0")
    registry.remove(AdapterRef("unified", V(1, 1, 0)))
    assert versions(registry) == ["1.0.0", "1.2.0"]


def test_the_command_tells_what_it_would_do_and_what_to_type(publish: Publish, registry: Registry) -> None:
    publish(seed=0), publish(seed=1), publish(seed=2)
    told = run(registry, "remove", "unified@1.1.0")
    assert told.startswith(
        "A rollback of unified@latest leads to 1.1.0; without that it leads to 1.0.0.\nwould remove unified@1.1.0, "
    )
    assert told.endswith(f"To do it: adapterkit remove unified@1.1.0 --apply --registry {registry.path}\n")
    found = plain(registry, "remove", "unified@1.1.0", "--apply")
    assert (found["applied"], found["ref"], found["led_back"]) == (True, "unified@1.1.0", {"latest": "1.0.0"})
    assert versions(registry) == ["1.0.0", "1.2.0"]
    assert run(registry, "remove", "unified@1.0.0", "--apply").splitlines()[0] == (
        "A rollback of unified@latest led to 1.0.0; now there is nothing to go back to."
    )
    assert versions(registry) == ["1.2.0"]
