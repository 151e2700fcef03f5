"""Architect: which of a few dependencies breaks a rule, and in which layer a module belongs.

Three rules: layers (downwards only), private (of another package, its `api` alone) and cycle (no two depend on each
other). What breaks one is worked out from the dependencies alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache

from adapterkit.data.synthetic.duties import DUTIES, DUTIES_UNSEEN, SIGNS
from adapterkit.data.synthetic.forms import RIGHT, Form, Row, Task, Verdict

NONE = "none"

_TOPS, _MIDDLES, _BOTTOMS = ("web", "pages", "views"), ("domain", "rules", "logic"), ("store", "db", "files")
# The three layers, from the top, in every choice of names.
_LAYERS = tuple((top, middle, bottom) for top in _TOPS for middle in _MIDDLES for bottom in _BOTTOMS)
_MODULES = (
    "orders", "cart", "users", "mail", "stock", "prices", "audit", "media", "login", "search", "reports", "billing",
    "labels", "events", "tasks", "teams", "rates", "routes", "claims", "visits", "trips", "loans", "seats",
)  # fmt: skip
_INNER = ("tables", "cache", "models", "queries", "state", "parser", "rows", "locks")
_M, _I = len(_MODULES), len(_INNER)

Edges = list[list[str]]
# The question, the layers from the top, the dependencies, and the place of the one that breaks the rule.
Made = tuple[str, list[str], Edges, int]
Way = tuple[str, Callable[[str, str], str], bool]
# How one dependency is written, and whether rows to train on are.
_WAYS: tuple[Way, ...] = (
    ("arrow", lambda a, b: f"{a} -> {b}", True),
    ("imports", lambda a, b: f"- {a} imports {b}", True),
    ("from", lambda a, b: f"{a}: from {b} import run", True),
    ("json", lambda a, b: f'"{a}": ["{b}"],', True),
    ("uses", lambda a, b: f"* {a} uses {b}.", True),
    ("mermaid", lambda a, b: f"    {a} --> {b};", False),
    ("calls", lambda a, b: f"{a} calls into {b}", False),
)
# So that rows on which nothing is wrong are fewer, they are written in two ways only.
_KEPT_WAYS = (_WAYS[0], _WAYS[-1])
_ANSWER = f" Answer like `a -> b`, or `{NONE}`.\n\n"
_ASKED = {
    "private": "Of another package, only its api may be used. Which dependency breaks this?" + _ANSWER,
    "cycle": "No two modules may depend on each other. Which two do?" + _ANSWER.replace("->", "<->"),
}
# Pairs of layers, by number from the top: dependencies that are allowed, and that are not.
_DOWN, _UP = ((0, 1), (0, 2), (1, 2)), ((1, 0), (2, 0), (2, 1))
# Dependencies among six modules, none of them both ways.
_SHAPES = (
    ((0, 1), (1, 2), (3, 4)), ((0, 2), (1, 3), (4, 5)), ((5, 0), (4, 1), (3, 2)), ((0, 3), (3, 1), (2, 5)),
    ((1, 0), (2, 0), (3, 5)), ((0, 4), (0, 5), (1, 4)),
)  # fmt: skip
_NAME = re.compile(r"[a-z]+(?:\.[a-z]+)?")


@lru_cache(maxsize=1)
def forms() -> tuple[Form, ...]:
    """A form for each rule and way to write a dependency, broken or kept, and one for each duty of a module."""
    makers = (_layers, _private, _cycle)
    broken = [maker(way, broken=True) for maker in makers for way in _WAYS]
    kept = [maker(way, broken=False) for maker in makers for way in _KEPT_WAYS]
    placed = [
        _place(f"place.{layer}.{at}", layer, duty, seen=at < len(duties) - DUTIES_UNSEEN)
        for layer, duties in enumerate(DUTIES)
        for at, duty in enumerate(duties)
    ]
    return (*broken, *kept, *placed)


def _form(rule: str, way: Way, size: int, made: Callable[[int], Made], *, broken: bool) -> Form:
    spelling, write, seen = way
    name, difficulty = f"{rule}.{spelling}{'' if broken else '.kept'}", 1 if rule == "private" else 2

    def make(number: int) -> Row:
        asked, layers, edges, place = made(number)
        a, b = edges[place]
        if rule == "cycle":
            answer = f"{a} <-> {b}" if broken else NONE
            # Both directions of a cycle are one answer.
            guesses = len(edges) if broken else len(edges) + 1
        else:
            answer, guesses = f"{a} -> {b}" if broken else NONE, len(edges) + 1
        return {
            "task": "architect",
            "template": name,
            "seen": seen,
            "difficulty": difficulty,
            "quality": 1 - 1 / guesses,
            "prompt": asked + "\n".join([write(a, b) for a, b in edges]),
            "answer": answer,
            "check": {"rule": rule, "edges": edges, "layers": layers, "layer": None},
        }

    return Form(name, seen, size, make)


def _layers(way: Way, *, broken: bool) -> Form:
    places, ups = (4, 3) if broken else (1, 1)

    def made(number: int) -> Made:
        number, place = divmod(number, places)
        number, up = divmod(number, ups)
        number, down = divmod(number, 27)
        number, named = divmod(number, 27)
        apart, first = divmod(number, _M)
        layers, step = _LAYERS[named], apart + 1
        pairs = [_DOWN[down % 3], _DOWN[down // 3 % 3], _DOWN[down // 9]]
        if broken:
            pairs.insert(place, _UP[up])
        edges = [
            [
                f"{layers[high]}.{_MODULES[(first + 2 * turn * step) % _M]}",
                f"{layers[low]}.{_MODULES[(first + (2 * turn + 1) * step) % _M]}",
            ]
            for turn, (high, low) in enumerate(pairs)
        ]
        asked = (
            f"Layers, from the top: {', '.join(layers)}. Only lower layers may be used. Which dependency breaks this?"
        )
        return asked + _ANSWER, [*layers], edges, place

    return _form("layers", way, places * ups * 27 * 27 * _M * (_M - 1), made, broken=broken)


def _private(way: Way, *, broken: bool) -> Form:
    places, inners = (4, _I) if broken else (1, 1)

    def made(number: int) -> Made:
        number, place = divmod(number, places)
        number, inner = divmod(number, inners)
        number, more = divmod(number, _I)
        apart, first = divmod(number, _M)
        step = apart + 1
        edges = [
            [
                f"{_MODULES[(first + 2 * turn * step) % _M]}.{_INNER[(more + turn) % _I]}",
                f"{_MODULES[(first + (2 * turn + 1) * step) % _M]}.api",
            ]
            for turn in range(4)
        ]
        if broken:
            edges[place][1] = f"{_package(edges[place][1])}.{_INNER[inner]}"
        return _ASKED["private"], [], edges, place

    return _form("private", way, places * inners * _I * _M * (_M - 1), made, broken=broken)


def _cycle(way: Way, *, broken: bool) -> Form:
    places = 3 if broken else 2

    def made(number: int) -> Made:
        number, place = divmod(number, places)
        number, behind = divmod(number, 3)
        number, shape = divmod(number, len(_SHAPES))
        apart, first = divmod(number, _M)
        names = [_MODULES[(first + turn * (apart + 1)) % _M] for turn in range(6)]
        edges = [[names[a], names[b]] for a, b in _SHAPES[shape]]
        if not broken:
            return _ASKED["cycle"], [], [*edges[behind:], *edges[:behind]][:: 1 if place else -1], 0
        at = (place + 1 + behind) % 4
        edges.insert(at, edges[place][::-1])
        # The first of the two is the answer.
        return _ASKED["cycle"], [], edges, at if at <= place else place

    return _form("cycle", way, places * 3 * len(_SHAPES) * _M * (_M - 1), made, broken=broken)


def _place(name: str, layer: int, duty: str, *, seen: bool) -> Form:
    before, after = duty.split("#")

    def make(number: int) -> Row:
        number, named = divmod(number, len(_LAYERS))
        number, about = divmod(number, _M)
        layers, module = _LAYERS[named], _MODULES[about]
        return {
            "task": "architect",
            "template": name,
            "seen": seen,
            "difficulty": 1,
            "quality": 1 - 1 / 3,
            "prompt": f"Layers, from the top: {', '.join(layers)}. In which layer belongs a module `{_INNER[number]}` "
            f"that {before}{module}{after}? Answer with the layer alone.",
            "answer": layers[layer],
            "check": {"rule": "place", "edges": [], "layers": list(layers), "layer": layer},
        }

    return Form(name, seen, len(_LAYERS) * _M * _I, make)


def solve(rule: str, edges: Edges, layers: Sequence[str]) -> Edges:
    """Every dependency that breaks a rule, worked out from the dependencies alone."""
    if rule == "cycle":
        return [[a, b] for at, (a, b) in enumerate(edges) if [b, a] in edges[at + 1 :]]
    if rule == "private":
        return [[a, b] for a, b in edges if _package(a) != _package(b) and not b.endswith(".api")]
    return [[a, b] for a, b in edges if layers.index(_package(a)) >= layers.index(_package(b))]


def _package(name: str) -> str:
    return name.partition(".")[0]


def check(rows: Sequence[Row], texts: Sequence[str]) -> list[Verdict]:
    """Right is the one dependency or cycle that a program finds, or none; of a module's place, its one layer."""
    return [_verdict(row["check"], text) for row, text in zip(rows, texts, strict=True)]


def _verdict(wanted: Row, text: str) -> Verdict:
    line = text.strip().partition("\n")[0].strip("`*. ")
    if wanted["rule"] == "place":
        named = {name for name in _NAME.findall(line) if name in wanted["layers"]}
        return RIGHT if named == {wanted["layers"][wanted["layer"]]} else Verdict(0.0, "another layer")
    right = solve(wanted["rule"], wanted["edges"], wanted["layers"])
    if not right:
        return RIGHT if line.lower() == NONE else Verdict(0.0, "no dependency breaks the rule")
    known = {name for edge in wanted["edges"] for name in edge}
    found = [name for name in _NAME.findall(line) if name in known]
    if found == right[0] or (wanted["rule"] == "cycle" and found == right[0][::-1]):
        return RIGHT
    return Verdict(0.0, "another dependency")


def guesses(row: Row) -> list[str]:
    """Every layer; or every dependency, and none."""
    if row["check"]["rule"] == "place":
        return list(row["check"]["layers"])
    edges = row["check"]["edges"]
    if row["check"]["rule"] == "cycle":
        return [*(f"{a} <-> {b}" for at, (a, b) in enumerate(edges) if [b, a] not in edges[:at]), NONE]
    return [*(" -> ".join(edge) for edge in edges), NONE]


def faults(rows: Sequence[Row]) -> list[list[str]]:
    """What a program finds otherwise than the row says: in the dependencies as written, or by the words of a duty."""
    return [_misplaced(row) if row["check"]["rule"] == "place" else _faults(row) for row in rows]


def _faults(row: Row) -> list[str]:
    wanted = row["check"]
    lines = [_NAME.findall(line) for line in row["prompt"].partition("\n\n")[2].split("\n")]
    known = {name for edge in wanted["edges"] for name in edge}
    if [[name for name in line if name in known] for line in lines] != wanted["edges"]:
        return ["the dependencies are written otherwise"]
    right = solve(wanted["rule"], wanted["edges"], wanted["layers"])
    sign = " <-> " if wanted["rule"] == "cycle" else " -> "
    return [] if [sign.join(each) for each in right] == [row["answer"]] * len(right) else [f"what breaks it is {right}"]


def _misplaced(row: Row) -> list[str]:
    words, layers = set(re.findall(r"\w+", row["prompt"].partition(" that ")[2])), row["check"]["layers"]
    meant = [layer for layer, signs in zip(layers, SIGNS, strict=True) if words & set(signs)]
    shown = row["prompt"].startswith(f"Layers, from the top: {', '.join(layers)}.")
    return [] if shown and meant == [row["answer"]] else [f"its words mean {meant}"]


ARCHITECT = Task("architect", forms, check, guesses, faults, answer_tokens=20)
