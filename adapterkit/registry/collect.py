"""Collect what nobody needs any more: old versions, and what a killed publisher left behind."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from adapterkit.errors import AdapterKitError, RefNotFoundError, RegistryError, UsageError
from adapterkit.manifest import Manifest
from adapterkit.names import AdapterRef, Version
from adapterkit.registry.aliases import ALIASES_FOLDER, LATEST, alias_moves, alias_names
from adapterkit.registry.layout import folders_of
from adapterkit.registry.pointing import goes_back_to, pointed_at
from adapterkit.registry.shelf import Shelf
from adapterkit.stores import (
    explained,
    remove_stale_staging,
    staging_directory,
    stale_staging,
    sync_directory,
    taking_from,
)
from adapterkit.texts import in_registry

# How many versions of each adapter stay without any further reason.
KEEP = 3
# Locks of other machines may not be visible here; nobody stages for so long.
ABANDONED = timedelta(days=1)


@dataclass(frozen=True)
class Collection:
    """What can go, and why the rest stays.

    Attributes:
        versions: exact refs that nothing needs, children before their parents.
        kept: every other exact ref, with the reason.
        left_behind: staging folders of processes that are dead.
        bytes: how much the files hold that go; of one with a further name that stays, nothing goes free.
    """

    versions: tuple[AdapterRef, ...]
    kept: Mapping[AdapterRef, str]
    left_behind: tuple[Path, ...]
    bytes: int


def plan_collection(registry: Shelf, *, keep: int) -> Collection:
    """Find what nothing needs. Nothing is changed.

    What stays: of each adapter the newest `keep` versions, whatever an alias means or would mean after a rollback, and
    all that something that stays was built on.

    Raises:
        UsageError: `keep` is less than 1.
        RegistryError: a manifest or the history of an alias cannot be read, so that nobody knows what is needed.
    """
    return _plan(registry, keep)


def _plan(registry: Shelf, keep: int, chosen: Collection | None = None) -> Collection:
    """What nothing needs; of that, what was chosen, and nothing that a version outside the choice was built on."""
    if keep < 1:
        raise UsageError(
            f"keep={keep}: of each adapter at least 1 version stays. To be rid of one: adapterkit remove NAME@VERSION"
        )
    manifests = manifests_of(registry)
    kept: dict[AdapterRef, str] = {}
    for name in registry.names():
        for version, why in _wanted(registry, name, keep):
            kept.setdefault(AdapterRef(name, version), why)
    _keep_ancestors(kept, manifests)
    if chosen is not None:
        unplanned = manifests.keys() - kept.keys() - set(chosen.versions)
        kept |= dict.fromkeys(sorted(unplanned, key=str), "it was not among what was planned to go")
        _keep_ancestors(kept, manifests)
    doomed = [ref for ref in manifests if ref not in kept]
    doomed.sort(key=lambda ref: (-len(manifests[ref].lineage.members), str(ref)))
    rest = tuple(
        path for folder in _staging_places(registry) for path in stale_staging(folder, abandoned_after=ABANDONED)
    )
    size = bytes_of([*(folder_of(registry, ref) for ref in doomed), *rest])
    return Collection(tuple(doomed), kept, rest, size)


def collect(registry: Shelf, planned: Collection, *, keep: int) -> Collection:
    """Remove what was planned, as far as nothing needs it still; nobody can publish or move an alias meanwhile.

    Raises:
        RegistryError: as `plan_collection`; or the disk refuses, and what was not removed is whole.
    """
    if not (planned.versions or planned.left_behind or os.path.isdir(registry.path)):
        return planned  # The lock would make the folder.
    with taking_from(registry.path):
        now = _plan(registry, keep, planned)
        doomed = [*(folder_of(registry, ref) for ref in now.versions), *now.left_behind]
        before = bytes_of(doomed)
        for ref in now.versions:
            take_away(registry, ref)
        gone = [
            path
            for folder in _staging_places(registry)
            for path in remove_stale_staging(folder, abandoned_after=ABANDONED)
        ]
        freed = before - bytes_of(doomed)
    return Collection(now.versions, now.kept, tuple(gone), freed)


def manifests_of(registry: Shelf, *, besides: AdapterRef | None = None) -> dict[AdapterRef, Manifest]:
    """Every manifest, of all adapters.

    Args:
        registry: where they stand.
        besides: one that nobody asks what it needs; it may be damaged.

    Raises:
        RegistryError: one cannot be read, so that nobody knows what it needs.
    """
    found: dict[AdapterRef, Manifest] = {}
    unreadable: dict[AdapterRef, AdapterKitError] = {}
    for name in registry.names():
        for ref in (AdapterRef(name, version) for version in registry.versions(name)):
            if ref == besides:
                continue
            try:
                found[ref] = registry.manifest(ref)
            except RefNotFoundError:
                continue  # Somebody else has collected it since it was listed.
            except AdapterKitError as error:
                unreadable[ref] = error
    if unreadable:
        refs = [str(ref) for ref in unreadable]
        raise RegistryError(
            f"What {', '.join(refs[:5])} needs cannot be read ({len(refs)} in all); nothing is removed. The first: "
            f"{unreadable[next(iter(unreadable))]}. Restore or delete them first; see: "
            f"{in_registry(f'adapterkit verify {refs[0]}', registry.path)}"
        )
    return found


def _wanted(registry: Shelf, name: str, keep: int) -> Iterator[tuple[Version, str]]:
    versions, folder = registry.versions(name), registry.path / name
    for alias in sorted({LATEST, *alias_names(folder)}):
        try:
            moves = alias_moves(folder, alias)
        except RegistryError as error:
            raise RegistryError(f"{error}. Nothing is collected until then: nobody knows what it points at.") from error
        means = pointed_at(alias, moves[-1] if moves else None, versions)
        if means in versions:
            yield means, f"{name}@{alias}"
        if (back := goes_back_to(alias, moves, versions)) is not None:
            yield back, f"a rollback of {name}@{alias} leads to it"
    yield from ((version, f"one of the newest {keep}") for version in versions[-keep:])


def _keep_ancestors(kept: dict[AdapterRef, str], manifests: Mapping[AdapterRef, Manifest]) -> None:
    """Keep all that what is kept was built on."""
    reasons = list(kept)
    for ref in reasons:
        # A version that was published since the manifests were read is not doomed, and nor is what it was built on: the
        # plan is made again when nobody can publish.
        for needed in needs_of(manifests[ref]) if ref in manifests else ():
            if needed not in kept:
                kept[needed] = f"{ref} was built on it"
                reasons.append(needed)


def needs_of(manifest: Manifest) -> Iterable[AdapterRef]:
    """What an adapter was built on, or merged from."""
    return (member.ref for member in (*manifest.lineage.parents, *manifest.merged_from))


def take_away(registry: Shelf, ref: AdapterRef) -> None:
    """Rename a version away in one step, then delete it: no reader ever meets half of one."""
    folder = folder_of(registry, ref)
    with staging_directory(folder.parent) as away, explained(f"Removing {folder}"):
        with suppress(FileNotFoundError):  # Somebody removed it by hand.
            os.rename(folder, away / folder.name)
        sync_directory(folder.parent)


def _staging_places(registry: Shelf) -> Iterator[Path]:
    """Every folder in which something is staged: the registry's, each adapter's, and where its aliases move."""
    yield registry.path
    for name in folders_of(registry.path):
        folder = registry.path / name
        yield folder
        if ALIASES_FOLDER in folders_of(folder):
            yield from (folder / ALIASES_FOLDER / alias for alias in folders_of(folder / ALIASES_FOLDER))


def folder_of(registry: Shelf, ref: AdapterRef) -> Path:
    """Of one version."""
    return registry.path / ref.name / str(ref.selector)


def bytes_of(paths: Iterable[Path]) -> int:
    """How much goes free with some folders: a file that bears another name elsewhere stays, and counts once here.

    What vanishes meanwhile does not count, for whoever is publishing clears up too.
    """
    names: Counter[tuple[int, int]] = Counter()
    found: dict[tuple[int, int], os.stat_result] = {}
    for path in paths:
        with explained(f"Measuring {path}"):
            for file in (os.path.join(folder, name) for folder, _, files in os.walk(path) for name in files):
                with suppress(FileNotFoundError, NotADirectoryError):
                    stat = os.lstat(file)
                    names[stat.st_dev, stat.st_ino] += 1
                    found[stat.st_dev, stat.st_ino] = stat
    return sum(stat.st_size for file, stat in found.items() if names[file] >= stat.st_nlink)
