"""How messages write what they tell: values, counts, times, lists, and what an exception says."""

from __future__ import annotations

import os
import shlex
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

REGISTRY_VARIABLE = "ADAPTERKIT_REGISTRY"
DEFAULT_REGISTRY = "adapters"


def default_registry() -> Path:
    """The registry's folder when none is named: `$ADAPTERKIT_REGISTRY`, or else `adapters` in the current folder."""
    return Path(os.environ.get(REGISTRY_VARIABLE) or DEFAULT_REGISTRY)


def in_registry(command: str, registry: str | os.PathLike[str]) -> str:
    """A command that a message proposes, with the registry that it is for, unless it means that one anyway."""
    if os.path.abspath(registry) == os.path.abspath(default_registry()):
        return command
    return f"{command} --registry {shlex.quote(os.fspath(registry))}"


def trained_in(registry: str | os.PathLike[str], command: str | None) -> str | None:
    """The same of a command that trains, which takes the registry as a key; null stays null."""
    if command is None or os.path.abspath(registry) == os.path.abspath(default_registry()):
        return command
    return f"{command} {shlex.quote(f'registry={os.fspath(registry)}')}"


def excerpt(value: Any, limit: int = 80) -> str:
    """A value as a message shows it: on one line, and cut where a file from somewhere wants to fill the screen."""
    text = repr(value[: limit + 1] if isinstance(value, str) else value)
    return text if len(text) <= limit else text[: limit - 3] + "..."


def counted(number: int, noun: str) -> str:
    """So many of something, as a message says it: `1 version`, `10,000 versions`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def number_and_names(names: Collection[str], few: int = 8) -> str:
    """How many names, and which where they are few: `2: anna, ben`, or `24`."""
    return f"{len(names)}: {', '.join(sorted(names))}" if len(names) <= few else str(len(names))


def duration(seconds: float) -> str:
    """A time as a message says it, of a second at least: `48 s`, `4 min 05 s`, `3 h 05 min`."""
    whole = max(1, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


def listed(lines: Sequence[object], most: int | None = None) -> str:
    """The lines of a list as a message ends in them, each on its own; of many only the first, and how many more."""
    shown = list(lines if most is None else lines[:most])
    more = [f"... and {len(lines) - len(shown):,} more"] if len(shown) < len(lines) else []
    return "".join(f"\n  {line}" for line in [*shown, *more])


def one_line(said: object) -> str:
    """A text, or what an exception says, on one line."""
    return " ".join(str(said).split())


def first_line_of(error: Exception) -> str:
    """The first line of what an exception says; what it is, where it says nothing."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
