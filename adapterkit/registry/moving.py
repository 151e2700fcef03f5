"""Promote and roll back: move an alias, but only to what verifies."""

from __future__ import annotations

from dataclasses import dataclass

from adapterkit.errors import ArtifactError, RefNotFoundError, RegistryError, UnknownNameError, UsageError
from adapterkit.names import AdapterRef, Version
from adapterkit.registry.aliases import (
    LATEST,
    PRODUCTION,
    PROMOTE,
    ROLLBACK,
    alias_moves,
    last_number,
    move_alias,
    settle_alias,
)
from adapterkit.registry.pointing import goes_back_to, standing
from adapterkit.registry.shelf import Shelf
from adapterkit.stores import adding_to
from adapterkit.texts import in_registry, listed


@dataclass(frozen=True)
class Moved:
    """An alias of an adapter, where it pointed (null: nowhere) and where it points now; equal when nothing moved."""

    name: str
    alias: str
    before: Version | None
    now: Version


@dataclass(frozen=True)
class _Seen:
    """What a move was decided on: verifying takes a while, and others may publish or move the alias meanwhile."""

    number: int
    highest: Version | None

    @classmethod
    def now(cls, registry: Shelf, name: str, alias: str) -> _Seen:
        versions = registry.versions(name)
        return cls(last_number(registry.path / name, alias), versions[-1] if versions else None)


def promote(registry: Shelf, ref: AdapterRef | str, alias: str) -> Moved:
    """Point an alias at a version that verifies with all its ancestors."""
    _require_no_version(registry, ref, alias)
    _require_no_slip(registry, ref, alias)
    registry.exact(ref)  # before the lock, which would make the folder of a mistyped registry
    with adding_to(registry.path):
        target = registry.exact(ref)
        return _move(registry, target, alias, PROMOTE, _Seen.now(registry, target.name, alias))


def _require_no_version(registry: Shelf, ref: AdapterRef | str, alias: str) -> None:
    try:
        Version.parse(alias)
    except UsageError:
        return
    right = in_registry(f"adapterkit promote {str(ref).partition('@')[0]}@{alias} --to latest", registry.path)
    raise UsageError(f"--to takes an alias, and {alias} is a version. To make that the latest: {right}")


def _require_no_slip(registry: Shelf, ref: AdapterRef | str, alias: str) -> None:
    """Refuse what is a known alias but for two letters that changed places, or one that is missing."""
    for known in (LATEST, PRODUCTION):
        shortened = (known[:place] + known[place + 1 :] for place in range(len(known)))
        if alias != known and (sorted(alias) == sorted(known) or alias in shortened):
            right = in_registry(f"adapterkit promote {ref} --to {known}", registry.path)
            raise UnknownNameError(
                "alias", alias, [known], hint=f"An alias of your own must look less like it. {right}"
            )


def rollback(registry: Shelf, name: str, alias: str, to: Version | str | None) -> Moved:
    """Point an alias back at the version it meant before, or at a chosen one."""
    to = Version.parse(to) if isinstance(to, str) else to
    if not registry.versions(name):
        registry.exact(AdapterRef(name, alias))  # as above
    with adding_to(registry.path):
        seen = _Seen.now(registry, name, alias)
        chosen = to if to is not None else _before(registry, name, alias)
        return _move(registry, registry.exact(AdapterRef(name, chosen)), alias, ROLLBACK, seen)


def _before(registry: Shelf, name: str, alias: str) -> Version:
    versions, moves = registry.versions(name), alias_moves(registry.path / name, alias)
    if (back := goes_back_to(alias, moves, versions)) is not None:
        return back
    stack = standing(alias, moves, versions)
    if not stack:
        registry.exact(AdapterRef(name, alias))  # says why
        raise RefNotFoundError(f"{name}@{alias}", registry.path)
    if moves and moves[0].number > 1:
        why = f"is {stack[0]}, and what it was before cannot be read any more"
    else:
        why = f"is {stack[-1]}, where it began as far as anything is left of that"
    raise UsageError(
        f"{name}@{alias} {why}: there is nothing to go back to. Choose a version with --to VERSION; see: "
        f"{in_registry(f'adapterkit history {name}', registry.path)}"
    )


def _move(registry: Shelf, target: AdapterRef, alias: str, action: str, seen: _Seen) -> Moved:
    assert isinstance(target.selector, Version)
    report = registry.verify(target)
    if not report.ok or report.digest is None:
        raise ArtifactError(
            f"{target} is not intact, so {target.name}@{alias} stays where it is.{listed(report.problems)}\n"
            f"Choose another version: {in_registry(f'adapterkit history {target.name}', registry.path)}",
            report.problems,
        )
    now = _points_at(registry, target.name, alias)
    if now != target.selector:
        highest = max(target.selector, seen.highest or target.selector)
        folder = registry.path / target.name
        move_alias(folder, alias, action, target.selector, report.digest, highest, after=seen.number)
    else:
        settle_alias(registry.path / target.name, alias)
    return Moved(target.name, alias, now, target.selector)


def _points_at(registry: Shelf, name: str, alias: str) -> Version | None:
    try:
        selector = registry.exact(AdapterRef(name, alias)).selector
    except RegistryError:  # not there, or a damaged history, which a new move heals
        return None
    return selector if isinstance(selector, Version) else None
