"""`adapterkit status`: the family as a tree, from the base up, with what is stale or broken and why."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from adapterkit.cli.output import printable
from adapterkit.registry import BROKEN, Standing

_UNREADABLE = "(base unknown)"


def standings(found: Sequence[Standing]) -> list[dict[str, Any]]:
    """Each adapter's standing as plain JSON values."""
    return [
        {
            "ref": standing.entry.ref,
            "base": _base(standing),
            "parent": standing.entry.parents[-1][0] if standing.entry.parents else None,
            "state": standing.state,
            "reasons": [{"part": reason.part, "what": reason.what} for reason in standing.reasons],
            "unknown": [{"part": reason.part, "what": reason.what} for reason in standing.unknown],
        }
        for standing in found
    ]


def print_tree(found: Sequence[Standing]) -> None:
    """Print every adapter below the one it was built on, then the count of each state."""
    below: dict[tuple[str, str | None], list[Standing]] = defaultdict(list)
    names = {standing.entry.name for standing in found}
    for standing in found:
        parent = standing.entry.parents[-1][0].partition("@")[0] if standing.entry.parents else None
        below[_base(standing), parent if parent in names else None].append(standing)
    for base in sorted({base for base, _ in below}):
        print(printable(base))
        print("\n".join(printable(line) for line in _branches(below, base, None, 0)))
    counts = Counter(standing.state for standing in found)
    told = ", ".join(f"{counts[state]:,} {state}" for state in ("fresh", "stale", "broken"))
    print(f"\n{len(found):,} adapter{'s' * (len(found) != 1)}: {told}")
    _print_unknown(found)


def any_broken(found: Sequence[Standing]) -> bool:
    """Whether an adapter is broken."""
    return any(standing.state == BROKEN for standing in found)


def _branches(
    below: dict[tuple[str, str | None], list[Standing]], base: str, parent: str | None, depth: int
) -> Iterator[str]:
    for standing in below.get((base, parent), ()):
        why = f": {'; '.join(map(str, standing.reasons))}" if standing.reasons else ""
        state = standing.state.upper() if standing.state == BROKEN else standing.state
        yield f"{'   ' * depth}└─ {standing.entry.ref}  {state}{why}"
        yield from _branches(below, base, standing.entry.name, depth + 1)


def _print_unknown(found: Sequence[Standing]) -> None:
    counts = Counter(str(reason) for standing in found for reason in standing.unknown)
    for what, count in counts.most_common(10):
        print(f"not compared for {count:,} of them: {printable(what)}")


def _base(standing: Standing) -> str:
    plain = standing.entry.plain
    return str(plain["base"]["identity"]["id"]) if plain else _UNREADABLE
