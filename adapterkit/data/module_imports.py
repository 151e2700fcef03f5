"""Questions about a design that is real: which modules of the standard library import which.

A row lists a few modules with what each imports of the others, and asks for an order, what one needs, what a change
reaches, what stands at the bottom, or whether one more import would make a cycle. Every answer is computed. A package
is in one split whole, and the modules of a row are of one split.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path

from adapterkit.data.conversation import Conversation, Origin, Turn
from adapterkit.data.corpora import check_splits_itself
from adapterkit.data.definitions import library_label, library_origin, parsed, standard_library
from adapterkit.data.draws import number, pick, shuffled, split_of
from adapterkit.data.leaks import apart
from adapterkit.data.splits import Splits

PROMPT = "These are the modules of a program and what they import of each other."
NOTHING = "none"
FEWEST, MOST = 3, 6

_ORDER = (
    "In which order can they be loaded, each after all that it imports? Where several may come next, take the first by "
    "name."
)
_CYCLE = ("Would `{it}` importing `{other}` make a cycle?", "Is there a cycle once `{it}` also imports `{other}`?")
_NEEDS = ("What does `{it}` need, directly and through others?", "What must be there before `{it}` can be loaded?")
_REACHES = ("What may break when `{it}` changes?", "Which of them depend on `{it}`, directly or through others?")
_BOTTOM = ("Which of them import none of the others?", "What stands at the bottom, with no import of another?")

Graph = Mapping[str, frozenset[str]]


def read_module_imports(*, train: str | None, validation: str | None, test: str | None, prompt: str | None) -> Splits:
    """Questions about the imports of this interpreter's standard library.

    Args:
        train: null or `auto`.
        validation: `auto`, or null for none; its packages stay out of training either way.
        test: likewise.
        prompt: the sentence before the list of modules.

    Raises:
        DataError: this interpreter's source is not at hand.
        UsageError: files were given.
    """
    check_splits_itself("module_imports", train=train, validation=validation, test=test)
    rows = _rows_by_split(standard_library(), prompt or PROMPT)
    return Splits.chosen(
        rows,
        validation=validation,
        test=test,
        source=f"imports of {library_label()}",
        origins=library_origin(),
    )


def check_imports(said: str, wanted: str) -> bool:
    """Whether an answer is the computed one, but for case, spacing and marks."""
    return _plain(said) == _plain(wanted)


@lru_cache(maxsize=2)
def imports_among(folder: Path) -> dict[str, frozenset[str]]:
    """For each module of a folder, the others of the folder that its top level imports.

    `from package import module` counts as an import of that module alone.
    """
    trees = {name: tree for name, tree, _ in parsed(folder) if name != "__future__"}
    return {name: frozenset(_imported(name, tree, folder, trees)) - {name} for name, tree in trees.items()}


def _imported(name: str, tree: ast.Module, folder: Path, known: Iterable[str]) -> Iterator[str]:
    for node in tree.body:
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names if each.name in known)
        elif isinstance(node, ast.ImportFrom):
            source = _source(node, name, package=(folder / name.replace(".", "/")).is_dir())
            for each in node.names:
                inner = f"{source}.{each.name}"
                if inner in known or source in known:
                    yield inner if inner in known else source


def _source(node: ast.ImportFrom, name: str, *, package: bool) -> str:
    """The module that a `from` import names; a leading dot means the package that the importing one is or lies in."""
    if not node.level:
        return node.module or ""
    parts = name.split(".")
    base = parts[: len(parts) - node.level + package]
    return ".".join([*base, *([node.module] if node.module else [])])


@lru_cache(maxsize=2)
def _rows_by_split(folder: Path, prompt: str) -> dict[str, tuple[Conversation, ...]]:
    whole = imports_among(folder)
    rows: dict[str, list[Conversation]] = {"train": [], "validation": [], "test": []}
    for split, part in rows.items():
        own = {name for name in whole if split_of(name.partition(".")[0]) == split}
        graph = {name: whole[name] & own for name in sorted(own)}
        near = {name: graph[name] | importers for name, importers in reversed_graph(graph).items()}
        seen: set[str] = set()
        for seed in graph:
            for size in range(FEWEST, MOST + 1):
                listed = _neighbourhood(seed, graph, near, size)
                text = _listed(listed)
                if len(listed) == size and text not in seen:
                    seen.add(text)
                    part += _rows(listed, seed, prompt)
    return apart(rows)


def _neighbourhood(seed: str, graph: Graph, near: Graph, size: int) -> dict[str, frozenset[str]]:
    """The seed and what hangs together with it, nearest first; each with what it imports of the rest."""
    found, front = [seed], [seed]
    while front and len(found) < size:
        node = front.pop(0)
        new = [each for each in shuffled(sorted(near[node]), "near", seed, size) if each not in found]
        found += new[: size - len(found)]
        front += new
    kept = frozenset(found)
    return {name: graph[name] & kept for name in sorted(kept)}


def _listed(graph: Graph) -> str:
    return "\n".join(f"- {name}: {', '.join(sorted(graph[name])) or NOTHING}" for name in graph)


def _rows(graph: Graph, seed: str, prompt: str) -> Iterator[Conversation]:
    listed = _listed(graph)
    it = pick(sorted(graph), "asked of", listed)
    order = load_order(graph)
    if order is None:
        return
    questions = {
        "order": (_ORDER, ", ".join(order)),
        "needs": (pick(_NEEDS, "asked", listed).format(it=it), _names(reachable(it, graph))),
        "reaches": (pick(_REACHES, "asked", listed).format(it=it), _names(reachable(it, reversed_graph(graph)))),
        "bottom": (pick(_BOTTOM, "asked", listed), _names(name for name in graph if not graph[name])),
    }
    if (wanted := _further_import(graph, listed)) is not None:
        (one, other), cyclic = wanted
        questions["cycle"] = (pick(_CYCLE, "asked", listed).format(it=one, other=other), "Yes." if cyclic else "No.")
    for kind, (question, answer) in questions.items():
        turns = (Turn("user", f"{prompt}\n\n{listed}\n\n{question}"), Turn("assistant", answer))
        yield Conversation(turns, Origin(seed.replace(".", "/") + ".py", None, seed, (kind, seed)))


def load_order(graph: Graph) -> list[str] | None:
    """The modules, each after all that it imports, the first by name where several may come; null for a cycle."""
    order: list[str] = []
    left = dict(graph)
    while left:
        ready = [name for name in sorted(left) if not left[name] - set(order)]
        if not ready:
            return None
        order.append(ready[0])
        del left[ready[0]]
    return order


def reachable(start: str, graph: Graph) -> set[str]:
    """What can be reached from a module, without itself."""
    found: set[str] = set()
    front = [start]
    while front:
        new = graph[front.pop()] - found
        found |= new
        front += new
    return found - {start}


def reversed_graph(graph: Graph) -> dict[str, frozenset[str]]:
    """The same modules, each with those that import it."""
    return {name: frozenset(other for other in graph if name in graph[other]) for name in graph}


def _further_import(graph: Graph, listed: str) -> tuple[tuple[str, str], bool] | None:
    """Two modules, the first of which does not import the second, and whether that would make a cycle.

    Half of the graphs are asked for a pair that would, where there is one.
    """
    pairs = [(one, other) for one in graph for other in graph if one != other and other not in graph[one]]
    cyclic = number("cyclic", listed) % 2 == 0
    fit = [(one, other) for one, other in pairs if (one in reachable(other, graph)) == cyclic]
    return (pick(fit, "pair", listed), cyclic) if fit else None


def _names(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or NOTHING


def _plain(text: str) -> str:
    return " ".join(text.casefold().replace("`", "").split()).rstrip(".")
