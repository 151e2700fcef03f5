"""Architect: the dependencies of a few modules, with a rule that at most one of them breaks, or an order to find.

Four rules: layers (downwards only), private (of another package, its `api` alone), cycle (no two depend on each other),
and order (what is needed starts first). What is right is worked out from the dependencies alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from graphlib import TopologicalSorter
from itertools import permutations
from math import factorial

from adapterkit.data.synthetic.forms import RIGHT, Form, Row, Task, Verdict

NONE = "none"

_TOPS, _MIDDLES, _BOTTOMS = ("web", "pages", "views"), ("domain", "rules", "logic"), ("store", "db", "files")
_MODULES = (
    "orders", "cart", "users", "mail", "stock", "prices", "audit", "media", "login", "search", "reports", "billing",
    "labels", "events", "tasks", "teams", "rates", "routes", "claims", "visits", "trips", "loans", "seats",
)  # fmt: skip
_INNER = ("tables", "cache", "models", "queries", "state", "parser", "rows", "locks")
_M, _I = len(_MODULES), len(_INNER)
# How one dependency is written, and whether rows to train on are.
_WAYS: tuple[tuple[str, Callable[[str, str], str], bool], ...] = (
    ("arrow", lambda a, b: f"{a} -> {b}", True),
    ("imports", lambda a, b: f"- {a} imports {b}", True),
    ("from", lambda a, b: f"{a}: from {b} import run", True),
    ("json", lambda a, b: f'"{a}": ["{b}"],', True),
    ("uses", lambda a, b: f"* {a} uses {b}.", True),
    ("mermaid", lambda a, b: f"    {a} --> {b};", False),
    ("calls", lambda a, b: f"{a} calls into {b}", False),
)
_ANSWER = f" Answer like `a -> b`, or `{NONE}`.\n\n"
_ASKED = {
    "private": "A package may be imported by others through its api alone. Which dependency breaks this?" + _ANSWER,
    "cycle": "No two modules may depend on each other. Which two do?" + _ANSWER.replace("->", "<->"),
    "order": "Each needs the one behind it to start first. In which order do they start? Answer like `a, b, c`.\n\n",
}
# From the upper to the lower layer, by number, the pairs that are allowed.
_DOWN = ((0, 1), (0, 2), (1, 2), (1, 1), (0, 0), (2, 2))
_UP = ((1, 0), (2, 0), (2, 1))
_NAME = re.compile(r"[a-z]+(?:\.[a-z]+)?")

Edges = list[list[str]]


@lru_cache(maxsize=1)
def forms() -> tuple[Form, ...]:
    """A form for each rule, each way to write a dependency, and whether the rule is broken."""
    makers = (_layers, _private, _cycle)
    broken = [maker(way, write, seen, broken=True) for maker in makers for way, write, seen in _WAYS]
    kept = [maker(way, write, seen, broken=False) for maker in makers for way, write, seen in _WAYS[::3]]
    return (*broken, *kept, *(_order(way, write, seen) for way, write, seen in _WAYS))


def _row(
    name: str, seen: bool, asked: str, edges: Edges, write: Callable[[str, str], str], answer: str, guessed: int,
    layers: tuple[str, ...] = (),
) -> Row:  # fmt: skip
    return {
        "task": "architect",
        "template": name,
        "seen": seen,
        "difficulty": 1 if name.startswith("private") else 3 if name.startswith("order") else 2,
        "quality": 1 - 1 / guessed,
        "prompt": asked + "\n".join([write(a, b) for a, b in edges]),
        "answer": answer,
        "check": {"rule": name.partition(".")[0], "edges": edges, "layers": list(layers)},
    }


def _name(rule: str, way: str, broken: bool) -> str:
    return f"{rule}.{way}" if broken else f"{rule}.{way}.kept"


def _layers(way: str, write: Callable[[str, str], str], seen: bool, *, broken: bool) -> Form:
    name = _name("layers", way, broken)

    def make(number: int) -> Row:
        number, place = divmod(number, 4 if broken else 1)
        number, up = divmod(number, 3 if broken else 1)
        number, down = divmod(number, 6)
        number, stride = divmod(number, 5)
        number, names = divmod(number, 27)
        apart, first = divmod(number, _M)
        layers = (_TOPS[names % 3], _MIDDLES[names // 3 % 3], _BOTTOMS[names // 9])
        pairs = [_DOWN[(down + turn * (stride + 1)) % 6] for turn in range(3 if broken else 4)]
        if broken:
            pairs.insert(place, _UP[up])
        step = apart + 1
        edges = [
            [
                f"{layers[high]}.{_MODULES[(first + 2 * turn * step) % _M]}",
                f"{layers[low]}.{_MODULES[(first + (2 * turn + 1) * step) % _M]}",
            ]
            for turn, (high, low) in enumerate(pairs)
        ]
        asked = (
            f"Layers, from the top: {layers[0]}, {layers[1]}, {layers[2]}. A module may depend on its own layer and on "
            f"lower ones. Which dependency breaks this?{_ANSWER}"
        )
        answer = f"{edges[place][0]} -> {edges[place][1]}" if broken else NONE
        return _row(name, seen, asked, edges, write, answer, len(edges) + 1, layers)

    return Form(name, seen, (12 if broken else 1) * 6 * 5 * 27 * _M * (_M - 1), make)


def _private(way: str, write: Callable[[str, str], str], seen: bool, *, broken: bool) -> Form:
    name = _name("private", way, broken)

    def make(number: int) -> Row:
        number, place = divmod(number, 4 if broken else 1)
        number, inner = divmod(number, _I if broken else _I - 1)
        number, more = divmod(number, _I)
        number, own = divmod(number, 4)
        apart, first = divmod(number, _M)
        step = apart + 1
        edges = []
        for turn in range(4):
            a, b = _MODULES[(first + 2 * turn * step) % _M], _MODULES[(first + (2 * turn + 1) * step) % _M]
            part = f"{a}.{_INNER[(more + turn) % _I]}"
            # One of them stays in its package, where it may import what it likes.
            at_home = turn == own and not (broken and turn == place)
            target = f"{a}.{_INNER[(more + turn + 1 + inner % (_I - 1)) % _I]}" if at_home else f"{b}.api"
            edges.append([part, f"{b}.{_INNER[inner]}" if broken and turn == place else target])
        answer = f"{edges[place][0]} -> {edges[place][1]}" if broken else NONE
        return _row(name, seen, _ASKED["private"], edges, write, answer, 5)

    return Form(name, seen, (4 * _I if broken else _I - 1) * _I * 4 * _M * (_M - 1), make)


def _cycle(way: str, write: Callable[[str, str], str], seen: bool, *, broken: bool) -> Form:
    name = _name("cycle", way, broken)

    def make(number: int) -> Row:
        number, place = divmod(number, 4 if broken else 2)
        number, behind = divmod(number, 4)
        number, shape = divmod(number, 6)
        apart, first = divmod(number, _M)
        step = apart + 1
        names = [_MODULES[(first + turn * step) % _M] for turn in range(6)]
        edges = [[names[a], names[b]] for a, b in _SHAPES[shape]]
        a, b = edges[place]
        if broken:
            at = (place + 1 + behind) % 5
            edges.insert(at, [b, a])
            a, b = (b, a) if at <= place else (a, b)
        else:
            edges = [*edges[behind:], *edges[:behind]][:: 1 if place else -1]
        answer = f"{a} <-> {b}" if broken else NONE
        return _row(name, seen, _ASKED["cycle"], edges, write, answer, 5)

    return Form(name, seen, (96 if broken else 48) * _M * (_M - 1), make)


# Dependencies among six modules, none of them both ways.
_SHAPES = (
    ((0, 1), (1, 2), (3, 4), (4, 5)), ((0, 2), (1, 3), (2, 4), (3, 5)), ((5, 0), (4, 1), (3, 2), (2, 0)),
    ((0, 3), (3, 1), (2, 5), (5, 4)), ((1, 0), (2, 0), (3, 5), (5, 4)), ((0, 4), (0, 5), (1, 4), (2, 3)),
)  # fmt: skip
_ORDERS = (*permutations(range(3)), *permutations(range(2)))


def _order(way: str, write: Callable[[str, str], str], seen: bool) -> Form:
    name = f"order.{way}"

    def make(number: int) -> Row:
        number, shuffled = divmod(number, len(_ORDERS))
        apart, first = divmod(number, _M)
        order = _ORDERS[shuffled]
        names = [_MODULES[(first + turn * (apart + 1)) % _M] for turn in range(len(order) + 1)]
        edges = [[names[at + 1], names[at]] for at in order]
        return _row(name, seen, _ASKED["order"], edges, write, ", ".join(names), factorial(len(names)))

    return Form(name, seen, len(_ORDERS) * _M * (_M - 1), make)


def solve(check: Row) -> list[list[str]]:
    """Every answer that is right, worked out from the dependencies and the rule: names, in order where it counts."""
    edges = [(a, b) for a, b in check["edges"]]
    if check["rule"] == "order":
        graph: dict[str, set[str]] = {}
        for a, b in edges:
            graph.setdefault(a, set()).add(b)
        return [[*TopologicalSorter(graph).static_order()]]
    if check["rule"] == "cycle":
        return [[a, b] for at, (a, b) in enumerate(edges) if (b, a) in edges[at + 1 :]]
    if check["rule"] == "private":
        return [[a, b] for a, b in edges if a.partition(".")[0] != b.partition(".")[0] and not b.endswith(".api")]
    rank = {layer: place for place, layer in enumerate(check["layers"])}
    return [[a, b] for a, b in edges if rank[a.partition(".")[0]] > rank[b.partition(".")[0]]]


def check(rows: Sequence[Row], texts: Sequence[str]) -> list[Verdict]:
    """Right is what a program finds from the dependencies: one of them, both ends of a cycle, an order, or none."""
    return [_verdict(row["check"], text) for row, text in zip(rows, texts, strict=True)]


def _verdict(wanted: Row, text: str) -> Verdict:
    right, known = solve(wanted), {name for edge in wanted["edges"] for name in edge}
    line = text.strip().partition("\n")[0].strip("`. ")
    if not right:
        return RIGHT if line.lower() == NONE else Verdict(0.0, "no dependency breaks the rule")
    named = [name for name in _NAME.findall(line) if name in known]
    if named == right[0] or (wanted["rule"] == "cycle" and named == right[0][::-1]):
        return RIGHT
    return Verdict(0.0, "another order" if wanted["rule"] == "order" else "another dependency")


def guesses(row: Row) -> list[str]:
    """Every dependency and none; of an order, every order."""
    edges = row["check"]["edges"]
    if row["check"]["rule"] == "order":
        names = list(dict.fromkeys(name for edge in edges for name in edge))
        return [", ".join(each) for each in permutations(names)]
    if row["check"]["rule"] == "cycle":
        # Of the two directions the first alone: they are one answer.
        return [*(f"{a} <-> {b}" for at, (a, b) in enumerate(edges) if [b, a] not in edges[:at]), NONE]
    return [*(" -> ".join(edge) for edge in edges), NONE]


def faults(rows: Sequence[Row]) -> list[list[str]]:
    """What a program finds otherwise than the row says, and dependencies that are not written out."""
    return [_faults(row) for row in rows]


def _faults(row: Row) -> list[str]:
    right, lines = solve(row["check"]), row["prompt"].partition("\n\n")[2].split("\n")
    found = [] if len(right) < 2 else [f"it has {len(right)} answers"]
    if (row["answer"] == NONE) != (not right):
        found.append("the rule is broken, and the answer says that it is not, or the other way")
    if len(lines) != len(row["check"]["edges"]):
        found.append("not every dependency has a line")
    for line, (a, b) in zip(lines, row["check"]["edges"], strict=False):
        if [name for name in _NAME.findall(line) if name in (a, b)] != [a, b]:
            found.append(f"{a} and {b} are not written out")
    return found


ARCHITECT = Task("architect", forms, check, guesses, faults, answer_tokens=24)
