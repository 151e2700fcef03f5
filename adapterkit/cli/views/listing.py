"""`adapterkit list`: one row for each version, broken ones included, and one for each alias that leads astray."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from adapterkit.cli.output import brief, print_table, printable
from adapterkit.registry import Entry, Pointer, Registry, by_ref, problem_of, strays, without_collector
from adapterkit.registry.aliases import ALIASES_FOLDER, LATEST

_HEADINGS = ("ref", "built on", "variant", "rank", "parameters", "created", "aliases", "state")
_WIDEST = 500


@without_collector()
def listing(registry: Registry) -> list[dict[str, Any]]:
    """The facts of every version, by name and then oldest first; only manifests are read, no bytes are hashed.

    An alias with which something is wrong has a row of its own behind the versions, and so has what stands in the place
    of an adapter and is none; their `version` is null.
    """
    rows, family = [], registry.survey()
    there = by_ref(family)
    for name, entries in family.items():
        found = registry.pointers(name) if entries[-1].moved else [Pointer(LATEST, entries[-1].version)]
        for entry in entries:
            aliases = [pointer.alias for pointer in found if pointer.version == entry.version]
            rows.append(_row(entry, problem_of(entry, there), aliases))
        place = registry.path / name / ALIASES_FOLDER
        for pointer in found:
            if pointer.problem:
                rows.append(_astray(name, f"{name}@{pointer.alias}", place / pointer.alias, pointer.problem))
    return rows + [
        _astray(stray.name, stray.name, stray.path, stray.problem) for stray in strays(registry.path, family)
    ]


def print_listing(registry: Path, rows: list[dict[str, Any]]) -> None:
    """Print the rows as a table, or say that there are none."""
    if not rows:
        print_empty(registry)
        return
    print_table(_HEADINGS, [_cells(row) for row in rows])


def print_empty(registry: Path) -> None:
    """Say that there are no adapters, and whether there is a folder at all."""
    missing = "" if os.path.isdir(registry) else " (there is no such folder yet)"
    told = printable(f"The registry {os.path.abspath(registry)} is empty{missing}.")
    print(f"{told} Publish the first adapter: adapterkit train +recipe=unified")
    print("Or name another registry: --registry PATH, or ADAPTERKIT_REGISTRY=PATH")


def _row(entry: Entry, problem: str | None, aliases: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {"ref": entry.ref, "path": entry.path, "ok": problem is None}
    found |= {"name": entry.name, "version": str(entry.version)}
    return found | {"problem": problem, "aliases": aliases} | (_facts(entry) if entry.glance else {})


def _astray(name: str, ref: str, path: Path, problem: str) -> dict[str, Any]:
    """A row for something that is no version."""
    found: dict[str, Any] = {"ref": ref, "path": str(path), "ok": False, "name": name, "version": None}
    return found | {"problem": problem, "aliases": []}


def _facts(entry: Entry) -> dict[str, Any]:
    manifest = entry.readable
    return {
        "base": manifest.base.identity.id,
        "parent": entry.parent,
        "variant": manifest.adapter.variant,
        "rank": manifest.adapter.rank,
        "parameters": manifest.adapter.parameters,
        "created": manifest.created,
        "weights_digest": manifest.weights_digest,
        "metrics": manifest.metrics,
        "tags": manifest.tags,
    }


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    state = "published" if row["ok"] else f"BROKEN: {brief(row['problem'])}"
    aliases = ", ".join(row["aliases"])
    if "variant" not in row:
        return row["ref"], "", "", "", "", "", aliases, state
    size, built_on = f"{row['parameters']:,}", row["parent"] or row["base"]
    cells = row["ref"], built_on, row["variant"], str(row["rank"]), size, row["created"], aliases, state
    return tuple(map(_cut, cells))


def _cut(text: str) -> str:
    """No cell of a sound manifest is so long; one of another would push every other row off the screen."""
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 3]}..."
