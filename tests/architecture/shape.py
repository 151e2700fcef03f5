"""The shape of the source: small files and functions, names that say something, indexes that only index.

Every rule takes a folder and returns one line for each thing found wrong.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

MAX_FILE_LINES = 299
MAX_FUNCTION_LINES = 60
MAX_DOOR_LINES = 40
EMPTY_NAMES = {"util", "utils", "helper", "helpers", "common", "misc"}
# PEFT's own switches leave the wrong adapters active or trainable; AdapterStack uses them in the order that works.
PEFT_SWITCHES = {"set_adapter", "delete_adapter", "disable_adapter", "enable_adapter_layers", "disable_adapter_layers"}


def _sources(folder: Path) -> Iterator[tuple[Path, str]]:
    for path in sorted(folder.rglob("*.py")):
        yield path, path.read_text(encoding="utf-8")


def long_files(folder: Path) -> list[str]:
    """Python files of 300 lines and more."""
    lengths = ((path, len(text.splitlines())) for path, text in _sources(folder))
    return [f"{path}: {lines} lines, {MAX_FILE_LINES} at most" for path, lines in lengths if lines > MAX_FILE_LINES]


def long_functions(folder: Path) -> list[str]:
    """Functions of more than 60 lines, from `def` to the last line, docstring included."""
    found = []
    for path, text in _sources(folder):
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > MAX_FUNCTION_LINES:
                    found.append(f"{path}:{node.lineno}: {node.name} has {lines} lines, {MAX_FUNCTION_LINES} at most")
    return found


def empty_names(folder: Path) -> list[str]:
    """Modules and packages whose name does not say what is in them."""
    found = []
    for path in sorted(folder.rglob("*.py")):
        for part in path.relative_to(folder).with_suffix("").parts:
            if EMPTY_NAMES & set(part.lower().split("_")):
                found.append(f"{path}: '{part}' says nothing; name the one idea in it")
    return found


def busy_indexes(package: Path) -> list[str]:
    """Statements in an `__init__.py` beyond docstring, imports and `__all__`; the package's own may also be lazy."""
    found = []
    for path in sorted(package.rglob("__init__.py")):
        allowed = _is_lazy_index if path.parent == package else _is_index
        for position, node in enumerate(ast.parse(path.read_text(encoding="utf-8")).body):
            is_docstring = position == 0 and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
            if not is_docstring and not allowed(node):
                found.append(f"{path}:{node.lineno}: `{ast.unparse(node).splitlines()[0]}` belongs in a module")
    return found


def _is_index(node: ast.stmt) -> bool:
    return isinstance(node, ast.Import | ast.ImportFrom) or _assigned(node) == "__all__"


def _is_lazy_index(node: ast.stmt) -> bool:
    """An index, plus what makes it lazy: `__getattr__`, `__dir__`, a private table, imports for type checkers."""
    if isinstance(node, ast.FunctionDef):
        return node.name in {"__getattr__", "__dir__"}
    if isinstance(node, ast.If):
        return ast.unparse(node.test).endswith("TYPE_CHECKING") and all(map(_is_index, node.body)) and not node.orelse
    return _is_index(node) or _assigned(node).startswith("_")


def _assigned(node: ast.stmt) -> str:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return targets[0].id if len(targets) == 1 and isinstance(targets[0], ast.Name) else ""


def fat_doors(package: Path) -> list[str]:
    """Hydra doors of more than 40 lines."""
    found = []
    for path in (package / f"{name}.py" for name in ("train", "merge", "evaluate")):
        lines = len(path.read_text(encoding="utf-8").splitlines()) if path.exists() else 0
        if lines > MAX_DOOR_LINES:
            found.append(f"{path}: {lines} lines, {MAX_DOOR_LINES} at most; the story belongs in workflows")
    return found


def strange_switches(package: Path) -> list[str]:
    """Calls of PEFT's adapter switching outside `stack`."""
    found = []
    for path, text in _sources(package):
        if path.relative_to(package).parts[0] == "stack":
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in PEFT_SWITCHES:
                found.append(f"{path}:{node.lineno}: .{node.func.attr}() outside adapterkit/stack; use AdapterStack")
    return found


def instantiations(folder: Path) -> list[str]:
    """Lines of YAML that would have something instantiated."""
    found = []
    for path in sorted([*folder.rglob("*.yaml"), *folder.rglob("*.yml")]):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            if re.search(r"\b_target_\b", line):
                found.append(f"{path}:{number}: YAML chooses names from registries in code, it never carries _target_")
    return found
