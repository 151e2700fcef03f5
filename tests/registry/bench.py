"""A registry with its model, and how something is done to both."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from artifacts.samples import draft_of

from adapterkit.errors import RefNotFoundError, RegistryError, VersionTakenError
from adapterkit.lineage import BaseIdentity
from adapterkit.manifest import WEIGHTS_FILE, BaseRecord
from adapterkit.names import AdapterRef, Version
from adapterkit.registry import Collection, Registry, history_of
from adapterkit.registry.aliases import alias_moves
from adapterkit.registry.pointing import standing
from registry.killing import killed
from registry.model import Model, Wanted, is_same, version_of

ALIASES = ("latest", "production", "canary")
BASES = {letter: BaseIdentity("tiny/base", None, letter * 64, {"kind": "none"}) for letter in "ab"}


@dataclass(frozen=True)
class Raw:
    """An adapter as training leaves it, written once for all sequences."""

    folder: Path
    digest: str
    shape: tuple[int, int]


class Bench:
    """One registry, and the model of it."""

    def __init__(self, raws: list[Raw], home: Path, done: Counter[str]) -> None:
        self.raws, self.done, self.steps = raws, done, 0
        self.home = Path(tempfile.mkdtemp(dir=home))
        self.registry = Registry(self.home / "adapters")
        self.model = Model()
        self.bytes: dict[AdapterRef, dict[str, bytes]] = {}
        self.stamps: dict[AdapterRef, dict[str, tuple[int, ...]]] = {}
        self.planned: tuple[Collection, int] | None = None

    def publish_this(self, wanted: Wanted, raw: Raw, version: Version | None, kill: int | None) -> AdapterRef | None:
        """Publish, or be refused; returns where it is now, if it is there."""
        act = partial(self.registry.publish, self.draft(wanted, raw), version)
        if any(self.model.records[ref].base != wanted.base for ref, _ in wanted.parents):
            self.refused(RegistryError, act)
            return None
        there = self.model.same(wanted)
        if version is not None:
            held = self.model.records.get(AdapterRef(wanted.name, version))
            there = AdapterRef(wanted.name, version) if held and is_same(held, wanted) else None
            if held and not there:
                self.refused(VersionTakenError, act)
                return None
        after = self.model.copy()
        ref = there or AdapterRef(wanted.name, version or self.model.next_version(wanted))
        if not there:
            after.publish(wanted, version_of(ref))
        if not self.done_or_not(act, after, kill, "publish"):
            published = act()
            assert (published.ref, published.new) == (ref, there is None or ref not in self.model.records)
        self.model = after if ref in self.refs() else self.model
        if ref not in self.model.records:
            return None
        if not there:
            self.look_at(ref, raw)
        return ref

    def move(
        self, what: str, name: str, alias: str, version: Version, act: Callable[[], Any], kill: int | None
    ) -> None:
        before, after = self.model.points_at(name, alias), self.model.copy()
        after.move(name, alias, what, version)
        if not self.done_or_not(act, after, kill, what):
            moved = act()
            assert (moved.name, moved.alias, moved.before, moved.now) == (name, alias, before, version)
            self.model = after

    def done_or_not(self, act: Callable[[], Any], after: Model, kill: int | None, what: str) -> bool:
        """Do it in a child that may be killed; False when it was not to be."""
        if kill is None:
            return False
        died = killed(act, kill)
        self.done[f"crashes of {what}"] += died
        seen = view_of(self.registry)
        assert seen == after.view() or (died and seen == self.model.view())
        self.model = after if seen == after.view() else self.model
        return True

    def refused(self, error: type[Exception], act: Callable[[], Any]) -> None:
        """It raises; that nothing changed is seen by the invariants."""
        with pytest.raises(error):
            act()
        self.done["refusals"] += 1

    # ---- what a rule needs ----

    def chosen(self, number: int) -> AdapterRef:
        return pick(sorted(self.model.records, key=str), number)

    def with_a_past(self, number: int, alias: str) -> tuple[str, str]:
        """Mostly a name and an alias that can be rolled back."""
        pairs = [
            (name, each) for name in self.model.names() for each in ALIASES if len(self.model.stack(name, each)) > 1
        ]
        return pick(pairs, number) if pairs and number % 4 else (self.chosen(number).name, alias)

    def refs(self) -> list[AdapterRef]:
        return [AdapterRef(name, version) for name in self.registry.names() for version in self.registry.versions(name)]

    def members(self, parent: AdapterRef | None) -> tuple[tuple[AdapterRef, str], ...]:
        if parent is None:
            return ()
        record = self.model.records[parent]
        return (*record.parents, (parent, record.weights))

    def draft(self, wanted: Wanted, raw: Raw) -> Any:
        parents = self.registry.lineage(wanted.parents[-1][0]).members if wanted.parents else ()
        return draft_of(
            raw.folder,
            name=wanted.name,
            parents=parents,
            base=BaseRecord(BASES[wanted.base], "b" * 64, "b" * 64, 20),
            run_key=wanted.key,
            started_from=wanted.started_from,
        )

    def look_at(self, ref: AdapterRef, raw: Raw) -> None:
        """Remember a new version's bytes; its weights are those that were given."""
        self.bytes[ref], self.stamps[ref] = files_of(self.registry, ref), stamps_of(self.registry, ref)
        assert self.bytes[ref][WEIGHTS_FILE] == (raw.folder / WEIGHTS_FILE).read_bytes()

    def leads_where_it_should(self, ref: AdapterRef, version: Version | None) -> None:
        if version is None:
            with pytest.raises(RefNotFoundError):
                self.registry.resolve(ref)
        else:
            assert self.registry.exact(ref) == AdapterRef(ref.name, version)

    def histories_agree(self) -> None:
        for name in self.model.names():
            events = history_of(self.registry, name)
            assert sorted(event.version for event in events if not event.alias) == self.model.versions(name)
            for alias, moves in self.model.moves(name).items():
                assert [(event.what, event.version) for event in events if event.alias == alias] == moves


def pick(things: Any, number: int) -> Any:
    return things[number % len(things)]


def view_of(registry: Registry) -> dict[str, Any]:
    """The registry, as `Model.view` shows the model."""
    return {
        name: {
            "versions": [str(version) for version in registry.versions(name)],
            "aliases": {alias: str(version) for alias, version in registry.aliases(name).items()},
            "stacks": {
                alias: [
                    str(each)
                    for each in standing(alias, alias_moves(registry.path / name, alias), registry.versions(name))
                ]
                for alias in registry.aliases(name)
            },
        }
        for name in registry.names()
    }


def files_of(registry: Registry, ref: AdapterRef) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in registry.resolve(ref).path.iterdir()}


def stamps_of(registry: Registry, ref: AdapterRef) -> dict[str, tuple[int, ...]]:
    with os.scandir(registry.path / ref.name / str(ref.selector)) as entries:
        found = {entry.name: entry.stat(follow_symlinks=False) for entry in entries}
    return {name: (stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns) for name, stat in found.items()}
