"""Questions about imports: the graph is the source's, and every answer follows from what the row shows."""

import re
from pathlib import Path

import pytest

from adapterkit.config.schema import DataConfig
from adapterkit.data import Conversation, read_splits
from adapterkit.data.module_imports import check_imports, imports_among, load_order, reachable, reversed_graph

SPLITS = ("train", "validation", "test")
GRAPH = {name: frozenset(of.split()) for name, of in {"a": "b c", "b": "d", "c": "d", "d": ""}.items()}


def shown(row: Conversation) -> dict[str, frozenset[str]]:
    lines = re.findall(r"^- ([\w.]+): (.+)$", row.turns[0].content, re.MULTILINE)
    return {name: frozenset(of.split(", ")) - {"none"} for name, of in lines}


def test_imports_are_those_of_the_top_level(tmp_path: Path) -> None:
    files = {
        "one.py": "import two, os\nfrom pack import inner, thing\nif 1:\n    import never\ndef f():\n    import two\n",
        "two.py": "import pack.inner as inner\n",
        "three.py": "from __future__ import annotations\nimport three\n",
        "__future__.py": "x = 1\n",
        "pack/__init__.py": "from .inner import x\nfrom . import other\n",
        "pack/inner.py": "from .other import y\nfrom . import z\n",
        "pack/other.py": "import two\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert imports_among(tmp_path) == {
        "one": {"two", "pack.inner", "pack"},
        "two": {"pack.inner"},
        "three": set(),
        "pack": {"pack.inner", "pack.other"},
        "pack.inner": {"pack.other", "pack"},
        "pack.other": {"two"},
    }


def test_orders_and_reaches() -> None:
    assert load_order(GRAPH) == ["d", "b", "c", "a"]
    assert load_order({**GRAPH, "d": frozenset("a")}) is None
    assert reachable("b", GRAPH) == {"d"}
    assert reachable("d", reversed_graph(GRAPH)) == {"a", "b", "c"}
    assert reachable("a", {**GRAPH, "d": frozenset("a")}) == {"b", "c", "d"}


def right_answer(kind: str, asked: str, graph: dict[str, frozenset[str]]) -> str:
    """The answer by another way than the reader's: closures by repeated squaring, orders by testing."""
    names = re.findall(r"`([\w.]+)`", asked)
    closure = {name: set(graph[name]) for name in graph}
    for _ in graph:
        closure = {name: of.union(*(closure[each] for each in of)) for name, of in closure.items()}
    match kind:
        case "needs":
            found = closure[names[0]]
        case "reaches":
            found = {name for name in graph if names[0] in closure[name]}
        case "bottom":
            found = {name for name in graph if not graph[name]}
        case "cycle":
            return "Yes." if names[0] in closure[names[1]] else "No."
        case _:
            left, order = set(graph), []
            while left:
                order.append(min(name for name in left if not graph[name] & left))
                left.remove(order[-1])
            return ", ".join(order)
    return ", ".join(sorted(found)) or "none"


def test_every_answer_follows_from_what_is_shown() -> None:
    splits = read_splits(DataConfig(reader="module_imports", validation="auto", test="auto"), None)
    modules = {name: {each for row in getattr(splits, name) for each in shown(row)} for name in SPLITS}
    assert not modules["train"] & modules["test"]
    assert not modules["train"] & modules["validation"]
    kinds = set()
    for name in SPLITS:
        rows = getattr(splits, name)
        assert len(rows) > 100
        for row in rows:
            kind, asked = row.origin.strata[0], row.turns[0].content.rpartition("\n\n")[2]
            kinds.add(kind)
            assert 3 <= len(shown(row)) <= 6
            assert row.turns[1].content == right_answer(kind, asked, shown(row)), row
            assert sum(len(turn.content) for turn in row.turns) < 1000
    assert kinds == {"order", "needs", "reaches", "bottom", "cycle"}
    cycles = [row.turns[1].content for row in splits.train if row.origin.strata[0] == "cycle"]
    assert 0.4 < cycles.count("Yes.") / len(cycles) < 0.6


@pytest.mark.parametrize(("said", "right"), [("a.b, c", True), ("`a.b`,  C.", True), ("c, a.b", False), ("", False)])
def test_an_answer_is_compared_as_a_list(said: str, right: bool) -> None:
    assert check_imports(said, "a.b, c") == right
