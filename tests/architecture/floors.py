"""The floors law, read from the imports of the source: a room imports from rooms listed before it, and from itself."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

# From the ground up. A room is a module or a package directly under adapterkit; order within a floor counts.
FLOORS = {
    "ground": ("texts", "problem", "errors", "digest", "names"),
    "facts": ("lineage", "manifest", "config", "presets", "ranks"),
    "things": ("stores", "base", "artifacts", "registry", "stack", "data"),
    "crafts": ("evaluation", "training", "merging", "learning", "fleet", "serving"),
    "stories": ("workflows",),
    "doors": ("train", "merge", "evaluate", "cli", "__main__", "__init__"),
}
ROOMS = tuple(room for rooms in FLOORS.values() for room in rooms)
FLOOR_OF = {room: floor for floor, rooms in FLOORS.items() for room in rooms}


@dataclass(frozen=True)
class Import:
    """One import as written: where, and the module it means."""

    path: Path
    line: int
    module: str
    target: str


def modules_of(package: Path) -> dict[str, Path]:
    """Dotted name -> file, for every module of a package folder."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        parts = (package.name, *path.relative_to(package).with_suffix("").parts)
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports_of(package: Path) -> list[Import]:
    """Every import of the package by its own modules, wherever it stands: in functions and under TYPE_CHECKING too."""
    modules = modules_of(package)
    found = []
    for module, path in modules.items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), filename=str(path))):
            for target in sorted(set(_targets(node, module, path, modules))):
                if target.split(".")[0] == package.name:
                    found.append(Import(path, getattr(node, "lineno", 0), module, target))
    return found


def _targets(node: ast.AST, module: str, path: Path, modules: dict[str, Path]) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        source = _absolute(node, module, is_package=path.stem == "__init__")
        for alias in node.names:
            inner = f"{source}.{alias.name}"
            yield inner if inner in modules else source
    elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if called in {"import_module", "__import__"} and isinstance(node.args[0].value, str):
            yield node.args[0].value


def _absolute(node: ast.ImportFrom, module: str, *, is_package: bool) -> str:
    if not node.level:
        return node.module or ""
    parts = module.split(".")
    kept = parts[: len(parts) - node.level + is_package]
    return ".".join([*kept, node.module] if node.module else kept)


def room_of(module: str) -> str:
    """`adapterkit.base.load` stands in `base`; `adapterkit` itself is `__init__`."""
    return module.split(".")[1] if "." in module else "__init__"


def breaches(package: Path) -> list[str]:
    """Say, one line each, which modules stand on no floor and which imports go up."""
    found = []
    for module, path in modules_of(package).items():
        if room_of(module) not in ROOMS:
            found.append(f"{path}: '{room_of(module)}' stands on no floor; give it a place in FLOORS, or another name")
    for each in imports_of(package):
        mine, theirs = room_of(each.module), room_of(each.target)
        if mine == theirs or mine not in ROOMS:
            continue
        if theirs not in ROOMS or ROOMS.index(theirs) > ROOMS.index(mine):
            found.append(
                f"{each.path}:{each.line}: {mine} ({FLOOR_OF[mine]}) imports {each.target} "
                f"({FLOOR_OF.get(theirs, 'on no floor')}), and may import only what comes before it in FLOORS"
            )
    return found


def cycle(package: Path) -> list[str]:
    """The modules of one import cycle, first and last the same; empty when there is none."""
    graph: dict[str, set[str]] = {module: set() for module in modules_of(package)}
    for each in imports_of(package):
        if each.target in graph:
            graph[each.module].add(each.target)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(reversed(error.args[1]))
    return []
