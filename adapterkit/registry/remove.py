"""Remove one version: a bad update that was rolled back, or what somebody asked to be forgotten."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from adapterkit.errors import NeededError, UsageError
from adapterkit.names import AdapterRef, Version
from adapterkit.registry.aliases import LATEST, alias_moves, alias_names
from adapterkit.registry.collect import bytes_of, folder_of, manifests_of, needs_of, take_away
from adapterkit.registry.pointing import goes_back_to, pointed_at
from adapterkit.registry.shelf import Shelf
from adapterkit.stores import remove_stale_staging, taking_from
from adapterkit.texts import in_registry, listed


@dataclass(frozen=True)
class Removed:
    """One version that went, or would go.

    Attributes:
        ref: exact.
        bytes: how much goes free; of a file with a further name that stays, nothing does.
        led_back: each alias that a rollback would have pointed at it, with where one leads without it; null: nowhere.
    """

    ref: AdapterRef
    bytes: int
    led_back: Mapping[str, Version | None] = field(default_factory=dict)


def remove(registry: Shelf, ref: AdapterRef | str, *, apply: bool) -> Removed:
    """Remove one exact version, intact or damaged, that no alias means and on which nothing was built.

    Nobody can publish or move an alias meanwhile. Its number is not given again.

    Args:
        registry: where it stands.
        ref: `name@1.2.0`.
        apply: do it; else say what would go.

    Raises:
        UsageError: it is no exact version, or the only one of its adapter.
        RefNotFoundError: there is no such version.
        NeededError: an alias means it, or something was built on it.
        RegistryError: what something needs cannot be read, or the disk refuses.
    """
    target = _exact(registry, ref)
    if not apply:
        return _looked_at(registry, target)
    with taking_from(registry.path):
        found = _looked_at(registry, target)
        remove_stale_staging(registry.path / target.name)
        take_away(registry, target)
    return found


def _exact(registry: Shelf, ref: AdapterRef | str) -> AdapterRef:
    ref = AdapterRef.parse(ref) if isinstance(ref, str) else ref
    if not isinstance(ref.selector, Version):
        means = registry.exact(ref)
        raise UsageError(f"'{ref}' may mean another version tomorrow. Name the one to remove, such as {means}")
    return registry.exact(ref)


def _looked_at(registry: Shelf, target: AdapterRef) -> Removed:
    """What would go.

    Raises:
        UsageError, NeededError, RegistryError: as `remove`.
    """
    registry.exact(target)
    built, alone = list(_built_on(registry, target)), len(registry.versions(target.name)) == 1
    if alone and not built:
        raise UsageError(
            f"{target} is the only version of '{target.name}'. To be rid of the adapter, remove its folder: "
            f"{registry.path / target.name}"
        )
    if needs := [*(() if alone else _meant_by(registry, target)), *built]:
        raise NeededError(str(target), needs, f"{target} is needed, and stays.{listed(needs)}")
    return Removed(target, bytes_of([folder_of(registry, target)]), dict(_led_back(registry, target)))


def _meant_by(registry: Shelf, target: AdapterRef) -> Iterator[str]:
    folder, versions = registry.path / target.name, registry.versions(target.name)
    for alias in sorted({LATEST, *alias_names(folder)}):
        moves = alias_moves(folder, alias)
        if pointed_at(alias, moves[-1] if moves else None, versions) == target.selector:
            if goes_back_to(alias, moves, versions) is not None:
                move = f"adapterkit rollback {target.name if alias == LATEST else f'{target.name}@{alias}'}"
            else:
                other = next(version for version in reversed(versions) if version != target.selector)
                move = f"adapterkit promote {target.name}@{other} --to {alias}"
            yield f"{target.name}@{alias} means it. To point that elsewhere: {in_registry(move, registry.path)}"


def _led_back(registry: Shelf, target: AdapterRef) -> Iterator[tuple[str, Version | None]]:
    folder, versions = registry.path / target.name, registry.versions(target.name)
    left = [version for version in versions if version != target.selector]
    for alias in sorted({LATEST, *alias_names(folder)}):
        moves = alias_moves(folder, alias)
        if goes_back_to(alias, moves, versions) == target.selector:
            yield alias, goes_back_to(alias, moves, left)


def _built_on(registry: Shelf, target: AdapterRef) -> Iterator[str]:
    for ref, manifest in manifests_of(registry, besides=target).items():
        if target in needs_of(manifest):
            if len(registry.versions(ref.name)) > 1:
                first = f"To remove that first: {in_registry(f'adapterkit remove {ref}', registry.path)}"
            else:
                first = f"It is the only version of '{ref.name}'. Remove its folder first: {registry.path / ref.name}"
            yield f"{ref} was built on it. {first}"
