"""Publish an adapter: stage it, verify it, rename it into place; of racing publishers each gets its own version."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime

from adapterkit.artifacts import (
    Artifact,
    ArtifactDraft,
    Measured,
    manifest_of,
    measure_sound,
    read_verified,
    without_secrets,
    write_artifact,
)
from adapterkit.errors import AdapterKitError, RegistryError, VersionTakenError
from adapterkit.lineage import Lineage
from adapterkit.manifest import Manifest
from adapterkit.names import LAST_NUMBER, AdapterRef, Version
from adapterkit.registry.finding import intact
from adapterkit.registry.layout import refuse_links
from adapterkit.registry.numbers import numbers_given
from adapterkit.registry.shelf import Shelf
from adapterkit.registry.versioning import VersionFacts, next_version
from adapterkit.stores import (
    adding_to,
    explained,
    flush_place,
    move_into_place,
    remove_stale_staging,
    staging_directory,
)
from adapterkit.texts import listed


@dataclass(frozen=True)
class Published(Artifact):
    """The artifact that holds a draft's adapter; `new` is False when it was there already."""

    new: bool


def publish(registry: Shelf, draft: ArtifactDraft, version: Version | None = None) -> Published:
    """Make a draft an artifact of the registry.

    When an intact artifact of this name has the same run key and the same weights, that one is returned and nothing is
    written; with a version given, only that version is looked at. Otherwise nothing can be seen under the version's
    name until everything in it has been verified. What publishers left that died on the way is removed first.

    Args:
        registry: where.
        draft: what.
        version: publish exactly this version, not the next one.

    Raises:
        ArtifactError: the adapter or what is said of it is not fit to be published; every problem is listed.
        VersionTakenError: the given version holds another adapter; of racing publishers of one version all but one.
        RegistryError: an ancestor is missing, damaged or another one than the draft names, or the disk refuses.
    """
    with explained(f"Publishing '{draft.name}' in {registry.path}"):
        draft, measured = without_secrets(draft), measure_sound(draft.adapter_dir)
        with adding_to(registry.path):
            return _publish(registry, draft, measured, version)


def _publish(registry: Shelf, draft: ArtifactDraft, measured: Measured, version: Version | None) -> Published:
    refuse_links(registry.path / draft.name)
    for parent in (registry.path, registry.path / draft.name):
        remove_stale_staging(parent)
    _check_ancestors(registry, draft)
    if version is not None:
        return _publish_exactly(registry, draft, measured, version)
    while True:
        if (artifact := _same(registry, draft, measured)) is not None:
            return _there_already(artifact)
        if published := _publish_at(registry, draft, measured, _next_version(registry, draft, measured)):
            return published


def _same(registry: Shelf, draft: ArtifactDraft, measured: Measured) -> Artifact | None:
    made_alike = intact(registry, draft.name, draft.run_key)
    return next((found for found in made_alike if found.manifest.weights_digest == measured.digest), None)


def _publish_exactly(registry: Shelf, draft: ArtifactDraft, measured: Measured, version: Version) -> Published:
    if version not in registry.versions(draft.name) and (published := _publish_at(registry, draft, measured, version)):
        return published
    ref = AdapterRef(draft.name, version)
    try:
        artifact = registry.artifact(ref)
    except AdapterKitError:
        artifact = None
    if artifact and (artifact.manifest.run_key, artifact.manifest.weights_digest) == (draft.run_key, measured.digest):
        return _there_already(artifact)
    raise VersionTakenError(str(ref), registry.path)


def _publish_at(registry: Shelf, draft: ArtifactDraft, measured: Measured, version: Version) -> Published | None:
    """Publish one version; None when somebody else has just taken it."""
    manifest = manifest_of(draft, measured, version, datetime.now(UTC).isoformat(timespec="seconds"))
    folder = registry.path / draft.name
    target = folder / str(version)
    with staging_directory(folder) as staged:
        write_artifact(draft, measured, manifest, staged, str(registry.path))
        verified = read_verified(staged)
        if move_into_place(staged, target):
            return Published(target, verified.manifest, verified.digest, new=True)
    if target.is_symlink() or (os.path.lexists(target) and not target.is_dir()):
        raise RegistryError(f"{target} is no folder, and so no version, but stands in the place of one. Move it away.")
    return None


def _there_already(artifact: Artifact) -> Published:
    """What an earlier publisher put in place; it may have died, or been refused, before the flush."""
    flush_place(artifact.path)
    return Published(artifact.path, artifact.manifest, artifact.digest, new=False)


def _next_version(registry: Shelf, draft: ArtifactDraft, measured: Measured) -> Version:
    """The version after the highest that was ever given, as far as anything remembers; see `numbers_given`."""
    given = numbers_given(registry.path, draft.name)
    there = registry.versions(draft.name)
    latest = max([*there, *given], default=None)
    if latest is not None and latest not in there and given[latest] == {measured.digest}:
        return latest  # The very weights that others were built on under this number: it means them again.
    facts = VersionFacts(draft.base.identity, draft.parents, measured.shape, draft.started_from)
    chosen = next_version(latest, _manifest_or_none(registry, draft.name, latest), facts)
    if max(chosen.major, chosen.minor, chosen.patch) > LAST_NUMBER:
        raise RegistryError(
            f"'{draft.name}' cannot be published: no number is left after {draft.name}@{latest}, which was probably "
            "made by hand. Remove its folder, or what was built on it, or publish a version of your own choice."
        )
    return chosen


def _manifest_or_none(registry: Shelf, name: str, version: Version | None) -> Manifest | None:
    try:
        return registry.manifest(AdapterRef(name, version)) if version else None
    except AdapterKitError:
        return None


def _check_ancestors(registry: Shelf, draft: ArtifactDraft) -> None:
    """Refuse to publish what could not be verified afterwards."""
    if problems := registry.ancestor_problems(Lineage(draft.base.identity, draft.parents), draft.parents):
        raise RegistryError(
            f"'{draft.name}' cannot be published in {registry.path}: its ancestors do not hold.{listed(problems)}\n"
            "Train it again on the parents that the registry holds, or bring the missing ones back."
        )
