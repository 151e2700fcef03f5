"""`adapterkit status`: the family as a tree, from the base up, with what is stale or broken and why."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from adapterkit.cli.output import brief, printable
from adapterkit.registry import BROKEN, Reason, Standing
from adapterkit.texts import counted, one_line

_UNREADABLE = "(base unknown)"


def standings(found: Sequence[Standing]) -> list[dict[str, Any]]:
    """Each adapter's standing as plain JSON values."""
    return [
        {
            "ref": standing.entry.ref,
            "base": _base(standing),
            "parent": standing.entry.parent,
            "state": standing.state,
            "held": standing.held or None,
            "reasons": [{"part": reason.part, "what": reason.what} for reason in standing.reasons],
            "problems": [{"part": reason.part, "what": reason.what} for reason in standing.problems],
            "unknown": [{"part": reason.part, "what": reason.what} for reason in standing.unknown],
        }
        for standing in found
    ]


def print_tree(found: Sequence[Standing]) -> None:
    """Print every adapter below the one it was built on, then the count of each state."""
    tree = _Tree(found)
    for base, roots in tree.roots().items():
        print(printable(base))
        print("\n".join(printable(line) for line in tree.branches(roots, "")))
    counts = Counter(standing.state for standing in found)
    told = ", ".join(f"{counts[state]:,} {state}" for state in ("fresh", "stale", "broken"))
    print(f"\n{counted(len(found), 'adapter')}: {told}")
    _print_problems(found)
    _print_unknown(found)


class _Tree:
    """Every adapter once: below its parent when that is here, else below its base."""

    def __init__(self, found: Sequence[Standing]) -> None:
        self._found = found
        self._shown = {standing.entry.name: standing.entry.ref for standing in found}
        self._below: dict[str, list[Standing]] = defaultdict(list)
        self._parents = {standing.entry.name: _parent(standing) for standing in found}
        for standing in found:
            if not self._is_root(standing.entry.name):
                self._below[str(_parent(standing))].append(standing)

    def roots(self) -> dict[str, list[Standing]]:
        """The adapters that stand on a base, by base."""
        grouped: dict[str, list[Standing]] = defaultdict(list)
        for standing in self._found:
            if self._is_root(standing.entry.name):
                grouped[_base(standing)].append(standing)
        return dict(sorted(grouped.items()))

    def branches(self, level: Sequence[Standing], indent: str) -> Iterator[str]:
        """The lines of some siblings and of all that stands on them."""
        for standing in level:
            last = standing is level[-1]
            yield f"{indent}{'└─' if last else '├─'} {_told(standing, self._elsewhere(standing))}"
            yield from self.branches(self._below.get(standing.entry.name, ()), indent + ("   " if last else "│  "))

    def _elsewhere(self, standing: Standing) -> str:
        """The very version that it stands on, where the tree shows another one above it."""
        above = self._shown.get(_parent(standing) or "")
        built_on = standing.entry.parent
        return "" if above in (None, built_on) else f" (on {built_on})"

    def _is_root(self, name: str) -> bool:
        """Whether its parent is not here, or leads back to it: a circle is opened at its first name."""
        seen = [name]
        while (parent := self._parents.get(seen[-1])) in self._parents and parent is not None:
            if parent in seen:
                return name == min(seen[seen.index(parent) :])
            seen.append(parent)
        return len(seen) == 1


def any_broken(found: Sequence[Standing]) -> bool:
    """Whether an adapter is broken."""
    return any(standing.state == BROKEN for standing in found)


def _parent(standing: Standing) -> str | None:
    return standing.entry.parent.partition("@")[0] if standing.entry.parent else None


def _told(standing: Standing, elsewhere: str) -> str:
    told = [_brief(reason, standing.state) for reason in standing.reasons]
    why = f": {'; '.join(told)}" if told else ""
    state = standing.state.upper() if standing.state == BROKEN else standing.state
    held = f", {standing.held}" if standing.held else ""
    return f"{standing.entry.ref}{elsewhere}  {state}{held}{why}"


def _brief(reason: Reason, state: str) -> str:
    """What moved on is told whole, setting by setting; of what is wrong the first sentence."""
    return brief(str(reason)) if reason.final or state == BROKEN else str(reason)


def _print_problems(found: Sequence[Standing]) -> None:
    for standing in found:
        for reason in standing.problems:
            print(printable(f"problem: {one_line(reason.what)}"))


def _print_unknown(found: Sequence[Standing]) -> None:
    counts = Counter(str(reason) for standing in found for reason in standing.unknown)
    for what, count in counts.most_common(10):
        print(f"not compared for {count:,} of them: {printable(what)}")


def _base(standing: Standing) -> str:
    entry = standing.entry
    return entry.readable.base.identity.id if entry.glance else _UNREADABLE
