"""What became of an adapter: every version with what changed in it, and every move of an alias."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from adapterkit.errors import AdapterKitError, RegistryError
from adapterkit.manifest import Manifest
from adapterkit.names import AdapterRef, Version
from adapterkit.registry.aliases import LATEST, AliasMove, alias_names, alias_records
from adapterkit.registry.shelf import Shelf
from adapterkit.registry.versioning import FIRST, VersionFacts, next_version, replaced_parts

PUBLISHED, DAMAGED = "published", "damaged"
GONE = "a version that is gone"


@dataclass(frozen=True)
class Event:
    """One thing that happened to an adapter.

    Attributes:
        at: UTC time, ISO 8601; empty where the manifest, or the move, cannot be read.
        what: `published`, `promote`, `rollback`, or `damaged` for a move that cannot be read.
        version: the version that was published, or that an alias points at from then on; null where nobody knows.
        alias: the alias that moved; null for a publishing.
        note: for a publishing, what changed since the version before it; for a move, whether the version is gone since;
            what is wrong with what cannot be read.
        test_loss: of a publishing, in nats a token on rows never trained on; null where none was measured.
    """

    at: str
    what: str
    version: Version | None
    alias: str | None
    note: str
    test_loss: float | None = None


def history_of(registry: Shelf, name: str) -> list[Event]:
    """Everything that happened to an adapter, oldest first.

    Raises:
        RegistryError: the adapter's folder cannot be listed.
    """
    folder = registry.path / name
    timed = _timed(_publishings(registry, name))
    try:
        aliases = alias_names(folder)
    except RegistryError as error:
        timed.append(("", Event("", DAMAGED, None, LATEST, str(error))))
        aliases = []
    for alias in aliases:
        timed += _timed(_moves(folder, alias, registry.versions(name)))
    # Sorting is stable: what happened within one second stays in the order of versions, then of moves.
    return [event for _, event in sorted(timed, key=lambda pair: pair[0])]


def _timed(events: Iterable[Event]) -> list[tuple[str, Event]]:
    """Each with the time that it sorts by: what cannot be read stands where its number puts it."""
    events = list(events)
    last, found = next((event.at for event in events if event.at), ""), []
    for event in events:
        last = event.at or last
        found.append((last, event))
    return found


def _publishings(registry: Shelf, name: str) -> Iterator[Event]:
    before: Manifest | None = None
    weights: dict[str, Version] = {}
    for position, version in enumerate(registry.versions(name)):
        try:
            manifest = registry.manifest(AdapterRef(name, version))
        except AdapterKitError as error:
            yield Event("", PUBLISHED, version, None, f"BROKEN: {error}")
            continue
        yield Event(
            manifest.created,
            PUBLISHED,
            version,
            None,
            _note(before, manifest, weights) + _leap(before, manifest) if before else _opening(version, position),
            manifest.metrics.get("test_loss"),
        )
        before = manifest
        weights[manifest.weights_digest] = version


def _moves(folder: Path, alias: str, there: Collection[Version]) -> Iterator[Event]:
    try:
        for move in alias_records(folder, alias):
            if isinstance(move, AliasMove):
                yield Event(move.at, move.action, move.version, alias, "" if move.version in there else GONE)
            else:
                yield Event("", DAMAGED, None, alias, move.problem)
    except RegistryError as error:
        yield Event("", DAMAGED, None, alias, str(error))


def _opening(version: Version, position: int) -> str:
    """What is known of a version with which none can be compared, at its place among all that are there."""
    if position > 0:
        return "the earliest that can be read"
    return "first" if version == FIRST else "the earliest that is left"


def _leap(before: Manifest, now: Manifest) -> str:
    """Said of a number that what changed does not explain."""
    facts = VersionFacts(now.lineage.base, now.lineage.parents, now.adapter, now.started_from)
    expected = next_version(before.version, before, facts)
    return (
        ""
        if now.version == expected
        else f"; {expected} would come next: those between are gone, or the number was chosen"
    )


def _note(before: Manifest, now: Manifest, weights: Mapping[str, Version]) -> str:
    changed = replaced_parts(before, now.lineage.base, now.lineage.parents, now.adapter)
    if now.started_from is not None:
        return f"trained on from {weights.get(now.started_from, GONE)}"
    if now.data.digest != before.data.digest:
        changed.append("data")
    if now.recipe is not None and before.recipe is not None and now.recipe.settings != before.recipe.settings:
        changed.append("settings")
    if not changed:
        changed = ["weights"] if now.weights_digest != before.weights_digest else ["nothing but the run key"]
    return "changed: " + ", ".join(changed)
