"""What became of an adapter: every version with what changed in it, and every move of an alias."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from adapterkit.errors import AdapterKitError
from adapterkit.manifest import Manifest
from adapterkit.names import AdapterRef, Version
from adapterkit.registry.aliases import alias_moves, alias_names
from adapterkit.registry.shelf import Shelf
from adapterkit.registry.versioning import replaced_parts

PUBLISHED = "published"


@dataclass(frozen=True)
class Event:
    """One thing that happened to an adapter.

    Attributes:
        at: UTC time, ISO 8601; empty where the manifest cannot be read.
        what: `published`, `promote` or `rollback`.
        version: the version that was published, or that an alias points at from then on.
        alias: the alias that moved; null for a publishing.
        note: for a publishing, what changed since the version before it.
    """

    at: str
    what: str
    version: Version
    alias: str | None
    note: str


def history_of(registry: Shelf, name: str) -> list[Event]:
    """Everything that happened to an adapter, oldest first.

    Raises:
        RegistryError: the history of an alias is damaged.
    """
    # Sorting is stable: what happened within one second stays in the order of versions, then of moves.
    return sorted([*_publishings(registry, name), *_moves(registry.path / name)], key=lambda event: event.at)


def _publishings(registry: Shelf, name: str) -> Iterator[Event]:
    before: Manifest | None = None
    for version in registry.versions(name):
        try:
            manifest = registry.manifest(AdapterRef(name, version))
        except AdapterKitError as error:
            yield Event("", PUBLISHED, version, None, f"BROKEN: {error}")
            continue
        yield Event(manifest.created, PUBLISHED, version, None, _note(before, manifest))
        before = manifest


def _moves(folder: Path) -> Iterator[Event]:
    for alias in alias_names(folder):
        yield from (Event(move.at, move.action, move.version, alias, "") for move in alias_moves(folder, alias))


def _note(before: Manifest | None, now: Manifest) -> str:
    if before is None:
        return "first"
    changed = replaced_parts(before, now.lineage.base, now.lineage.parents, now.adapter)
    if now.started_from is not None and now.started_from == before.weights_digest:
        return "trained on from the version before"
    if now.data.digest != before.data.digest:
        changed.append("data")
    if now.recipe is not None and before.recipe is not None and now.recipe.settings != before.recipe.settings:
        changed.append("settings")
    if not changed:
        changed = ["weights"] if now.weights_digest != before.weights_digest else ["nothing but the run key"]
    return "changed: " + ", ".join(changed)
