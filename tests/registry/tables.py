"""What the tables of the command show of a registry, printed and as JSON that a script can read."""

from __future__ import annotations

import json
from typing import Any

from adapterkit.registry import Registry
from tests.driving import printed


def run(registry: Registry, *words: str, code: int | None = 0) -> str:
    """Run `adapterkit WORDS` on it, and return what it printed on stdout."""
    return printed(*words, "--registry", registry.path, code=code)


def plain(registry: Registry, *words: str, code: int | None = 0) -> Any:
    """What `adapterkit WORDS --json` tells."""
    return json.loads(run(registry, *words, "--json", code=code))


def rows(registry: Registry) -> dict[str, dict[str, Any]]:
    """The rows of `adapterkit list`, by ref."""
    run(registry, "list")
    return {row["ref"]: row for row in plain(registry, "list")}


def listed_aliases(registry: Registry, name: str) -> dict[str, str]:
    """Where the rows of a list show the aliases of an adapter."""
    found = [row for row in plain(registry, "list") if row["name"] == name]
    return {alias: row["version"] for row in found for alias in row["aliases"]}
