"""Which version comes next: what changed decides, not whoever publishes."""

from __future__ import annotations

from dataclasses import dataclass

from adapterkit.lineage import BaseIdentity, LineageMember
from adapterkit.manifest import AdapterShape, Manifest
from adapterkit.names import Version

FIRST = Version(1, 0, 0)


@dataclass(frozen=True)
class VersionFacts:
    """What the next version depends on.

    Attributes:
        base: the base it was trained on.
        parents: its ancestors, root-first.
        shape: its shape.
        started_from: `weights_digest` of the adapter whose weights the run started from, when it did not start fresh.
    """

    base: BaseIdentity
    parents: tuple[LineageMember, ...]
    shape: AdapterShape
    started_from: str | None = None


def next_version(latest: Version | None, previous: Manifest | None, facts: VersionFacts) -> Version:
    """The version after the latest one.

    MAJOR when the base, the parents' weights or the shape changed, or when the latest artifact cannot be read and so
    cannot be compared; PATCH when the run started from the previous version's weights; MINOR otherwise.

    Args:
        latest: the highest version that exists, readable or not.
        previous: its manifest, when it can be read.
        facts: what is about to be published.
    """
    if latest is None:
        return FIRST
    if previous is None or replaced_parts(previous, facts.base, facts.parents, facts.shape):
        return Version(latest.major + 1, 0, 0)
    if facts.started_from == previous.weights_digest:
        return Version(latest.major, latest.minor, latest.patch + 1)
    return Version(latest.major, latest.minor + 1, 0)


def replaced_parts(
    previous: Manifest, base: BaseIdentity, parents: tuple[LineageMember, ...], shape: AdapterShape
) -> list[str]:
    """Which of base, parents and shape changed: everything built on the adapter relies on them."""
    before, now = ([member.weights_digest for member in members] for members in (previous.lineage.parents, parents))
    changed = {
        "base": bool(previous.lineage.base.differs_from(base)),
        "parents": before != now,
        "shape": _form(previous.adapter) != _form(shape),
    }
    return [part for part, differs in changed.items() if differs]


def _form(shape: AdapterShape) -> tuple[object, ...]:
    """The shape without its size in bytes, which also changes with the dtype the weights are saved in."""
    return shape.rank, shape.alpha, shape.targets, shape.variant, shape.parameters
