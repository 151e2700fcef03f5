"""From a ref to an exact version: what a name, a version or an alias leads to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from adapterkit.errors import RefNotFoundError
from adapterkit.names import AdapterRef, Version, nearest
from adapterkit.registry.aliases import LATEST, alias_names, last_move, pointed_at
from adapterkit.registry.layout import list_names, list_versions


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


def resolve(registry: Path, ref: AdapterRef) -> Resolved:
    """Find the exact version that a ref means in a registry's folder.

    Raises:
        RefNotFoundError: there is no such adapter, version or alias; the error names the nearest.
        RegistryError: the history of the alias is damaged, or a folder cannot be listed.
    """
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


def moved_aliases(folder: Path) -> dict[str, Version]:
    """The aliases of an adapter that somebody moved, without looking at its versions.

    Raises:
        RegistryError: the history of an alias is damaged, or cannot be listed.
    """
    moves = {alias: last_move(folder, alias) for alias in alias_names(folder)}
    return {alias: move.version for alias, move in moves.items() if move is not None}


def _chosen(folder: Path, ref: AdapterRef, versions: list[Version]) -> tuple[Version | None, str | None]:
    """The version that a ref means, and the artifact digest that the alias was moved to."""
    if isinstance(ref.selector, Version):
        return ref.selector, None
    alias = LATEST if ref.selector is None else ref.selector
    move = last_move(folder, alias)
    chosen = pointed_at(alias, move, versions)
    return chosen, move.artifact_digest if move is not None and move.version == chosen else None


def _not_found(registry: Path, ref: AdapterRef, versions: list[Version]) -> RefNotFoundError:
    where = str(registry) if registry.is_dir() else f"{registry} (there is no such folder)"
    if versions:
        newest = [f"{ref.name}@{version}" for version in reversed(versions[-3:])]
        return RefNotFoundError(str(ref), where, newest)
    return RefNotFoundError(str(ref), where, nearest(ref.name, list_names(registry)))
