"""Whether the ancestors of a version are those that it was built on, as far as one survey tells; no disk is touched."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from adapterkit.registry.survey import Entry


def by_ref(family: Mapping[str, Sequence[Entry]]) -> dict[str, Entry]:
    """Every version of a survey under its exact ref."""
    return {entry.ref: entry for entries in family.values() for entry in entries}


def lost_parents(entry: Entry, there: Mapping[str, Entry]) -> Iterator[str]:
    """What is wrong with each ancestor of a version, given every version under its ref."""
    for ref, bound in entry.parents:
        parent = there.get(ref)
        if parent is None:
            yield f"{ref} is missing"
        elif parent.problem is not None:
            yield f"{ref} is broken"
        elif parent.weights_digest != bound:
            yield f"{ref} is not the one that was built on"


def problem_of(entry: Entry, there: Mapping[str, Entry]) -> str | None:
    """What is wrong with a version or its ancestors; null when nothing is."""
    return entry.problem or "; ".join(f"parent {what}" for what in lost_parents(entry, there)) or None
