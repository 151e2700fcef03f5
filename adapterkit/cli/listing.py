"""`adapterkit list`: one row for each version, broken ones included."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from adapterkit.cli.output import print_table
from adapterkit.registry import Entry, Registry

_HEADINGS = ("ref", "built on", "variant", "rank", "parameters", "created", "aliases", "state")
_WIDEST = 500


def listing(registry: Registry) -> list[dict[str, Any]]:
    """The facts of every version, by name and then oldest first; only manifests are read, no bytes are hashed."""
    rows = []
    for name, entries in registry.survey().items():
        aliases = registry.moved_aliases(name) if entries[-1].moved else {}
        rows += [_row(entry, [alias for alias, to in aliases.items() if to == entry.version]) for entry in entries]
    return rows


def print_listing(registry: Path, rows: list[dict[str, Any]]) -> None:
    """Print the rows as a table, or say that there are none."""
    if not rows:
        missing = "" if registry.is_dir() else " (there is no such folder yet)"
        print(f"The registry {registry} is empty{missing}. Publish the first adapter: adapterkit train +recipe=unified")
        return
    print_table(_HEADINGS, [_cells(row) for row in rows])


def _row(entry: Entry, aliases: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {"ref": entry.ref, "path": entry.path, "ok": entry.problem is None}
    found |= {"name": entry.name, "version": str(entry.version)}
    return found | {"problem": entry.problem, "aliases": aliases} | (_facts(entry) if entry.plain else {})


def _facts(entry: Entry) -> dict[str, Any]:
    plain, shape = entry.plain, entry.plain["adapter"]
    return {
        "base": plain["base"]["identity"]["id"],
        "parent": entry.parents[-1][0] if entry.parents else None,
        "variant": shape["variant"],
        "rank": shape["rank"],
        "parameters": shape["parameters"],
        "created": plain["created"],
        "weights_digest": entry.weights_digest,
        "metrics": plain["metrics"],
        "tags": plain["tags"],
    }


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    state = "published" if row["ok"] else f"BROKEN: {row['problem']}"
    aliases = ", ".join(row["aliases"])
    if "variant" not in row:
        return row["ref"], "", "", "", "", "", aliases, state
    size, built_on = f"{row['parameters']:,}", row["parent"] or row["base"]
    cells = row["ref"], built_on, row["variant"], str(row["rank"]), size, row["created"], aliases, state
    return tuple(map(_cut, cells))


def _cut(text: str) -> str:
    """No cell of a sound manifest is so long; one of another would push every other row off the screen."""
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 3]}..."
