"""From a ref to an exact version: what a name, a version or an alias leads to."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from adapterkit.errors import RefNotFoundError, RegistryError
from adapterkit.names import AdapterRef, Version, nearest
from adapterkit.registry.aliases import LATEST, ROLLBACK, AliasMove, alias_names, last_move
from adapterkit.registry.layout import list_names, list_versions, refuse_links
from adapterkit.registry.pointing import pointed_at
from adapterkit.texts import in_registry


@dataclass(frozen=True)
class Resolved:
    """Where a ref leads.

    Attributes:
        ref: the exact ref; its selector is a version.
        path: the artifact's directory.
        artifact_digest: which artifact it must be, when an alias was moved there; null where no move says so.
    """

    ref: AdapterRef
    path: Path
    artifact_digest: str | None = None

    @property
    def version(self) -> Version:
        """The exact version."""
        assert isinstance(self.ref.selector, Version)
        return self.ref.selector


@dataclass(frozen=True)
class Pointer:
    """An alias, the version that it means (null: none that is there), and what is wrong with it (null: nothing)."""

    alias: str
    version: Version | None
    problem: str | None = None


def resolve(registry: Path, ref: AdapterRef) -> Resolved:
    """Find the exact version that a ref means in a registry's folder.

    Raises:
        RefNotFoundError: there is no such adapter, version or alias; the error names the nearest.
        RegistryError: the history of the alias is damaged, or a folder cannot be listed, or is a link.
    """
    refuse_links(registry / ref.name)
    versions = list_versions(registry / ref.name)
    chosen, bound = _chosen(registry / ref.name, ref, versions)
    if chosen is None or chosen not in versions:
        raise _not_found(registry, ref, versions)
    return Resolved(AdapterRef(ref.name, chosen), registry / ref.name / str(chosen), bound)


def aliases(registry: Path, name: str) -> dict[str, Version]:
    """Every alias of an adapter and the version it means, `latest` included; those that lead nowhere are left out.

    Raises:
        RegistryError: the history of an alias is damaged, or a folder cannot be listed.
    """
    folder = registry / name
    versions = list_versions(folder)
    found = {alias: _chosen(folder, AdapterRef(name, alias), versions)[0] for alias in (LATEST, *alias_names(folder))}
    return {alias: version for alias, version in sorted(found.items()) if version is not None and version in versions}


def pointers(registry: Path, name: str) -> list[Pointer]:
    """Every alias of an adapter, `latest` included, and what is wrong with it: for tables, which show what they can."""
    folder = registry / name
    try:
        versions = list_versions(folder)
        names = {LATEST, *alias_names(folder)}
    except RegistryError as error:
        return [Pointer(LATEST, None, str(error))]
    found = [_pointer(folder, alias, versions) for alias in sorted(names)]
    return [pointer for pointer in found if pointer.version or pointer.problem]


def meaning(folder: Path, alias: str, versions: Sequence[Version]) -> tuple[Version | None, AliasMove | None]:
    """The version that an alias means, whether or not it exists, and the newest move.

    Raises:
        RegistryError: the history of the alias is damaged, or cannot be listed.
    """
    move = last_move(folder, alias)
    return pointed_at(alias, move, versions), move


def given_up(folder: Path, versions: Sequence[Version]) -> list[Version]:
    """The versions that somebody rolled `latest` back from; none once something newer was published, or promoted.

    Raises:
        RegistryError: the history of the alias is damaged, or cannot be listed.
    """
    means, move = meaning(folder, LATEST, versions)
    if move is None or means is None or move.action != ROLLBACK or move.version != means:
        return []
    return [version for version in versions if version > means]


def newest_refs(name: str, versions: Sequence[Version]) -> list[str]:
    """The refs of the newest three versions, newest first: for a message that names the nearest."""
    return [f"{name}@{version}" for version in reversed(versions[-3:])]


def _pointer(folder: Path, alias: str, versions: Sequence[Version]) -> Pointer:
    try:
        means, move = meaning(folder, alias, versions)
    except RegistryError as error:
        return Pointer(alias, None, str(error))
    if move is None or move.version in versions or (means is not None and means > move.highest):
        return Pointer(alias, means)
    instead = f", and {means} is meant, the highest" if means in versions else ""
    return Pointer(
        alias,
        means if means in versions else None,
        f"{folder.name}@{alias} was moved to {move.version}, which is gone{instead}. Bring that back, or point the "
        f"alias at another: {in_registry(f'adapterkit promote {folder.name}@VERSION --to {alias}', folder.parent)}",
    )


def _chosen(folder: Path, ref: AdapterRef, versions: list[Version]) -> tuple[Version | None, str | None]:
    """The version that a ref means, and the artifact digest that the alias was moved to."""
    if isinstance(ref.selector, Version):
        return ref.selector, None
    alias = LATEST if ref.selector is None else ref.selector
    chosen, move = meaning(folder, alias, versions)
    return chosen, move.artifact_digest if move is not None and move.version == chosen else None


def _not_found(registry: Path, ref: AdapterRef, versions: list[Version]) -> RefNotFoundError:
    if isinstance(ref.selector, str) and (astray := _pointer(registry / ref.name, ref.selector, versions).problem):
        return RefNotFoundError(str(ref), registry, newest_refs(ref.name, versions), why=astray)
    if versions:
        return RefNotFoundError(str(ref), registry, _refs_meant(registry, ref, versions))
    close = nearest(ref.name, list_names(registry))
    # The version or alias was said of a name that is not there, and may be right.
    meant = [f"{name}@{ref.selector}" if str(ref.selector) in _selectors(registry, name) else name for name in close]
    return RefNotFoundError(str(ref), registry, meant)


def _refs_meant(registry: Path, ref: AdapterRef, versions: Sequence[Version]) -> list[str]:
    """The refs of an adapter whose alias or version looks like one that is not there; else its newest versions."""
    close = nearest(str(ref.selector), _selectors(registry, ref.name))
    return [f"{ref.name}@{each}" for each in close] or newest_refs(ref.name, versions)


def _selectors(registry: Path, name: str) -> list[str]:
    """What may stand behind the `@` of an adapter's refs; a damaged history is somebody else's to tell of."""
    with suppress(RegistryError):
        return [*aliases(registry, name), *map(str, list_versions(registry / name))]
    return []
