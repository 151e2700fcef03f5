"""Freshness: whether an adapter is what a training would make today, and if not, what moved on."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from adapterkit.errors import AdapterKitError
from adapterkit.names import AdapterRef, Version
from adapterkit.registry.aliases import LATEST, last_move, pointed_at
from adapterkit.registry.survey import Entry

FRESH, STALE, BROKEN = "fresh", "stale", "broken"


@dataclass(frozen=True)
class Reason:
    """Why an adapter is stale or broken: which part (parent, base, data, recipe, files) and what about it."""

    part: str
    what: str

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
    """

    entry: Entry
    state: str
    reasons: tuple[Reason, ...] = ()
    unknown: tuple[Reason, ...] = ()


@dataclass
class Look:
    """What a probe found about one adapter."""

    stale: list[Reason] = field(default_factory=list)
    unknown: list[Reason] = field(default_factory=list)


# Compares one part of an adapter with what it would be now.
Probe = Callable[[Entry, Look], None]


def judge(
    family: Mapping[str, Sequence[Entry]], folder_of: Callable[[str], Any], probes: Sequence[Probe]
) -> list[Standing]:
    """Judge every adapter of a registry, parents before the adapters built on them.

    Args:
        family: what `survey` found.
        folder_of: from a name to its folder, where aliases are.
        probes: what compares base, data and recipe with the present.
    """
    judging = _Judging(family, folder_of, probes)
    return [judging.standing(name) for name in family]


class _Judging:
    """Judges each adapter once, its parents on the way."""

    def __init__(self, family: Mapping[str, Sequence[Entry]], folder_of: Callable[[str], Any], probes: Sequence[Probe]):
        self._family, self._folder_of, self._probes = family, folder_of, probes
        self._by_ref = {entry.ref: entry for entries in family.values() for entry in entries}
        self._known: dict[str, Standing] = {}
        self._open: set[str] = set()

    def standing(self, name: str) -> Standing:
        if name not in self._known:
            self._open.add(name)
            self._known[name] = self._judge(self._meant(name, None))
            self._open.discard(name)
        return self._known[name]

    def _judge(self, entry: Entry) -> Standing:
        if entry.problem is not None:
            return Standing(entry, BROKEN, (Reason("files", entry.problem),))
        if broken := self._lost_parents(entry):
            return Standing(entry, BROKEN, tuple(broken))
        look = Look()
        self._probe_parents(entry, look)
        for probe in self._probes:
            probe(entry, look)
        return Standing(entry, STALE if look.stale else FRESH, tuple(look.stale), tuple(look.unknown))

    def _lost_parents(self, entry: Entry) -> list[Reason]:
        found = []
        for ref, bound in entry.parents:
            parent = self._by_ref.get(ref)
            if parent is None:
                found.append(Reason("parent", f"{ref} is missing"))
            elif parent.problem is not None:
                found.append(Reason("parent", f"{ref} is broken"))
            elif parent.weights_digest != bound:
                found.append(Reason("parent", f"{ref} is not the one that was built on"))
        return found

    def _probe_parents(self, entry: Entry, look: Look) -> None:
        for asked, bound_ref, bound in _sources(entry):
            wanted = AdapterRef.parse(asked)
            if wanted.name not in self._family:
                look.unknown.append(Reason("parent", f"{asked} is not here"))
                continue
            now = self._meant(wanted.name, wanted.selector)
            if now.weights_digest != bound:
                look.stale.append(Reason("parent", f"{asked} moved on: {bound_ref} -> {now.ref}"))
            elif wanted.name in self._open:
                look.stale.append(Reason("parent", f"{asked} is built on this adapter: a cycle"))
            elif not isinstance(wanted.selector, Version) and self.standing(wanted.name).state == STALE:
                look.stale.append(Reason("parent", f"{asked} is stale itself"))

    def _meant(self, name: str, selector: Version | str | None) -> Entry:
        """The version that a ref means; where it means none that is there, the highest."""
        entries = self._family[name]
        if not entries[-1].moved and selector is None:
            return entries[-1]
        versions = [entry.version for entry in entries]
        alias = LATEST if selector is None else selector
        try:
            chosen = (
                alias
                if isinstance(alias, Version)
                else pointed_at(alias, last_move(self._folder_of(name), alias), versions)
            )
        except AdapterKitError as error:
            return dataclasses.replace(entries[-1], plain={}, problem=str(error))
        return next((entry for entry in entries if entry.version == chosen), entries[-1])


def _sources(entry: Entry) -> list[tuple[str, str, str]]:
    """What an adapter was built on: the ref as asked for, the exact ref, the bound digest."""
    recipe = entry.plain.get("recipe") or {}
    found = []
    if entry.parents:
        ref, bound = entry.parents[-1]
        found.append((recipe.get("parent") or ref.partition("@")[0], ref, bound))
    for member in entry.plain.get("merged_from", ()):
        found.append((member["ref"].partition("@")[0], member["ref"], member["weights_digest"]))
    return found
