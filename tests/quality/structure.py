"""The source as it stands: how much, how long, and whether imports go in a circle."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from tests.architecture.floors import cycle


@dataclass(frozen=True)
class Longest:
    """A file or function with the most lines of all."""

    name: str
    lines: int


@dataclass(frozen=True)
class Structure:
    """Figures of a package.

    Attributes:
        files: how many.
        lines: of all of them.
        longest_file: relative to the package's parent.
        longest_function: from `def` to the last line, docstring included.
        median_function: lines.
        cycle: modules that import each other in a circle; empty when there is none.
    """

    files: int
    lines: int
    longest_file: Longest
    longest_function: Longest
    median_function: float
    cycle: list[str]


def structure_of(package: Path) -> Structure:
    """Read the whole source of a package."""
    files, functions = [], []
    for path in sorted(package.rglob("*.py")):
        name, text = str(path.relative_to(package.parent)), path.read_text(encoding="utf-8")
        files.append(Longest(name, len(text.splitlines())))
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                functions.append(Longest(f"{name}: {node.name}", (node.end_lineno or 0) - node.lineno + 1))
    return Structure(
        files=len(files),
        lines=sum(each.lines for each in files),
        longest_file=max(files, key=lambda each: each.lines),
        longest_function=max(functions, key=lambda each: each.lines),
        median_function=median(each.lines for each in functions),
        cycle=cycle(package),
    )
