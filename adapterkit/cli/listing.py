"""`adapterkit list`: one row for each version, broken ones included."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from adapterkit.cli.output import print_table
from adapterkit.errors import AdapterKitError
from adapterkit.manifest import MANDATORY_FILES, Manifest
from adapterkit.names import AdapterRef
from adapterkit.registry import Registry

_HEADINGS = ("ref", "built on", "variant", "rank", "parameters", "created", "state")


def listing(registry: Registry) -> list[dict[str, Any]]:
    """The facts of every version, by name and then oldest first; only manifests are read, no bytes are hashed."""
    return [
        _row(registry, AdapterRef(name, version)) for name in registry.names() for version in registry.versions(name)
    ]


def print_listing(registry: Path, rows: list[dict[str, Any]]) -> None:
    """Print the rows as a table, or say that there are none."""
    if not rows:
        missing = "" if registry.is_dir() else " (there is no such folder yet)"
        print(f"The registry {registry} is empty{missing}. Publish the first adapter: adapterkit train +recipe=unified")
        return
    print_table(_HEADINGS, [_cells(row) for row in rows])


def _row(registry: Registry, ref: AdapterRef) -> dict[str, Any]:
    path = registry.path / ref.name / str(ref.selector)
    facts: dict[str, Any] = {"ref": str(ref), "path": str(path), "ok": True, "problem": None}
    try:
        facts |= _facts(registry.manifest(ref))
        missing = [name for name in MANDATORY_FILES if not (path / name).is_file()]
        problem = f"{', '.join(missing)} missing" if missing else None
    except AdapterKitError as error:
        problem = str(error)
    return {**facts, "ok": problem is None, "problem": problem}


def _facts(manifest: Manifest) -> dict[str, Any]:
    lineage = manifest.lineage
    return {
        "name": manifest.name,
        "version": str(manifest.version),
        "base": lineage.base.id,
        "parent": str(lineage.parents[-1].ref) if lineage.parents else None,
        "variant": manifest.adapter.variant,
        "rank": manifest.adapter.rank,
        "parameters": manifest.adapter.parameters,
        "created": manifest.created,
        "weights_digest": manifest.weights_digest,
        "metrics": dict(manifest.metrics),
        "tags": list(manifest.tags),
    }


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    state = "published" if row["ok"] else f"BROKEN: {row['problem']}"
    if "variant" not in row:
        return row["ref"], "", "", "", "", "", state
    built_on = row["parent"] or row["base"]
    return row["ref"], built_on, row["variant"], str(row["rank"]), f"{row['parameters']:,}", row["created"], state
