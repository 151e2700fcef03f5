"""Freshness: whether an adapter is what a training would make today, and if not, what moved on."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from adapterkit.errors import AdapterKitError, RegistryError, UsageError
from adapterkit.manifest import MergeRecord
from adapterkit.names import AdapterRef, Version
from adapterkit.registry.aliases import LATEST
from adapterkit.registry.glance import Member
from adapterkit.registry.lost_parents import by_ref, lost_parents
from adapterkit.registry.resolving import given_up, meaning, pointers
from adapterkit.registry.survey import Entry
from adapterkit.texts import one_line

FRESH, STALE, BROKEN = "fresh", "stale", "broken"


@dataclass(frozen=True)
class Reason:
    """Why an adapter is stale or broken: which part (parent, base, data, recipe, files) and what about it.

    `final` says that a training could not be started by it.
    """

    part: str
    what: str
    final: bool = False

    def __str__(self) -> str:
        return f"{self.part}: {self.what}"


@dataclass(frozen=True)
class Standing:
    """How one adapter stands; older versions than the one its name means are history, and not judged.

    Attributes:
        entry: the version that its bare name means.
        state: fresh, stale or broken.
        reasons: why it is not fresh.
        unknown: what could not be compared on this machine, such as data that lies elsewhere.
        problems: what is wrong beside it, and makes nothing stale or broken: aliases that lead nowhere.
        stands_on: names of what a training of today would build it on, whichever version they mean by then.
        held: why it is fresh although a training of today would make another: somebody rolled back from that one.
            Empty where nobody did.
        wanted: exact ref of the version that a training of today would make, where that is there already.
    """

    entry: Entry
    state: str
    reasons: tuple[Reason, ...] = ()
    unknown: tuple[Reason, ...] = ()
    stands_on: frozenset[str] = frozenset()
    held: str = ""
    problems: tuple[Reason, ...] = ()
    wanted: str | None = None


@dataclass
class Look:
    """What the probes found about one adapter.

    Attributes:
        asked: the ref under which its parent would be asked for now; null for a training on the bare base.
        stale: what moved on.
        unknown: what could not be compared.
    """

    asked: str | None
    stale: list[Reason] = field(default_factory=list)
    unknown: list[Reason] = field(default_factory=list)


# Compares one part of an adapter with what it would be now.
Probe = Callable[[Entry, Look], None]


def judge(
    family: Mapping[str, Sequence[Entry]],
    registry: Path,
    probes: Sequence[Probe],
    *,
    only: Sequence[str] | None = None,
    foreseeing: bool = False,
) -> list[Standing]:
    """Judge every adapter of a registry, parents before the adapters built on them.

    Args:
        family: what `survey` found.
        registry: its folder, where aliases are.
        probes: what compares base, data and recipe with the present.
        only: the names of those to judge, as far as they are there; null: all.
        foreseeing: look for what a stale one wants among all its versions, and judge its children by that one.
    """
    judging = _Judging(family, registry, probes, foreseeing)
    return [judging.standing(name) for name in family if only is None or name in only]


class _Judging:
    """Judges each adapter once, its parents on the way."""

    def __init__(
        self,
        family: Mapping[str, Sequence[Entry]],
        registry: Path,
        probes: Sequence[Probe],
        foreseeing: bool,
    ):
        self._family, self._registry, self._probes, self._foreseeing = family, registry, probes, foreseeing
        self._by_ref = by_ref(family)
        self._known: dict[str, Standing] = {}
        self._open: set[str] = set()

    def standing(self, name: str) -> Standing:
        if name not in self._known:
            self._open.add(name)
            found = self._settled(self._judge(self._latest(name)))
            if found.entry.moved:
                found = dataclasses.replace(found, problems=tuple(self._astray(found)))
            self._known[name] = found
            self._open.discard(name)
        return self._known[name]

    def _settled(self, found: Standing) -> Standing:
        """A stale one with the version that it wants, where that is there; held, where somebody rolled back from it."""
        entry = found.entry
        entries = self._family[entry.name]
        if found.state != STALE or not (entry.moved or self._foreseeing):
            return found
        folder = self._registry / entry.name
        refused = given_up(folder, [each.version for each in entries]) if entry.moved else []
        for other in reversed(entries):
            looked_at = other.version != entry.version and (self._foreseeing or other.version in refused)
            if looked_at and self._judge(other).state == FRESH:
                if other.version not in refused:
                    return dataclasses.replace(found, wanted=other.ref)
                told = f"held at {entry.version} by a rollback; {other.version} would be the one asked for"
                return dataclasses.replace(found, state=FRESH, reasons=(), held=told, wanted=other.ref)
        return found

    def _judge(self, entry: Entry) -> Standing:
        look = Look(_asked(entry))
        if entry.problem is not None:
            return Standing(entry, BROKEN, (Reason("files", entry.problem),), stands_on=_follows(entry, look.asked))
        if broken := [Reason("parent", what) for what in lost_parents(entry, self._by_ref)]:
            return Standing(entry, BROKEN, tuple(broken), stands_on=_follows(entry, look.asked))
        try:
            for probe in self._probes:
                probe(entry, look)
        except (AdapterKitError, OSError, ValueError) as error:
            # What it records is a path of a million letters, or its config is none: its own fault, not the table's.
            told = Reason("files", f"cannot be compared: {one_line(error)}")
            return Standing(entry, BROKEN, (told,), stands_on=_follows(entry, look.asked))
        parents = Look(look.asked)
        self._probe_parents(entry, parents)
        stale, unknown = (*parents.stale, *look.stale), (*parents.unknown, *look.unknown)
        return Standing(entry, STALE if stale else FRESH, stale, unknown, _follows(entry, look.asked))

    def _probe_parents(self, entry: Entry, look: Look) -> None:
        bound = entry.parents[-1] if entry.parents else None
        if look.asked is not None and bound is not None:
            self._probe_source(look.asked, *bound, look)
        elif look.asked is not None:
            look.stale.append(Reason("parent", f"{look.asked} is asked for now, and it stands on the bare base"))
        elif bound is not None:
            look.stale.append(Reason("parent", f"none is asked for now, and it stands on {bound[0]}"))
        for asked, member in _sources(entry):
            self._probe_source(asked, member.ref, member.weights_digest, look)

    def _probe_source(self, asked: str, bound_ref: str, bound: str, look: Look) -> None:
        """Compare what a ref means now with what was built on under it."""
        try:
            wanted = _parsed(asked)
        except UsageError as error:
            look.unknown.append(Reason("parent", str(error)))
            return
        if wanted.name not in self._family:
            look.unknown.append(Reason("parent", f"{asked} is not here"))
            return
        try:
            now = self._now(wanted)
        except RegistryError as error:
            look.unknown.append(Reason("parent", str(error)))
            return
        if wanted.name in self._open:
            look.stale.append(Reason("parent", f"{asked} is, or stands on, this adapter itself: a circle"))
        elif now.weights_digest != bound:
            look.stale.append(Reason("parent", f"{asked} moved on: {bound_ref} -> {now.ref}"))
        elif not isinstance(wanted.selector, Version) and _left_stale(self.standing(wanted.name)):
            look.stale.append(Reason("parent", f"{asked} is stale itself"))

    def _now(self, ref: AdapterRef) -> Entry:
        """The version that a ref means; for a look ahead, what its name will mean.

        Raises:
            RegistryError: as `_meant`.
        """
        if self._foreseeing and ref.selector in (None, LATEST) and ref.name not in self._open:
            will_be = self.standing(ref.name)
            if will_be.state == STALE and will_be.wanted is not None:
                return self._by_ref[will_be.wanted]
        return self._meant(ref.name, LATEST if ref.selector is None else ref.selector)

    def _latest(self, name: str) -> Entry:
        try:
            return self._meant(name, LATEST)
        except RegistryError as error:
            return dataclasses.replace(self._family[name][-1], problem=str(error))

    def _meant(self, name: str, selector: Version | str) -> Entry:
        """The version that a ref means.

        Raises:
            RegistryError: it leads nowhere, or the history of the alias is damaged.
        """
        entries = self._family[name]
        if not entries[-1].moved and selector == LATEST:
            return entries[-1]
        versions = [entry.version for entry in entries]
        means = selector if isinstance(selector, Version) else meaning(self._registry / name, selector, versions)[0]
        for entry in entries:
            if entry.version == means:
                return entry
        raise RegistryError(f"{name}@{selector} leads to no version that is there")

    def _astray(self, found: Standing) -> Iterator[Reason]:
        """What is wrong with the aliases of an adapter that it is not judged by."""
        for pointer in pointers(self._registry, found.entry.name):
            if pointer.problem and pointer.problem != found.entry.problem:
                yield Reason("alias", pointer.problem)


def _asked(entry: Entry) -> str | None:
    """The ref under which the parent was asked for; an exact one where no command says so, as for an import."""
    if entry.recipe is not None:
        return entry.recipe.parent
    if entry.glance is None or entry.parent is None:
        return None
    ref = entry.parent
    return ref.partition("@")[0] if entry.glance.schema_version == 1 else ref


def _left_stale(standing: Standing) -> bool:
    """Whether only a training would bring it up to date."""
    return standing.state == STALE and standing.wanted is None


def _follows(entry: Entry, asked: str | None) -> frozenset[str]:
    """Whose next version it would be built on; what asks for an exact version, as an import does, follows nobody."""
    refs = [ref for ref, _ in _sources(entry)] + ([asked] if asked else [])
    return frozenset(name for ref in refs if (name := _moving_name(ref)))


def _sources(entry: Entry) -> Iterator[tuple[str, Member]]:
    """What an adapter was made of, with the ref under which each was asked for; a bare name, where nothing says so."""
    if entry.glance is None:
        return
    merge, members = entry.glance.merge, entry.glance.merged_from
    asked = merge.options.get("asked") if isinstance(merge, MergeRecord) else None
    known = isinstance(asked, list) and len(asked) == len(members) and all(isinstance(ref, str) for ref in asked)
    for place, member in enumerate(members):
        yield asked[place] if known and asked else member.ref.partition("@")[0], member


# Many adapters ask for the same few.
_parsed = functools.cache(AdapterRef.parse)


def _moving_name(ref: str) -> str | None:
    """The adapter whose next version a ref would mean; null for an exact version, and for what is no ref."""
    try:
        wanted = _parsed(ref)
    except UsageError:
        return None
    return None if isinstance(wanted.selector, Version) else wanted.name
