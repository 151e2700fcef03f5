"""What a registry must be, in plain Python: the model that the stateful test holds the real one against."""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy
from dataclasses import dataclass
from typing import Any

from adapterkit.names import AdapterRef, Version

LATEST = "latest"
PUBLISH, PROMOTE, ROLLBACK = "publish", "promote", "rollback"


@dataclass(frozen=True)
class Wanted:
    """What is asked to be published, and what a version then is; parents root-first, each with its weights."""

    name: str
    weights: str
    shape: tuple[int, int]
    base: str
    key: str
    parents: tuple[tuple[AdapterRef, str], ...] = ()
    started_from: str | None = None


class Model:
    """Names -> versions, and for each alias the story of where it pointed."""

    def __init__(self) -> None:
        self.records: dict[AdapterRef, Wanted] = {}
        # For each (name, alias) what happened to it, oldest first.
        self.stories: dict[tuple[str, str], list[tuple[str, Version]]] = {}
        # Where `latest` of a name is held, and the highest version of that time.
        self.holds: dict[str, tuple[Version, Version]] = {}
        # Of each name the highest version that was removed.
        self.gone: dict[str, Version] = {}

    def copy(self) -> Model:
        """Another one, which goes its own way."""
        other = copy(self)
        other.records, other.holds, other.gone = dict(self.records), dict(self.holds), dict(self.gone)
        other.stories = {key: list(story) for key, story in self.stories.items()}
        return other

    # ---- versions ----

    def names(self) -> list[str]:
        return sorted({ref.name for ref in self.records})

    def versions(self, name: str) -> list[Version]:
        return sorted(version_of(ref) for ref in self.records if ref.name == name)

    def same(self, wanted: Wanted) -> AdapterRef | None:
        """The newest version with the same weights under the same key."""
        refs = [AdapterRef(wanted.name, version) for version in reversed(self.versions(wanted.name))]
        alike = (ref for ref in refs if is_same(self.records[ref], wanted))
        return next(alike, None)

    def next_version(self, wanted: Wanted) -> Version:
        """MAJOR for another base, shape or parents' weights; PATCH when it went on from the last; else MINOR.

        Nobody knows what a last one was that is gone, so that what follows it is MAJOR, too.
        """
        versions = self.versions(wanted.name)
        if not versions:
            return Version(1, 0, 0)
        if wanted.name in self.gone and self.gone[wanted.name] > versions[-1]:
            return Version(self.gone[wanted.name].major + 1, 0, 0)
        last, record = versions[-1], self.records[AdapterRef(wanted.name, versions[-1])]
        if _made_on(record) != _made_on(wanted):
            return Version(last.major + 1, 0, 0)
        if wanted.started_from == record.weights:
            return Version(last.major, last.minor, last.patch + 1)
        return Version(last.major, last.minor + 1, 0)

    def publish(self, wanted: Wanted, version: Version) -> None:
        """A version appears. By itself `latest` climbs the numbers, so a lower one counts as if it had come before."""
        self.records[AdapterRef(wanted.name, version)] = wanted
        story = self.stories.setdefault((wanted.name, LATEST), [])
        if (PUBLISH, version) not in story:
            higher = [at for at, (what, other) in enumerate(story) if what == PUBLISH and other > version]
            story.insert(higher[0] if higher else len(story), (PUBLISH, version))
        if wanted.name in self.holds and version > self.holds[wanted.name][1]:
            del self.holds[wanted.name]

    # ---- aliases ----

    def aliases(self, name: str) -> list[str]:
        """Every alias that leads somewhere."""
        return sorted(alias for owner, alias in self.stories if owner == name and self.points_at(name, alias))

    def points_at(self, name: str, alias: str) -> Version | None:
        """The version that an alias means."""
        if alias == LATEST:
            highest = max(self.versions(name), default=None)
            return self.holds[name][0] if name in self.holds else highest
        stack = self.stack(name, alias)
        return stack[-1] if stack else None

    def stack(self, name: str, alias: str) -> list[Version]:
        """Where an alias points, on top of where it pointed before: who goes back takes off what lies above.

        Who goes back to where it never pointed takes off what is newer, as far as that lies on top.
        """
        stack: list[Version] = []
        for what, version in self.stories.get((name, alias), []):
            if what == ROLLBACK and version in stack:
                del stack[len(stack) - stack[::-1].index(version) :]
                continue
            if what == ROLLBACK:
                older = [at for at, each in enumerate(stack, start=1) if each <= version]
                del stack[max(older, default=0) :]
            stack.append(version)
        there = [version for version in stack if AdapterRef(name, version) in self.records]
        return [version for at, version in enumerate(there) if at == 0 or there[at - 1] != version]

    def move(self, name: str, alias: str, what: str, version: Version) -> None:
        """An alias moves, unless it is there."""
        if self.points_at(name, alias) == version:
            return
        self.stories.setdefault((name, alias), []).append((what, version))
        if alias == LATEST:
            self.holds[name] = (version, self.versions(name)[-1])

    def moves(self, name: str) -> dict[str, list[tuple[str, Version]]]:
        """The moves of each alias that was ever moved, oldest first."""
        found = {
            alias: [(what, version) for what, version in story if what != PUBLISH]
            for (owner, alias), story in sorted(self.stories.items())
            if owner == name
        }
        return {alias: moves for alias, moves in found.items() if moves}

    # ---- garbage ----

    def doomed(self, keep: int, planned: Iterable[AdapterRef] | None = None) -> set[AdapterRef]:
        """What is not among the newest, no alias means, no alias would mean after a rollback, and nothing needs.

        Of that what was planned, and nothing that a version outside the plan was built on.
        """
        needed: set[AdapterRef] = set()
        for name in self.names():
            wanted = set(self.versions(name)[-keep:])
            for alias in self.aliases(name):
                wanted |= {self.points_at(name, alias) or wanted.pop(), *self.stack(name, alias)[-2:]}
            needed |= {AdapterRef(name, version) for version in wanted}
        needed |= {parent for ref in needed for parent, _ in self.records[ref].parents}
        if planned is not None:
            needed |= set(self.records) - set(planned)
            needed |= {parent for ref in needed for parent, _ in self.records[ref].parents}
        return set(self.records) - needed

    def is_needed(self, ref: AdapterRef) -> bool:
        """Whether an alias means a version, or another one was built on it."""
        aliases = {LATEST, *self.aliases(ref.name)}
        meant = any(self.points_at(ref.name, alias) == ref.selector for alias in aliases)
        return meant or self.is_built_on(ref)

    def is_built_on(self, ref: AdapterRef) -> bool:
        """Whether another version has it among its parents."""
        return any(ref == parent for record in self.records.values() for parent, _ in record.parents)

    def remove(self, refs: Iterable[AdapterRef]) -> None:
        """Versions are gone; what the aliases went through is not forgotten."""
        for ref in refs:
            del self.records[ref]
            self.gone[ref.name] = max(version_of(ref), self.gone.get(ref.name, version_of(ref)))

    # ---- what can be seen ----

    def view(self) -> dict[str, Any]:
        """All that a reader can see, as plain values."""
        return {
            name: {
                "versions": [str(version) for version in self.versions(name)],
                "aliases": {alias: str(self.points_at(name, alias)) for alias in self.aliases(name)},
                "stacks": {alias: [str(each) for each in self.stack(name, alias)] for alias in self.aliases(name)},
            }
            for name in self.names()
        }


def version_of(ref: AdapterRef) -> Version:
    """The version of an exact ref."""
    assert isinstance(ref.selector, Version)
    return ref.selector


def is_same(record: Wanted, wanted: Wanted) -> bool:
    """Whether publishing it would make nothing new."""
    return (record.key, record.weights) == (wanted.key, wanted.weights)


def _made_on(wanted: Wanted) -> tuple[Any, ...]:
    return wanted.base, wanted.shape, [weights for _, weights in wanted.parents]
