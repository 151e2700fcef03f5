"""Where an alias points and where it pointed before, from its moves and the versions that exist; no disk is touched."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from adapterkit.names import Version
from adapterkit.registry.aliases import LATEST, PROMOTE, ROLLBACK, AliasMove


def pointed_at(alias: str, move: AliasMove | None, versions: Sequence[Version]) -> Version | None:
    """The version that an alias means, given its newest move and the versions that exist, oldest first."""
    if alias != LATEST:
        return move.version if move else None
    highest = versions[-1] if versions else None
    held = move is not None and highest is not None and highest <= move.highest and move.version in versions
    return move.version if move is not None and held else highest


def standing(alias: str, moves: Iterable[AliasMove], versions: Sequence[Version]) -> list[Version]:
    """Where an alias points and where it pointed before, as a stack whose top is now: each rollback took one off.

    Args:
        alias: the alias; `latest` is also moved by every publishing.
        moves: its moves, oldest first, as `alias_moves` returns them.
        versions: the versions that exist, oldest first; others are left out.
    """
    stack: list[Version] = []
    for action, version in _events(alias, list(moves), versions):
        if action == ROLLBACK:
            # To where it never pointed: what is newer was given up all the same, and must not come back.
            while stack and (stack[-1] != version if version in stack else stack[-1] > version):
                stack.pop()
        if not stack or stack[-1] != version:
            stack.append(version)
    return _without_repeats(version for version in stack if version in versions)


def goes_back_to(alias: str, moves: Sequence[AliasMove], versions: Sequence[Version]) -> Version | None:
    """Where a rollback of an alias leads; None when there is nothing to go back to.

    Where the version that it points at is gone, that is the one on top of what is left.
    """
    stack = standing(alias, moves, versions)
    if stack and stack[-1] == pointed_at(alias, moves[-1] if moves else None, versions):
        stack.pop()
    return stack[-1] if stack else None


def _events(alias: str, moves: Sequence[AliasMove], versions: Sequence[Version]) -> Iterator[tuple[str, Version]]:
    """Publishings (for `latest`) and moves, in the order in which they happened.

    A version that was collected since counts where a move names it: going back to it took off what lay above, and that
    must not come back.
    """
    known = {*versions, *(version for move in moves for version in (move.version, move.highest))}
    published = sorted(known) if alias == LATEST else []
    if moves and moves[0].number > 1:
        # What a lost move gave up must not come back, and nobody knows what that was.
        published = [version for version in published if version > moves[0].highest]
    for move in moves:
        while published and published[0] <= move.highest:
            yield PROMOTE, published.pop(0)
        yield move.action, move.version
    yield from ((PROMOTE, version) for version in published)


def _without_repeats(versions: Iterable[Version]) -> list[Version]:
    found: list[Version] = []
    for version in versions:
        if not found or found[-1] != version:
            found.append(version)
    return found
