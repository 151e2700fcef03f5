"""Which pieces are held out: whole ones, decided by what they say, so that it is the same on every machine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from typing import TypeVar

from adapterkit.digest import json_digest

# One eighth each, and with so few pieces nothing: two of them would be the test.
_SHARE = 8
FEWEST = 6

_Piece = TypeVar("_Piece", bound=Hashable)


def split_pieces(pieces: Mapping[_Piece, Sequence[str]]) -> dict[_Piece, str]:
    """Give each piece a split: an eighth of them is the test, an eighth the validation.

    Pieces stand in the order of the sha256 of what they say: the first are the test, at least two, and the next the
    validation, at least one. Fewer than six are all trained on. So a piece that is added or taken away moves three
    others to another split at most.

    Args:
        pieces: for each what it says; a piece may be several texts that must stay together.
    """
    ordered = sorted(pieces, key=lambda piece: json_digest(sorted(pieces[piece])))
    tested = max(2, len(ordered) // _SHARE) if len(ordered) >= FEWEST else 0
    validated = tested + max(1, len(ordered) // _SHARE) if tested else 0
    return {
        piece: "test" if place < tested else "validation" if place < validated else "train"
        for place, piece in enumerate(ordered)
    }


def gather(links: Sequence[Sequence[Hashable]]) -> list[int]:
    """Gather members that share a link, directly or over others.

    Args:
        links: for each member what it is linked by, such as a title.

    Returns:
        For each member the index of the first one that it belongs with.
    """
    leader = list(range(len(links)))

    def find(member: int) -> int:
        while leader[member] != member:
            leader[member] = leader[leader[member]]
            member = leader[member]
        return member

    first: dict[Hashable, int] = {}
    for member, held in enumerate(links):
        for link in held:
            one, other = sorted((find(first.setdefault(link, member)), find(member)))
            leader[other] = one
    return [find(member) for member in range(len(links))]


def alike(shapes: Sequence[frozenset[Hashable]], *, share: float) -> list[list[tuple[int, int]]]:
    """Link members whose sets overlap: a link is the pair of both indices.

    Args:
        shapes: for each member a set of its parts.
        share: of the smaller set so much must stand in the other one.

    Returns:
        For each member its links, as `gather` takes them.
    """
    holders: dict[Hashable, list[int]] = {}
    common: Counter[tuple[int, int]] = Counter()
    for member, shape in enumerate(shapes):
        for part in sorted(shape, key=str):
            others = holders.setdefault(part, [])
            common.update((other, member) for other in others)
            others.append(member)
    links: list[list[tuple[int, int]]] = [[] for _ in shapes]
    for (one, other), count in common.items():
        if count >= share * min(len(shapes[one]), len(shapes[other])):
            links[one].append((one, other))
            links[other].append((one, other))
    return links
