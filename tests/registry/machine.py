"""What may be done to a registry, in any order, and what must be true of it after each: rules for Hypothesis."""

from __future__ import annotations

import shutil
from collections import Counter
from functools import partial
from pathlib import Path

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from adapterkit.errors import ArtifactError, NeededError, RefNotFoundError, RegistryError, UsageError
from adapterkit.manifest import WEIGHTS_FILE
from adapterkit.names import AdapterRef, Version
from adapterkit.registry import Registry
from adapterkit.stores.staging import STAGING_PREFIX
from registry.bench import ALIASES, BASES, Bench, Raw, files_of, pick, stamps_of, view_of
from registry.killing import killed
from registry.model import LATEST, PROMOTE, ROLLBACK, Wanted, version_of

NAMES = ("child", "persona", "unified")
# A sequence that is shorter does not count; up to a quarter is.
AT_LEAST = 20
# Of so many steps one is followed by the looks that cost most; what is wrong then stays wrong.
SELDOM = 3

any_number = st.integers(0, 999)


def death(steps: int) -> st.SearchStrategy[int | None]:
    """Null: nobody is killed; or at which of so many steps."""
    return st.one_of(st.none(), st.integers(1, steps))


class RegistryMachine(Bench, RuleBasedStateMachine):
    """What may be done, in any order."""

    def __init__(self, raws: list[Raw], home: Path, done: Counter[str]) -> None:
        RuleBasedStateMachine.__init__(self)
        Bench.__init__(self, raws, home, done)

    def teardown(self) -> None:
        assert all(files_of(self.registry, ref) == self.bytes[ref] for ref in self.model.records)
        assert all(self.registry.verify(ref).ok for ref in self.model.records)
        self.histories_agree()
        shutil.rmtree(self.home)

        self.done.update(sequences=1, steps=self.steps, short=int(self.steps < AT_LEAST))

    # ---- rules ----

    @rule(
        name=st.sampled_from(NAMES),
        weights=any_number,
        key=st.integers(0, 1),
        on=st.one_of(st.none(), any_number),
        base=st.sampled_from([None, None, None, *BASES]),
        started_from=st.one_of(st.none(), any_number),
        version=st.one_of(st.none(), st.none(), st.builds(Version, *[st.integers(0, 3)] * 3)),
        kill=death(80),
    )
    def publish(
        self,
        name: str,
        weights: int,
        key: int,
        on: int | None,
        base: str | None,
        started_from: int | None,
        version: Version | None,
        kill: int | None,
    ) -> None:
        """Anything on anything: the same again, other weights, another shape or base, a version of one's own choice."""
        parent = self.chosen(on) if on is not None and self.model.records else None
        raw = pick(self.raws, weights)
        wanted = Wanted(
            name=name,
            weights=raw.digest,
            shape=raw.shape,
            base=base or (self.model.records[parent].base if parent else "a"),
            key=f"{key:064x}",
            parents=self.members(parent),
            started_from=pick(self.raws, started_from).digest if started_from is not None else None,
        )
        self.publish_this(wanted, raw, version, kill)

    @rule(weights=any_number, key=st.integers(0, 99), times=st.integers(1, 2))
    def publish_families(self, weights: int, key: int, times: int) -> None:
        """A parent, its child and its grandchild, a few times."""
        for number in range(times):
            parent, raw = None, pick(self.raws, weights + number)
            for name in ("unified", "child", "persona"):
                wanted = Wanted(name, raw.digest, raw.shape, "a", f"{key + number:064x}", self.members(parent))
                parent = self.publish_this(wanted, raw, None, None)

    @precondition(lambda self: self.model.records)
    @rule(again=any_number, times=st.integers(1, 3), kill=death(80))
    def go_on(self, again: int, times: int, kill: int | None) -> None:
        """Train on from the newest version of a name, a few times, as incremental runs do; the last may be killed."""
        name = pick(self.model.names(), again)
        for number in range(again, again + times):
            last = self.model.records[AdapterRef(name, self.model.versions(name)[-1])]
            raw = pick([raw for raw in self.raws if raw.shape == last.shape], number)
            facts = (last.base, f"{number:064x}", last.parents, last.weights)
            wanted = Wanted(name, raw.digest, last.shape, *facts)
            self.publish_this(wanted, raw, None, kill if number == again + times - 1 else None)

    @precondition(lambda self: self.model.records)
    @rule(which=any_number, alias=st.sampled_from(ALIASES), by=st.sampled_from([None, *ALIASES]), kill=death(30))
    def promote(self, which: int, alias: str, by: str | None, kill: int | None) -> None:
        """Point an alias at a version, or at what another alias means."""
        exact = self.chosen(which)
        ref = AdapterRef(exact.name, by) if by else exact
        target = self.model.points_at(exact.name, by) if by else version_of(exact)
        if target is None:
            self.refused(RefNotFoundError, lambda: self.registry.promote(ref, alias))
        else:
            self.move(PROMOTE, exact.name, alias, target, lambda: self.registry.promote(ref, alias), kill)

    @precondition(lambda self: self.model.records)
    @rule(numbers=st.lists(any_number, min_size=2, max_size=5), alias=st.sampled_from(ALIASES))
    def promote_in_turn(self, numbers: list[int], alias: str) -> None:
        """Point an alias at one version after another of the same adapter, also at one where it was before."""
        name = self.chosen(numbers[0]).name
        for number in numbers:
            version = pick(self.model.versions(name)[-3:], number)
            act = partial(self.registry.promote, AdapterRef(name, version), alias)
            self.move(PROMOTE, name, alias, version, act, None)

    @precondition(lambda self: self.model.records)
    @rule(which=any_number, alias=st.sampled_from(ALIASES), times=st.integers(1, 3), kill=death(30))
    def roll_back(self, which: int, alias: str, times: int, kill: int | None) -> None:
        """Back to where it pointed before, and further; the last may be killed."""
        name, alias = self.with_a_past(which, alias)
        act = partial(self.registry.rollback, name, alias)
        for number in range(times):
            stack = self.model.stack(name, alias)
            if len(stack) < 2:
                self.refused(UsageError if stack else RefNotFoundError, act)
            else:
                self.move(ROLLBACK, name, alias, stack[-2], act, kill if number == times - 1 else None)

    @precondition(lambda self: self.model.records)
    @rule(which=any_number, alias=st.sampled_from(ALIASES), lost=st.booleans(), kill=death(30))
    def roll_back_to(self, which: int, alias: str, lost: bool, kill: int | None) -> None:
        """Back to a chosen version, which may not be there."""
        exact = self.chosen(which)
        to = Version(9, 9, 9) if lost and which % 4 == 0 else version_of(exact)
        act = partial(self.registry.rollback, exact.name, alias, to=to)
        if AdapterRef(exact.name, to) not in self.model.records:
            self.refused(RefNotFoundError, act)
        else:
            self.move(ROLLBACK, exact.name, alias, to, act, kill)

    @precondition(lambda self: self.model.records)
    @rule(keep=st.integers(1, 3))
    def plan(self, keep: int) -> None:
        """Plan a collection, for now or for later."""
        planned = self.registry.plan_collection(keep=keep)
        assert set(planned.versions) == self.model.doomed(keep)
        assert set(planned.kept) == set(self.model.records) - set(planned.versions)
        self.planned = planned, keep

    @precondition(lambda self: self.model.records)
    @rule(keep=st.integers(1, 2), kill=death(60))
    def collect(self, keep: int, kill: int | None) -> None:
        """Collect what was planned, now or some time ago, as far as it may still go."""
        planned, keep = self.planned or (self.registry.plan_collection(keep=keep), keep)
        self.planned = None
        doomed = self.model.doomed(keep, planned.versions)
        act = partial(self.registry.collect, planned, keep=keep)
        if kill is not None and killed(act, kill):
            self.done["crashes of collect"] += 1
            gone = set(self.model.records) - set(self.refs())
            assert gone <= doomed
            self.model.remove(gone)
        else:
            assert kill is not None or set(act().versions) == doomed
            self.model.remove(doomed)
            assert not list(self.registry.path.rglob(f"{STAGING_PREFIX}*"))
        self.done["versions collected"] += len(doomed)

    @precondition(lambda self: self.model.records)
    @rule(which=any_number, kill=death(40))
    def remove(self, which: int, kill: int | None) -> None:
        """Remove one version, unless an alias means it or something stands on it."""
        ref = self.chosen(which)
        act = partial(self.registry.remove, ref)
        if len(self.model.versions(ref.name)) == 1:
            self.refused(NeededError if self.model.is_built_on(ref) else UsageError, act)
        elif self.model.is_needed(ref):
            self.refused(NeededError, act)
        else:
            after = self.model.copy()
            after.remove([ref])
            if not self.done_or_not(act, after, kill, "remove"):
                assert act().ref == ref
                self.model = after

    @precondition(lambda self: self.model.records)
    @rule(which=any_number, alias=st.sampled_from(ALIASES))
    def meet_damage(self, which: int, alias: str) -> None:
        """A damaged version is neither promoted nor built on, and neither is its child promoted."""
        hurt = self.chosen(which)
        raw = self.raws[0]
        path = self.registry.resolve(hurt).path / WEIGHTS_FILE
        whole = path.read_bytes()
        path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        for ref, record in self.model.records.items():
            if hurt == ref or hurt in (parent for parent, _ in record.parents):
                self.refused(ArtifactError, partial(self.registry.promote, ref, alias))
        built = Wanted("child", raw.digest, raw.shape, self.model.records[hurt].base, "e" * 64, self.members(hurt))
        self.refused(RegistryError, partial(self.registry.publish, self.draft(built, raw)))
        path.write_bytes(whole)
        self.stamps[hurt] = stamps_of(self.registry, hurt)

    # ---- after every rule ----

    @invariant()
    def it_is_what_the_model_says(self) -> None:
        self.steps += 1
        self.registry = Registry(self.registry.path)
        assert view_of(self.registry) == self.model.view()

    @precondition(lambda self: not self.steps % SELDOM)
    @invariant()
    def refs_lead_where_they_should(self) -> None:
        for ref in self.model.records:
            assert self.registry.exact(str(ref)) == ref
        for name in self.model.names():
            for alias in ALIASES:
                self.leads_where_it_should(AdapterRef(name, alias), self.model.points_at(name, alias))
            self.leads_where_it_should(AdapterRef(name, None), self.model.points_at(name, LATEST))

    @invariant()
    def nothing_that_is_needed_is_gone(self) -> None:
        for record in self.model.records.values():
            assert all(self.model.records[ref].weights == weights for ref, weights in record.parents)

    @invariant()
    def no_byte_changed(self) -> None:
        """By the stamps of every file, which no write leaves alone."""
        assert {ref: stamps_of(self.registry, ref) for ref in self.model.records} == {
            ref: stamps for ref, stamps in self.stamps.items() if ref in self.model.records
        }

    @precondition(lambda self: self.model.records and not self.steps % SELDOM)
    @invariant()
    def a_version_verifies(self) -> None:
        assert self.registry.verify(self.chosen(self.steps // SELDOM)).ok
