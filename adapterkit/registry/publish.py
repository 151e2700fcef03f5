"""Publish an adapter: stage it, verify it, rename it into place; of racing publishers each gets its own version."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from adapterkit.artifacts import (
    Artifact,
    ArtifactDraft,
    Measured,
    Problem,
    manifest_of,
    measure_sound,
    read_verified,
    write_artifact,
)
from adapterkit.errors import AdapterKitError, RegistryError
from adapterkit.lineage import Lineage, LineageMember
from adapterkit.manifest import Manifest
from adapterkit.names import AdapterRef, Version
from adapterkit.registry.versioning import VersionFacts, next_version
from adapterkit.stores import adding_to, move_into_place, staging_directory


class Shelf(Protocol):
    """What publishing asks of a registry; `Registry` is one."""

    path: Path

    def versions(self, name: str) -> list[Version]:
        """The versions of an adapter, oldest first."""

    def manifest(self, ref: AdapterRef | str) -> Manifest:
        """What an exact version says of itself."""

    def find_same(self, name: str, run_key: str, weights_digest: str) -> Artifact | None:
        """The newest intact artifact with a run key and these very weights."""

    def ancestor_problems(self, lineage: Lineage, parents: tuple[LineageMember, ...]) -> list[Problem]:
        """What is wrong with the ancestors that a lineage names."""


@dataclass(frozen=True)
class Published(Artifact):
    """The artifact that holds a draft's adapter; `new` is False when it was there already."""

    new: bool


def publish(registry: Shelf, draft: ArtifactDraft) -> Published:
    """Make a draft an artifact of the registry.

    When an intact artifact of this name has the same run key and the same weights, that one is returned and nothing is
    written. Otherwise nothing can be seen under the version's name until everything in it has been verified.

    Raises:
        ArtifactError: the adapter or what is said of it is not fit to be published; every problem is listed.
        RegistryError: an ancestor is missing, damaged or another one than the draft names, or the disk refuses.
    """
    measured = measure_sound(draft.adapter_dir)
    with adding_to(registry.path):
        return _publish(registry, draft, measured)


def _publish(registry: Shelf, draft: ArtifactDraft, measured: Measured) -> Published:
    _check_ancestors(registry, draft)
    while True:
        if (artifact := registry.find_same(draft.name, draft.run_key, measured.digest)) is not None:
            return Published(artifact.path, artifact.manifest, artifact.digest, new=False)
        if (published := _publish_once(registry, draft, measured)) is not None:
            return published


def _publish_once(registry: Shelf, draft: ArtifactDraft, measured: Measured) -> Published | None:
    """Publish at the next version; None when somebody else has just taken it."""
    version = _next_version(registry, draft, measured)
    manifest = manifest_of(draft, measured, version, datetime.now(UTC).isoformat(timespec="seconds"))
    folder = registry.path / draft.name
    with staging_directory(folder) as staged:
        write_artifact(draft, measured, manifest, staged, str(registry.path))
        verified = read_verified(staged)
        target = folder / str(version)
        published = Published(target, verified.manifest, verified.digest, new=True)
        return published if move_into_place(staged, target) else None


def _next_version(registry: Shelf, draft: ArtifactDraft, measured: Measured) -> Version:
    latest = max(registry.versions(draft.name), default=None)
    facts = VersionFacts(draft.base.identity, draft.parents, measured.shape, draft.started_from)
    return next_version(latest, _manifest_or_none(registry, draft.name, latest), facts)


def _manifest_or_none(registry: Shelf, name: str, version: Version | None) -> Manifest | None:
    try:
        return registry.manifest(AdapterRef(name, version)) if version else None
    except AdapterKitError:
        return None


def _check_ancestors(registry: Shelf, draft: ArtifactDraft) -> None:
    """Refuse to publish what could not be verified afterwards."""
    if problems := registry.ancestor_problems(Lineage(draft.base.identity, draft.parents), draft.parents):
        listed = "".join(f"\n  {problem}" for problem in problems)
        raise RegistryError(
            f"'{draft.name}' cannot be published in {registry.path}: its ancestors do not hold.{listed}\n"
            "Train it again on the parents that the registry holds, or bring the missing ones back."
        )
